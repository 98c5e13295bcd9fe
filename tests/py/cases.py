# SPDX-License-Identifier: MIT
"""The table of cases: what a reload must mean. cases_*.py fill it, test_cases.py runs it.

Each case has the sources before and after (one text is that of the module m), what the program holds of them before the
reload (`hold`), and what must be so afterwards: an expression and its value. `since` is the oldest CPython that has it.
Where writing sources and importing them is not all: `load(test)` gives what is imported by name, `edit(test)` makes the
edit, `fails` is the code of the error that the command must end with.
"""


class Case:
    def __init__(self, name, before, after, hold, probe, expected, since=(3, 6), load=None, edit=None, fails=None):
        self.name, self.before, self.after = name, before, after
        self.hold, self.probe, self.expected, self.since = hold, probe, expected, since
        self.load = load or self.load_all
        self.edit = edit or (lambda test: test.write(**after))
        self.fails = fails

    def load_all(self, test):
        names = [name.replace('__init', '').replace('__', '.') for name in self.before]
        return {name: test.load(name) for name in names}


CASES = []


def case(name, before, after, *args, **more):
    if isinstance(before, str):
        before, after = {'m': before}, {'m': after}
    assert name not in [one.name for one in CASES], name
    CASES.append(Case(name, before, after, *args, **more))


# Sources that many cases begin with, before and after.
F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'
K1 = 'class K:\n    def a(self): return 1\n'
K2 = 'class K:\n    def a(self): return 2\n'
DECO = 'def deco(f):\n    def w(*a): return "d%s" % f(*a)\n    return w\n'

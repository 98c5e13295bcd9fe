# SPDX-License-Identifier: MIT
"""The table of cases: what a reload must mean. cases_*.py fill it, test_cases.py runs it.

Each case has the sources before and after (one text is that of the module m), what the program holds of them before the
reload (`hold`), and what must be so afterwards: an expression and its value. `since` is the oldest CPython that has it.
"""


class Case:
    def __init__(self, name, before, after, hold, probe, expected, since):
        self.name, self.before, self.after = name, before, after
        self.hold, self.probe, self.expected, self.since = hold, probe, expected, since


CASES = []


def case(name, before, after, hold, probe, expected, since=(3, 6)):
    if isinstance(before, str):
        before, after = {'m': before}, {'m': after}
    assert name not in [one.name for one in CASES], name
    CASES.append(Case(name, before, after, hold, probe, expected, since))


# Sources that many cases begin with, before and after.
F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'
K1 = 'class K:\n    def a(self): return 1\n'
K2 = 'class K:\n    def a(self): return 2\n'
DECO = 'def deco(f):\n    def w(*a): return "d%s" % f(*a)\n    return w\n'

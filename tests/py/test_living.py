# SPDX-License-Identifier: MIT
"""Which functions live: counted where references can be counted, found by a walk over the heap where not."""
import sys
import unittest

from harness import Program, command

PLAIN = """
import functools
LIMIT = 3
def helper(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args)
    return wrapper
def f(): return 1
@helper
def g(): return 1
@functools.lru_cache()
def h(): return 1
def stream():
    yield 1
    yield 2
class K:
    def m(self): return 1
    @property
    def p(self): return 1
    @staticmethod
    def s(): return 1
    class Inner:
        def deep(self): return 1
"""
REGISTRY = """
HELD = []
def make(n):
    def inner(): return n, 1
    return inner
class Held:
    def __init__(self, function): self.function = function
"""


class Living(Program):
    def change(self, name, text, *edits, **options):
        """The `heap` of the answer to reload-stale, once the module NAME was edited."""
        for old, new in edits:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.write(**{name: text})
        return self.reload(**options)['heap'], text

    def test_no_walk_when_every_reference_is_known(self):
        self.write(m=PLAIN)
        m = self.load('m')
        held, bound = m.f, m.K().m
        heap, text = self.change('m', PLAIN, ('return 1', 'return 2'), ('*args)\n', '*args) or 0\n'))
        self.assertIsNone(heap)
        self.assertEqual((held(), m.g(), m.h(), bound(), m.K().p, m.K.s(), m.K.Inner().deep()), (2,) * 7)
        heap, text = self.change('m', text, ('LIMIT = 3', 'LIMIT = 4'))
        self.assertEqual((heap, m.LIMIT), (None, 4))
        heap, text = self.change('m', text, ('return 2', 'return 3'))      # the journal refers to the dictionary
        self.assertEqual((heap, held(), bound()), (None, 3, 3))

    def test_a_walk_for_what_is_held_elsewhere(self):
        self.write(m=REGISTRY, other='import m\nkept = m.Held(m.make(5))\n')
        m, other = self.load('m', 'other')
        heap, text = self.change('m', REGISTRY, ('n, 1', 'n, 2'))
        self.assertEqual((heap['walks'], other.kept.function()), (1, (5, 2)))
        del other.kept.function
        heap, text = self.change('m', text, ('n, 2', 'n, 3'))
        self.assertEqual((heap, m.make(1)()), (None, (1, 3)))

    def test_a_walk_when_somebody_else_refers_to_the_dictionary(self):
        self.write(m=PLAIN)
        m = self.load('m')
        held = vars(m)
        heap, text = self.change('m', PLAIN, ('return 1', 'return 2'))
        self.assertEqual((heap['walks'], held['f']()), (1, 2))

    def test_a_copy_that_runs_other_code(self):
        """A function made by hand has the dictionary, too: it is found whatever it runs."""
        self.write(m=PLAIN)
        m = self.load('m')
        hidden = [type(m.f)(m.f.__code__, vars(m), 'copy')]
        self.assertEqual(self.change('m', PLAIN, ('def f(): return 1', 'def f(): return 2'))[0]['walks'], 1)
        self.assertEqual(hidden[0](), 2)

    def test_frames_of_the_module(self):
        """A module that is being run: before 3.11 its frames refer to the dictionary."""
        self.write(m='def call(function): return function(), 1\n')
        m = self.load('m')
        found = []
        m.call(lambda: found.append(self.change('m', 'def call(function): return function(), 1\n', (', 1', ', 2'))[0]))
        self.assertEqual(found, [None])
        self.assertEqual(m.call(int), (0, 2))

    def test_a_suspended_generator_is_found(self):
        self.write(m=PLAIN)
        m = self.load('m')
        heap, text = self.change('m', PLAIN, ('yield 2', 'yield 3'))
        self.assertIsNone(heap)
        waiting = [m.stream()]
        next(waiting[0])
        self.write(m=text.replace('yield 3', 'yield 4'))
        answer = self.reload()
        self.assertEqual([one['kind'] for one in self.entry(answer)['running_old']], ['generator'])
        self.assertEqual(answer['heap']['walks'], 1)
        self.assertEqual((next(waiting[0]), list(m.stream())), (3, [1, 4]))

    def test_a_module_that_left_sys_modules_is_not_counted(self):
        """Who put an object in the place of its module may have dropped the module."""
        self.write(m='import sys\nclass Odd(object):\n    def f(self): return 1\nsys.modules[__name__] = Odd()\n')
        odd = self.load('m')
        heap, _ = self.change('m', 'import sys\nclass Odd(object):\n    def f(self): return 1\nsys.modules[__name__] = Odd()\n',
                              ('return 1', 'return 2'))
        self.assertEqual((heap['walks'], odd.f()), (1, 2))


class Late(Program):
    """Closures that come between the search and the commit: made by a hook here, as a thread or a handler might."""

    TEXT = 'def make(x):\n    y = 7\n    def c(): return %s\n    return c\nKEPT = [make(1)]\n' \
        'def __reload_before__(old): KEPT.extend([make(2), make(3)])\n'

    def test_they_follow(self):
        for kind in ('pyc', 'tracked', 'none'):
            self.write(m=self.TEXT % 'x + 1')
            if kind == 'tracked':
                command('track')
            sys.dont_write_bytecode = kind == 'none'
            sys.modules.pop('m', None)
            m = self.load('m')
            self.write(m=self.TEXT % 'x + 20')
            self.assertEqual(self.entry(self.reload())['kept_old'], [])
            self.assertEqual([one() for one in m.KEPT], [21, 22, 23])
            command('undo')
            self.assertEqual([one() for one in m.KEPT], [2, 3, 4])

    def test_those_that_cannot_are_named(self):
        self.write(m=self.TEXT % 'x + 1')
        m = self.load('m')
        self.write(m=self.TEXT % 'x + y')
        kept = self.entry(self.reload())['kept_old']
        self.assertEqual({one['name'] for one in kept}, {'make.<locals>.c'})
        self.assertEqual([one() for one in m.KEPT] + [m.make(3)()], [2, 3, 4, 10])

    def test_no_search_without_need(self):
        text = 'def f(a):\n    def n(x): return lambda: x + %d\n    return n(1)()\nclass K:\n    @property\n    def p(self): return (lambda: %d)()\n' \
            'def deco(f):\n    def w(*a): return f(*a), %d\n    return w\n@deco\ndef g(): return [x for x in "a"]\n'
        self.write(m=text % (1, 1, 1))
        m = self.load('m')
        for number in range(2, 6):
            m.f(1)
            self.write(m=text % (number, number, number))
            self.assertIsNone(self.reload()['heap'])
            self.assertEqual((m.f(1), m.K().p, m.g()), (number + 1, number, (['a'], number)))


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Annotations of a module and of its classes: those of the new source after a reload, those of the old one after undo."""
import sys
import unittest

from harness import Program, command

FUTURE = 'from __future__ import annotations\n'
PAIR = 'A: int = 0\nX: int = 1\n'
CASES = {                                    # what becomes of PAIR, and the annotations then
    'values too': ('A: int = 0\nX: str = 2\nZ: float = 5\n', {'A': 'int', 'X': 'str', 'Z': 'float'}),
    'annotation only': ('A: int = 0\nX: str = 1\n', {'A': 'int', 'X': 'str'}),
    'name left': ('A: int = 0\n', {'A': 'int'}),
    'annotation left': ('A: int = 0\nX = 1\n', {'A': 'int'}),
}


def told(owner):
    notes = owner.__annotations__ if hasattr(owner, '__annotations__') else owner.__annotate__(1)    # an lru_cache from 3.14 on
    return {name: getattr(note, '__name__', note) for name, note in notes.items()}


class Annotations(Program):
    def check(self, before, after, expected, of=lambda m: m):
        """As reload and undo leave them: whether or not anybody looked at them before, which Python 3.14 remembers."""
        for looks in (True, False):
            self.write(m=before)
            m = self.load('m')
            first = told(of(m)) if looks else None
            self.write(m=after)
            self.reload()
            self.assertEqual(told(of(m)), expected)
            self.assertIsNone(command('undo')['error'])
            self.assertEqual(told(of(m)), first or {'A': 'int', 'X': 'int'})
            del sys.modules['m']

    def test_of_a_module(self):
        for name, (after, expected) in CASES.items():
            with self.subTest(name):
                self.check(PAIR, after, expected)

    @unittest.skipIf(sys.version_info < (3, 7), 'needs Python 3.7')
    def test_as_texts(self):
        for name, (after, expected) in CASES.items():
            with self.subTest(name):
                self.check(FUTURE + PAIR, FUTURE + after, expected)

    def test_the_first_of_a_module(self):
        for feature in ('', FUTURE)[:1 + (sys.version_info >= (3, 7))]:
            for fails in (False, True):
                self.write(m=feature + 'A = 0\n')
                m = self.load('m')
                self.write(m=feature + 'A: int = 0\nB: int = 0\n' + 'X = 1 / 0\n' * fails)
                self.assertEqual(self.attempt()['status'], int(fails))
                self.assertEqual([] if fails else sorted(told(m)), [] if fails else ['A', 'B'])
                command('undo')
                self.assertNotIn('__annotations__', m.__dict__)
                self.assertFalse(getattr(m, '__annotations__', None))
                del sys.modules['m']

    def test_of_a_class(self):
        for name in ('annotation only', 'name left'):
            after, expected = CASES[name]
            with self.subTest(name):
                body, new = ('class C:\n    ' + text.replace('\n', '\n    ') + '\n' for text in (PAIR, after))
                self.check(body, new, expected, lambda m: m.C)

    def test_in_a_branch(self):
        text = 'A: int = 0\nif A == 0:\n    X: %s = %d\n'
        self.check(text % ('int', 1), text % ('str', 2), {'A': 'int', 'X': 'str'})

    def test_of_a_value_that_was_lent(self):
        text = 'A: int = 0\nY = 1\nX: %s = Y + %d\nY = 2\n'
        self.check(text % ('int', 1), text % ('str', 5), {'A': 'int', 'X': 'str'})

    def test_of_what_fails(self):
        self.write(m=PAIR + 'Z = 1\n')
        m = self.load('m')
        before = told(m)
        self.write(m=PAIR.replace('int = 1', 'str = 2') + 'Z = 1 / 0\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual((told(m), m.X), (before, 1))

    def test_of_a_field_that_becomes_a_method(self):
        self.check('class K:\n    A: int\n    X: int\n', 'class K:\n    A: int\n    Z: str\n    def X(self): pass\n',
                   {'A': 'int', 'Z': 'str'}, lambda m: m.K)

    def test_copied_by_wrappers(self):
        """With the docstring: functools.wraps(), property and lru_cache take them over from what they are made of."""
        text = '''\
            import contextlib, functools
            def deco(f):
                @functools.wraps(f)
                def w(): return f()
                return w
            @deco
            @contextlib.contextmanager
            def f() -> int:
                "doc"
                yield 1
            @functools.lru_cache()
            def g() -> int:
                "doc"
            class K:
                @contextlib.contextmanager
                def f(self) -> int:
                    "doc"
                    yield 1
                @property
                def p(self) -> int:
                    "doc"
            '''
        self.write(m=text)
        m = self.load('m')
        p, held = vars(m.K)['p'], (m.f, m.g, m.K.f)

        def now():
            return {(one.__doc__, tuple(told(one).items())) for one in held} | {(p.__doc__, tuple(told(p.fget).items()))}
        first = now()
        for old, new, doc, note in (('doc', 'new', 'new', 'int'), ('int', 'str', 'new', 'str')):
            text = text.replace(old, new)
            self.write(m=text)
            self.reload()
            self.assertEqual(now(), {(doc, (('return', note),))})
        command('undo')
        command('undo')
        self.assertEqual((now(), m.f), (first, held[0]))

    def test_of_functions_that_were_looked_at(self):
        text = 'def f() -> %s: pass\nclass K:\n    def f(self) -> %s: pass\n    @staticmethod\n    def s() -> %s: pass\n'
        self.write(m=text % (('int',) * 3))
        m = self.load('m')
        held = m.f, m.K.f, m.K.s
        m.f.__wrapped__ = m.f
        for note in 'str', 'bytes':
            first = [told(one) for one in held]
            self.write(m=text % ((note,) * 3))
            self.assertEqual(self.entry(self.reload())['changed'], ['K.f', 'K.s', 'f'])
            self.assertEqual([told(one) for one in held], [{'return': note}] * 3)
        command('undo')
        self.assertEqual([told(one) for one in held], first)

    def test_of_functions_that_had_none(self):
        text = 'import functools\ndef deco(f):\n    @functools.wraps(f)\n    def g(): pass\n    return g\ndef f()%s: pass\n@deco\ndef h()%s: pass\n'
        for after in ' -> int', '':
            self.write(m=text % (('' if after else ' -> int',) * 2))
            m = self.load('m')
            f, h = m.f, m.h
            first = told(f), told(h)
            self.write(m=text % (after, after))
            self.reload()
            self.assertEqual((told(f), told(h)), ({'return': 'int'} if after else {},) * 2)
            command('undo')
            self.assertEqual((told(f), told(h), m.f, m.h), first + (f, h))

    def test_copied_by_wrappers_before_other_statements_run(self):
        text = ('import contextlib\nL = []\nclass K:\n    @contextlib.contextmanager\n    def f(self) -> int: yield 1\n'
                'L.append(1)\nL.append(2)\n')
        self.write(m=text)
        m = self.load('m')
        self.write(m=text.replace('int', 'str').replace('(1)', '(3)').replace('(2)', '(4)').replace('L = []\n', 'L = []\nL.append(0)\n'))
        self.reload()
        self.assertEqual((told(m.K.f), m.L), ({'return': 'str'}, [1, 2, 0, 3, 4]))


if __name__ == '__main__':
    unittest.main()

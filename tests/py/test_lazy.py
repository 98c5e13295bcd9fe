# SPDX-License-Identifier: MIT
"""Functions that are compiled when they are first called are the functions that the text says."""
import ast
import glob
import os
import sys
import traceback
import unittest

from harness import PAYLOAD

sys.path.insert(0, os.path.join(PAYLOAD, 'module_reloader'))
import lazy  # noqa: E402
sys.path.pop(0)

TEXT = '''"""A part."""
import functools
LIMIT = 3


def small(a):
    return a + LIMIT


def large(a, b=2, *more, key=4,
          **rest):
    """Returns all of it."""
    def inner():
        return a

    return inner(), b, more, key, rest


@functools.lru_cache()
def decorated(a):
    text = 'a'
    text += 'b'
    text += 'c'
    return text


class Thing:
    def __init__(self, value):
        # a remark


        self.value = value
        self.more = [value]

    def twice(self):
        found = []
        for number in range(2):
            found.append(self.value)
        return found

    def __enter__(self):
        self.value += 1
        self.value += 1
        self.value += 1
        return self

    @property
    def wrapped(self):
        number = 1
        number += 1
        number += 1
        return number


if LIMIT:
    def guarded():
        number = 1
        number += 1
        number += 1
        return number


def fails(a):
    a += 1
    a += 1
    a += 1
    return a / 0
'''


class Lazy(unittest.TestCase):
    def setUp(self):
        self.space = {'__name__': 'part'}
        lazy.load(self.space, {'part': TEXT.encode()}, 'part')

    def test_what_waits(self):
        found = lazy.cut(TEXT.split('\n'))[1]
        self.assertEqual([one[:2] for one in found], [('small', None), ('large', None), ('__init__', 'Thing'), ('twice', 'Thing'), ('fails', None)])

    def test_functions(self):
        first = self.space['large']
        self.assertEqual(first(1, 2, 3, key=5, other=6), (1, 2, (3,), 5, {'other': 6}))
        now = self.space['large']
        self.assertIsNot(now, first)
        self.assertEqual((now.__name__, now.__doc__, now.__globals__ is self.space), ('large', 'Returns all of it.', True))
        self.assertEqual(first(1), (1, 2, (), 4, {}), 'who kept the first one')
        self.assertIs(self.space['large'], now)
        self.assertEqual((self.space['small'](1), self.space['decorated'](1), self.space['guarded']()), (4, 'abc', 3))

    def test_methods(self):
        Thing = self.space['Thing']
        thing = Thing(5)
        kept = thing.twice
        self.assertEqual((kept(), thing.twice(), thing.wrapped, thing.more), ([5, 5], [5, 5], 3, [5]))
        self.assertEqual((Thing.twice.__qualname__, Thing.__init__.__qualname__), ('Thing.twice', 'Thing.__init__'))
        self.assertEqual(thing.__enter__().twice(), [8, 8])
        self.assertNotIn('twice', self.space)

    def test_what_was_put_there_meanwhile_stays(self):
        first, other = self.space['large'], object()
        self.space['large'] = other
        self.assertEqual(first(1)[0], 1)
        self.assertIs(self.space['large'], other)

    def test_lines(self):
        for call, line in ((lambda: self.space['fails'](1), 'return a / 0'),
                           (lambda: self.space['Thing'](1).twice(2), 'def twice')):
            try:
                call()
                self.fail()
            except ZeroDivisionError as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                self.assertEqual((where.filename, where.name), ('<mr-attach>/part.py', 'fails'))
                self.assertIn(line, TEXT.split('\n')[where.lineno - 1])
            except TypeError as error:
                self.assertIn('twice() takes 1 positional argument', str(error))


class Parts(unittest.TestCase):
    """Every part of the engine can be cut."""

    def test_nothing_is_lost(self):
        for path in glob.glob(os.path.join(PAYLOAD, 'module_reloader', '*.py')):
            with open(path) as stream:
                text = stream.read()
            kept, found = lazy.cut(text.split('\n'))
            self.assertEqual(len(kept), len(text.split('\n')), path)
            whole, rest = ast.parse(text), ast.parse('\n'.join(kept))
            names = {(one.name, None): one for one in whole.body if isinstance(one, ast.FunctionDef)}
            names.update(((one.name, kind.name), one) for kind in whole.body if isinstance(kind, ast.ClassDef)
                         for one in kind.body if isinstance(one, ast.FunctionDef))
            for name, owner, start, end in found:
                one = names.pop((name, owner))
                piece = '\n' * start + '\n'.join(text.split('\n')[start:end])
                made = ast.parse(piece if owner is None else '\n' * (start - 1) + 'if 1:\n' + piece.lstrip('\n'))
                made = made.body[0] if owner is None else made.body[0].body[0]
                self.assertEqual(ast.dump(made, include_attributes=True), ast.dump(one, include_attributes=True), path)
                self.assertFalse(owner and any(isinstance(node, ast.Name) and node.id in ('super', '__class__')
                                               for node in ast.walk(one)), 'the cell of a class is not there')
            self.assertLessEqual({one.name for one in rest.body if isinstance(one, ast.FunctionDef)}, {one for one, _ in names})


if __name__ == '__main__':
    unittest.main()

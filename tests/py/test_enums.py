# SPDX-License-Identifier: MIT
"""Enums whose members change: members stay the objects that they are, what holds them follows, and all is undone."""
import enum
import pickle
import sys
import unittest

from harness import command
from remade import Remade, picture


class Enums(Remade):
    def of(self, base, body, name='E'):
        return 'import enum\nclass %s(enum.%s):\n%s    def v(self): return self.value\n' % (name, base, body)

    def test_added(self):
        for number, base in enumerate(('Enum', 'IntEnum')):
            def check(m, held, entry):
                a, kind = held
                self.assertEqual((m.E is kind, m.E.A is a, m.E(1) is a, m.E(2) is m.E.B, m.E['B'] is m.E.B), (True,) * 5)
                self.assertEqual((list(m.E), len(m.E), m.E.B.v(), m.E.B in m.E), ([a, m.E.B], 2, 2, True))
                self.assertEqual((m.E.C is a, repr(m.E.B), m.E.B.__class__ is kind), (True, '<E.B: 2>', True))
                self.assertIs(pickle.loads(pickle.dumps(m.E.B)), m.E.B)
                self.assertEqual([one for one in entry['added'] if one[:2] == 'E.'], ['E.B', 'E.C'])
            self.three_ways(self.of(base, '    A = 1\n'), self.of(base, '    A = 1\n    B = 2\n    C = 1\n'),
                            lambda m: (m.E.A, m.E), check)
            del sys.modules['m'], sys.modules['z']

    def test_removed_and_swapped(self):
        m = self.start(self.of('Enum', '    A = 1\n    B = 2\n'))
        a, b = m.E.A, m.E.B
        entry = self.edit(self.of('Enum', '    A = 1\n'))
        self.assertEqual((list(m.E), hasattr(m.E, 'B'), b.value, isinstance(b, m.E)), ([a], False, 2, True))
        self.assertEqual(entry['removed'], ['E.B'])
        with self.assertRaises(ValueError):
            m.E(2)
        self.edit(self.of('Enum', '    B = 1\n    A = 2\n'))
        self.assertEqual((m.E.A is a, a.value, m.E(2) is a, m.E(1) is m.E.B, [one.name for one in m.E]),
                         (True, 2, True, True, ['B', 'A']))

    def test_value(self):
        def check(m, held, entry):
            self.assertEqual((m.E.A is held[0], held[0].value, m.E(5) is held[0], held[0].v()), (True, 5, True, 5))
            with self.assertRaises(ValueError):
                m.E(1)
        self.three_ways(self.of('Enum', '    A = 1\n'), self.of('Enum', '    A = 5\n'), lambda m: (m.E.A,), check)

    def test_one_member_becomes_two(self):
        for base in ('Enum', 'IntEnum', 'Flag'):
            def check(m, held, entry):
                a, kind = held
                self.assertEqual((m.E.A is a, a.value, m.E(2) is a, m.E.B.value, m.E(4) is m.E.B, list(m.E)),
                                 (True, 2, True, 4, True, [a, m.E.B]))
                self.assertEqual([one['name'] for one in entry['kept_old']], ['E.B'])
            self.three_ways(self.of(base, '    A = 2\n    B = 2\n'), self.of(base, '    A = 2\n    B = 4\n'),
                            lambda m: (m.E.A, m.E), check)
            del sys.modules['m'], sys.modules['z']

    def test_two_members_become_one(self):
        def check(m, held, entry):
            a, b = held
            self.assertEqual((m.E.A is a, m.E.B is a, list(m.E), b.value), (True, True, [a], 4))
            self.assertEqual([one['name'] for one in entry['kept_old']], ['E.B'])
        self.three_ways(self.of('Enum', '    A = 2\n    B = 4\n'), self.of('Enum', '    A = 2\n    B = 2\n'),
                        lambda m: (m.E.A, m.E.B), check)

    def test_other_names_go_on_alone(self):
        m = self.start(self.of('Enum', '    A = 2\n    B = 2\n    C = 2\n'))
        a = m.E.A
        self.edit(self.of('Enum', '    B = 2\n    C = 3\n'))
        self.assertEqual((m.E.B is a, a.name, m.E.C is a, m.E.C.value, [one.name for one in m.E]), (True, 'B', False, 3, ['B', 'C']))

    def test_value_that_cannot(self):
        m = self.start(self.of('IntEnum', '    A = 1\n'))
        was = picture(m.E)
        self.write(m='import sys\nsys.ran = True\n' + self.of('IntEnum', '    A = 5\n    B = 6\n'))
        error = self.refused(self.attempt(), 'refused')
        self.assertIn('E.A is another value', error['message'])
        self.assertEqual((error['line'], error['hint'], hasattr(sys, 'ran')), (4, '--keep E leaves the class as it is', False))
        self.assertEqual((picture(m.E), m.E.A + 1), (was, 2))

    def test_bases_that_cannot(self):
        m = self.start(self.of('Enum', '    A = 1\n'))
        self.write(m=self.of('IntEnum', '    A = 1\n'))
        self.refused(self.attempt(), 'refused')
        self.assertIs(type(m.E.A.value), int)

    def test_flags(self):
        for base in ('Flag', 'IntFlag'):
            def check(m, held, entry):
                a, b, both = held
                self.assertEqual((m.E.A | m.E.B is both, m.E(3) is both, m.E.A is a, m.E.ALL.value, m.E.C.value),
                                 (True, True, True, 7, 4))
                self.assertEqual((~m.E.A & m.E.ALL, m.E.C | m.E.A | m.E.B is m.E.ALL, a in m.E.ALL), (b | m.E.C, True, True))
                self.assertEqual(m.E.C & a, m.E(0))
            self.three_ways(self.of(base, '    A = 1\n    B = 2\n'), self.of(base, '    A = 1\n    B = 2\n    C = 4\n    ALL = 7\n'),
                            lambda m: (m.E.A, m.E.B, m.E.A | m.E.B), check)
            del sys.modules['m'], sys.modules['z']

    def test_a_combination_gets_a_name(self):
        m = self.start(self.of('Flag', '    A = 1\n    B = 2\n'))
        both = m.E.A | m.E.B
        self.edit(self.of('Flag', '    A = 1\n    B = 2\n    AB = 3\n'))
        self.assertEqual((m.E.AB is both, both.name, m.E.A | m.E.B is both), (True, 'AB', True))

    def test_auto(self):
        text = 'import enum\nclass E(enum.Enum):\n%s'
        m = self.start(text % '    A = enum.auto()\n    C = enum.auto()\n')
        c = m.E.C
        self.edit(text % '    A = enum.auto()\n    B = enum.auto()\n    C = enum.auto()\n')
        self.assertEqual((m.E.C is c, c.value, m.E(2) is m.E.B, m.E(3) is c), (True, 3, True, True))

    def test_attributes_of_members(self):
        text = 'import enum\nclass P(enum.Enum):\n    E = (1, 2)\n%s    def __init__(self, a, b): self.a, self.b = a, b\n' \
               '    @property\n    def s(self): return self.a * %d + self.b\n'
        m = self.start(text % ('', 1))
        e = m.P.E
        self.edit(text % ('    M = (3, 4)\n', 1))
        self.assertEqual((m.P.M.s, m.P.E is e, m.P((3, 4)) is m.P.M), (7, True, True))
        self.edit((text % ('    M = (3, 4)\n', 10)).replace('(1, 2)', '(5, 6)'))
        self.assertEqual((m.P.M.s, e.s, e.value), (34, 56, (5, 6)))

    def test_functional(self):
        text = 'import enum\nE = enum.Enum("E", "%s")\n'
        m = self.start(text % 'A')
        a = m.E.A
        self.edit(text % 'A B')
        self.assertEqual((m.E.A is a, m.E(2) is m.E.B), (True, True))

    def test_method_beside_a_member(self):
        m = self.start(self.of('Enum', '    A = 1\n'))
        a, bound = m.E.A, m.E.A.v
        self.edit(self.of('Enum', '    A = 1\n    B = 2\n').replace('self.value', 'self.value * 10'))
        self.assertEqual((a.v(), bound(), m.E.B.v()), (10, 10, 20))

    def test_members_go_on_in_the_library(self):
        m = self.start(self.of('Enum', '    A = 1\n'))
        self.edit(self.of('Enum', '    A = 1\n    B = 2\n'))
        self.assertEqual(list(m.E.__members__), ['A', 'B'])
        self.assertTrue(enum.unique(m.E) is m.E)
        with self.assertRaises(AttributeError):
            m.E.A = 3

    def test_undo_of_what_was_another_kind_of_class(self):
        before = 'import collections\nE = collections.namedtuple("E", "a")\n'
        m = self.start(before)
        kind = m.E
        self.edit(self.of('Enum', '    A = 1\n'))
        self.assertEqual(m.E.A.value, 1)
        self.write(m=before)
        answer = command('undo')
        self.assertEqual((answer['status'], m.E is kind, hasattr(m, 'enum')), (0, True, False))
        self.assertIn('the instances of E that were made since', self.entry(answer)['warnings'][0])
        self.assertEqual(([one for one in command('stale')['modules'] if one['state'] == 'stale'], len(command('history')['history'])),
                         ([], 2))


if __name__ == '__main__':
    unittest.main()

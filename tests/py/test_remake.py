# SPDX-License-Identifier: MIT
"""Classes whose bases, keywords, decorators, metaclass, slots or fields change: what stays, what follows, and
that all of it is put back when another module fails, and undone."""
import gc
import pickle
import sys
import unittest

from harness import command
from remade import Remade

NEW = sys.version_info
AB = 'class A:\n    def a(self): return "A"\nclass B:\n    def a(self): return "B"\n    def b(self): return "b"\n'


def keeps_class():
    """Whether this CPython lets a class that derives from object alone get another base: 3.15 does."""
    class Base:
        pass

    class Kind:
        pass
    try:
        Kind.__bases__ = (Base,)
    except TypeError:
        return False
    return True


class Members(Remade):
    def test_methods_that_are_wrapped_by_their_names(self):
        m = self.start('class K: pass\n')
        self.edit('class K:\n    def __new__(cls, *given): return super().__new__(cls)\n    def __init__(self, *given): pass\n'
                  '    def __init_subclass__(cls): cls.seen = True\n    def __class_getitem__(cls, item): return item\n')
        self.assertTrue(type('L', (m.K,), {}).seen and m.K(1))
        if NEW >= (3, 7):
            self.assertEqual(m.K[2], 2)

    def test_in_a_branch_that_did_not_run(self):
        m = self.start('X = 1\nif not X:\n    class K:\n        a = 1\nclass L:\n    if not X:\n        class K:\n            a = 1\n')
        self.edit('X = 2\nif not X:\n    class K:\n        a = 2\nclass L:\n    if not X:\n        class K:\n            a = 2\n')
        self.assertEqual((m.X, hasattr(m, 'K'), hasattr(m.L, 'K')), (2, False, False))

    def test_out_of_a_branch_that_did_not_run(self):
        m = self.start('X = 0\nif X:\n    class K:\n        def f(self): return 1\nZ = 1\n')
        self.edit('X = 0\nclass K:\n    a = 3\n    def f(self): return 2\nZ = 1\n')
        self.assertEqual((m.K().f(), m.K.a), (2, 3))

    def test_names_that_a_statement_reads_before_it_binds_them(self):
        text = 'import re\nclass K:\n    def re(self, a=re.%s): return a\n    def type(self, kind=type, more=%d): return kind\n'
        m = self.start(text % ('match', 1))
        self.edit(text % ('split', 2))
        self.assertEqual((m.K().re().__name__, m.K().type()), ('split', type))

    def test_a_class_with_an_older_name(self):
        m = self.start('from typing import Optional\nclass K:\n    a = 1\nOptional = K\n')
        self.edit('from typing import Optional\nclass K:\n    a = 2\nOptional = K\n')
        self.assertEqual((m.K.a, m.Optional is m.K), (2, True))

    def test_a_class_that_left_and_is_held_by_another(self):
        m = self.start('class P:\n    def f(self): return 1\nclass K:\n    a = 1\nK.p = P\n')
        self.edit('class K:\n    a = 2\n')
        self.assertEqual((m.K.a, m.K.p().f(), hasattr(m, 'P')), (2, 1, False))

    def test_fields_of_a_named_tuple_are_foreseen(self):
        text = 'import typing\nclass K(typing.NamedTuple):\n    a: int\n'
        self.start(text)
        self.write(m=text + '    b: int\n')
        planned, done = (self.entry(self.reload(dry_run=dry)) for dry in (True, False))
        self.assertEqual((planned['added'], planned['changed']), (done['added'], done['changed']))

    @unittest.skipIf(NEW < (3, 7), 'has no dataclasses')
    def test_frozen_dataclass_stays_frozen(self):
        text = 'import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass K:\n    a: int = 1\n'
        m = self.start(text)
        held = m.K()
        self.edit(text + '    b: int = 2\n')
        for one in held, m.K():
            for name in 'a', 'b', 'c':
                self.assertRaises(sys.modules['dataclasses'].FrozenInstanceError, setattr, one, name, 3)



class Bases(Remade):
    def test_swapped(self):
        def check(m, held, entry):
            k, kind, bound = held
            self.assertEqual((k.a(), bound(), m.K is kind, m.K.__bases__, entry['kept_old']), ('B', 'B', True, (m.B,), []))
            self.assertEqual(entry['changed'], ['K'])
        self.three_ways(AB + 'class K(A):\n    def c(self): return self.a()\n', AB + 'class K(B):\n    def c(self): return self.a()\n',
                        lambda m: (m.K(), m.K, m.K().c), check)

    def test_swapped_with_members(self):
        def check(m, held, entry):
            self.assertEqual((held[0].n(), held[0].a(), m.K.x), ('b', 'B!', 2))
        self.three_ways(AB + 'class K(A):\n    x = 1\n', AB + 'class K(B):\n    x = 2\n    def n(self): return self.b()\n'
                        '    def a(self): return super().a() + "!"\n', lambda m: (m.K(),), check)

    def test_added_and_removed(self):
        plain = AB + 'class K:\n    x = 1\n    def m(self): return %s\nclass S(K):\n    def m(self): return super().m()\n'
        based = plain.replace('class K:', 'class K(B):')

        def check(m, held, entry):
            k, s, bound = held
            self.assertEqual((k.b(), s.b(), k.m(), s.m(), bound(), m.S().m()), ('b', 'b', 'B', 'B', 'B', 'B'))
            self.assertTrue(isinstance(k, m.K) and isinstance(s, m.K) and isinstance(bound.__self__, m.B))
            self.assertEqual([one['name'] for one in entry['kept_old']], [] if keeps_class() else ['K'])
        self.three_ways(plain % '1', based % 'super().a()', lambda m: (m.K(), m.S(), m.K().m), check)
        m = sys.modules['m']
        k = m.K()
        self.edit(based % '2')
        self.assertEqual(k.b(), 'b')
        self.edit(plain % '3')
        self.assertEqual((k.m(), hasattr(k, 'b'), type(k) is m.K, m.K.__bases__), (3, False, True, (object,)))

    def test_state_of_the_class_goes_over(self):
        m = self.start('import abc\nclass B: pass\nclass K(abc.ABC):\n    n = 0\n    r = []\n')
        m.K.n, m.K.extra = 5, 6
        m.K.r.append(1)
        m.K.register(int)
        self.edit('import abc\nclass B: pass\nclass K(B, abc.ABC):\n    n = 0\n    r = []\n')
        self.assertEqual((m.K.n, m.K.r, m.K.extra, isinstance(1, m.K)), (5, [1], 6, True))
        plain = 'class B: pass\nclass K%s:\n    n = 0\n'
        del sys.modules['m']
        m = self.start(plain % '')
        m.K.n, m.K.extra = 5, 6
        self.edit(plain % '(B)')
        self.assertEqual((m.K.n, m.K.extra, m.K.__bases__), (5, 6, (m.B,)))

    def test_importers_and_pickles_follow(self):
        self.write(n='from m import K\ndef make(): return K()\n')
        m = self.start(AB + 'class K: pass\n')
        n, k = self.load('n'), m.K()
        entry = self.edit(AB + 'class K(B): pass\n')
        self.assertEqual((n.K is m.K, isinstance(n.make(), m.B), entry['rebound']),
                         (True, True, [] if keeps_class() else ['n.K']))
        self.assertIs(type(pickle.loads(pickle.dumps(k))), m.K)

    def test_nested(self):
        text = AB + 'class O:\n    x = 1\n    class K%s:\n        def c(self): return 1\n'
        m = self.start(text % '(A)')
        k, m.O.x = m.O.K(), 5
        self.edit(text % '(B)')
        self.assertEqual((k.b(), type(k) is m.O.K, m.O.x), ('b', True, 5))
        self.edit(text % '')
        self.assertEqual((hasattr(k, 'b'), type(k) is m.O.K, m.O.K.__qualname__, k.c()), (False, True, 'O.K', 1))

    def test_new_base_in_the_same_edit(self):
        m = self.start('class A: pass\nclass K(A): pass\n')
        k = m.K()
        self.edit('class A: pass\nclass N:\n    def n(self): return 1\nclass K(N): pass\n')
        self.assertEqual(k.n(), 1)

    def test_what_a_new_class_hears(self):
        text = 'R = []\nclass A: pass\nclass P:\n    def __init_subclass__(cls, **more):\n        R.append((cls, more))\n' \
               '        cls.mark = len(R)\nclass K(%s): pass\n'
        m = self.start(text % 'A')
        self.edit(text % 'P')
        self.assertEqual((m.R, m.K.mark), ([(m.K, {})], 1))
        self.edit(text % 'P, flag=2')
        self.assertEqual((m.R[1:], m.K.mark), ([(m.K, {'flag': 2})], 2))
        command('undo')
        self.assertEqual(m.K.mark, 1)

    def test_generic(self):
        if NEW < (3, 7):
            self.skipTest('typing has a metaclass')
        text = 'import typing\nT = typing.TypeVar("T")\nclass A: pass\nclass K(A%s): pass\n'
        m = self.start(text % '')
        k = m.K()
        self.edit(text % ', typing.Generic[T]')
        self.assertIs(m.K[int].__origin__, m.K)
        self.assertIsInstance(k, m.K)

    def test_metaclass(self):
        text = 'class M(type):\n    def x(cls): return 1\nclass A:\n    def a(self): return "a"\nclass K(A%s): pass\n'
        m = self.start(text % '')
        k = m.K()
        self.edit(text % ', metaclass=M')
        self.assertEqual((m.K.x(), type(k) is m.K, k.a()), (1, True, 'a'))

    def test_bases_that_contradict(self):
        m = self.start(AB + 'class K(A): pass\n')
        self.write(m=AB + 'class K(object, A): pass\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual(m.K.__bases__, (m.A,))

    def test_frozen_instances(self):
        if not hasattr(gc, 'freeze'):
            self.skipTest('no gc.freeze')
        m = self.start(AB + 'class K: pass\n')
        k = m.K()
        gc.freeze()
        try:
            self.edit(AB + 'class K(B): pass\n')
            self.assertTrue(gc.get_freeze_count())
        finally:
            gc.unfreeze()
        self.assertEqual(k.b(), 'b')


class Layouts(Remade):
    TEXT = 'class K:\n    __slots__ = (%s)\n    def o(self): return %d\nclass S(K): pass\n'

    def test_slots(self):
        def check(m, held, entry):
            new = m.K()
            new.b = 1
            self.assertEqual((held[0].o(), held[1](), new.o(), type(held[0]) is m.K), (2, 2, 2, False))
            said = [one['reason'] for one in entry['kept_old']]
            self.assertTrue(any('instances that keep the old class' in one for one in said), said)
            self.assertIn('S', [one['name'] for one in entry['kept_old']])
        self.three_ways(self.TEXT % ('"a",', 1), self.TEXT % ('"a", "b"', 2), lambda m: (m.K(), m.K().o), check)

    def test_slots_without_instances(self):
        m = self.start('class K:\n    __slots__ = ("a",)\n')
        entry = self.edit('class K:\n    __slots__ = ("b",)\n')
        self.assertEqual((m.K.__slots__, hasattr(m.K, 'a'), [one['name'] for one in entry['kept_old']]), (('b',), False, ['K']))

    def test_the_walks_for_instances_are_counted(self):
        m = self.start('class K:\n    __slots__ = ("a",)\n')
        kept = m.K()
        self.write(m='class K:\n    __slots__ = ("b",)\n')
        self.assertGreater(self.reload()['heap']['walks'], 0)
        self.assertIsNot(type(kept), m.K)

    def test_subclasses_are_built_again(self):
        text = 'class M(type):\n    def x(cls): return 1\nclass K%s:\n    %s\nclass S(K):\n    n = 1\n    def m(self): return self.n\n'
        m = self.start(text % ('', 'y = 1'))
        m.S.n = 5
        entry = self.edit(text % ('', '__slots__ = ("a",)'))
        self.assertTrue(issubclass(m.S, m.K))
        self.assertEqual((m.S().m(), [one['name'] for one in entry['kept_old']]), (5, ['S', 'K']))
        command('undo')
        s = m.S()
        self.write(m=text % ('(metaclass=M)', 'y = 1'))
        self.reload()
        self.assertEqual((m.S.x(), issubclass(m.S, m.K), type(s) is m.S, s.m()), (1, True, True, 5))
        command('undo')
        self.assertEqual((type(m.S), type(s) is m.S, s.m()), (type, True, 5))

    def test_slots_gone_and_come(self):
        m = self.start('class K:\n    x = 1\n')
        k = m.K()
        self.edit('class K:\n    __slots__ = ()\n    x = 1\n')
        self.assertFalse(hasattr(m.K(), '__dict__'))
        self.edit('class K:\n    x = 2\n')
        self.assertEqual((m.K.x, k.x), (2, 1))

    def test_invisible_instances(self):
        m = self.start(AB + 'class K:\n    __slots__ = ()\n    def k(self): return 1\n')
        k = m.K()
        entry = self.edit(AB + 'class K(A):\n    __slots__ = ()\n    def k(self): return 2\n')
        said = any('cannot be found' in one['reason'] for one in entry['kept_old'])
        self.assertEqual(k.k(), 2)
        self.assertTrue(said or any('instances that keep' in one['reason'] for one in entry['kept_old']) or isinstance(k, m.K))

    def test_a_class_is_not_made_by_its_decorators(self):
        m = self.start('def d(c): return c\nclass K: pass\n')
        self.write(m='def d(c): return 7\n@d\nclass K: pass\n')
        self.refused(self.attempt(), 'refused')
        self.assertIs(type(m.K), type)


class Built(Remade):
    """Classes that decorators, metaclasses of the standard library and namedtuple() build."""

    def test_decorator_added_and_removed(self):
        text = 'import functools\n%sclass K:\n    n = 0\n    def __init__(self, v): self.v = v\n' \
               '    def __eq__(self, o): return self.v == o.v\n    def __lt__(self, o): return self.v < o.v\n'
        m = self.start(text % '')
        k, kind, m.K.n = m.K(1), m.K, 5
        self.edit(text % '@functools.total_ordering\n')
        self.assertTrue(k <= m.K(1) and m.K is kind and m.K.n == 5)
        self.edit(text % '')
        self.assertTrue(m.K is kind and m.K.n == 5)
        with self.assertRaises(TypeError):
            k <= m.K(1)

    def test_what_a_decorator_left_is_named(self):
        text = 'def d(c):\n    c.extra = 1\n    return c\n%sclass K: pass\n'
        m = self.start(text % '@d\n')
        entry = self.edit(text % '')
        self.assertEqual((m.K.extra, entry['warnings']), (1, ['K: left alone, set by the program or by a decorator that is gone: extra']))

    def test_total_ordering(self):
        text = 'import functools\n@functools.total_ordering\nclass K:\n    def __eq__(self, o): return True\n    def __lt__(self, o): return %s\n'

        def check(m, held, entry):
            self.assertEqual((held[0] <= m.K(), held[0] >= m.K(), held[0] < m.K()), (True, False, True))
        self.three_ways(text % 'False', text % 'True', lambda m: (m.K(), m.K), check)

    def test_dataclass(self):
        if NEW < (3, 7):
            self.skipTest('no dataclasses')
        text = 'import dataclasses\n@dataclasses.dataclass%s\nclass K:\n    a: int = 1\n%s    def s(self): return super().__repr__()[:2]\n'

        def check(m, held, entry):
            self.assertEqual((repr(m.K()), held[0].b, m.K is held[1], held[0].s()), ('K(a=1, b=2)', 2, True, '<m'))
        self.three_ways(text % ('', ''), text % ('', '    b: int = 2\n'), lambda m: (m.K(), m.K), check)
        m = sys.modules['m']
        k = m.K()
        self.edit(text % ('(frozen=True)', ''))
        with self.assertRaises(AttributeError):
            k.a = 5
        if NEW >= (3, 10):
            self.edit(text % ('(slots=True)', ''))
            self.assertEqual((hasattr(m.K(), '__dict__'), k.a), (False, 1))
            self.edit(text % ('(slots=True)', '    b: int = 2\n'))
            self.assertEqual(m.K().b, 2)

    def test_namedtuple(self):
        text = 'import collections\nN = collections.namedtuple("N", "%s")\n'

        def check(m, held, entry):
            n, kind = held
            self.assertEqual((m.N(1, 2), m.N is kind, n.a, isinstance(n, m.N)), ((1, 2), True, 1, True))
            self.assertEqual(m.N(1, 2)._asdict(), {'a': 1, 'b': 2})
        self.three_ways(text % 'a', text % 'a b', lambda m: (m.N(1), m.N), check)
        m = sys.modules['m']
        self.edit(text % 'b a')
        self.assertEqual((m.N(1, 2).a, m.N._fields), (2, ('b', 'a')))
        self.edit(text % 'b')
        self.assertFalse(hasattr(m.N, 'a'))

    def test_namedtuple_subclass(self):
        text = 'import collections\nclass N(collections.namedtuple("N", "%s")):\n    def s(self): return sum(self)\n'
        m = self.start(text % 'a')
        n, kind = m.N(1), m.N
        self.edit(text % 'a b')
        self.assertEqual((m.N(1, 2).s(), m.N is kind, n.s(), n.a), (3, True, 1, 1))

    def test_typed_namedtuple(self):
        text = 'import typing\nclass N(typing.NamedTuple):\n    a: int\n%s    def s(self): return sum(self)\n'
        m = self.start(text % '')
        n, kind = m.N(1), m.N
        self.edit(text % '    b: int = 5\n')
        self.assertEqual((m.N(1).s(), m.N(1, 2).b, m.N is kind, n.s(), isinstance(n, m.N)), (6, 2, True, 1, True))

    def test_protocol(self):
        if NEW < (3, 8):
            self.skipTest('no Protocol')
        text = 'import typing\n%sclass P(typing.Protocol):\n    def a(self): ...\n%sclass X:\n    def a(self): pass\n' \
               'class Y(X):\n    def b(self): pass\n'
        mark = '@typing.runtime_checkable\n'

        def check(m, held, entry):
            self.assertEqual((isinstance(m.X(), m.P), isinstance(m.Y(), m.P), m.P is held[0]), (False, True, True))
        self.three_ways(text % (mark, ''), text % (mark, '    def b(self): ...\n'),
                        lambda m: (m.P, isinstance(m.X(), m.P)), check)
        m = sys.modules['m']
        self.edit(text % ('', ''))
        with self.assertRaises(TypeError):
            isinstance(m.X(), m.P)

    def test_typed_dict(self):
        if NEW < (3, 8):
            self.skipTest('no TypedDict')
        text = 'import typing\nclass D(typing.TypedDict):\n    a: int\n%s'
        m = self.start(text % '')
        kind = m.D
        self.edit(text % '    b: int\n')
        self.assertEqual((sorted(m.D.__annotations__), m.D is kind, m.D(a=1, b=2)), (['a', 'b'], True, {'a': 1, 'b': 2}))

    def test_metaclass_of_the_program(self):
        text = 'class M(type):\n    R = []\n    def __new__(m, n, b, d):\n        m.R.append(n)\n        return super().__new__(m, n, b, d)\n' \
               'class K(metaclass=M):\n    x = %d\n    def a(self): return %d\n'
        m = self.start(text % (1, 1))
        k = m.K()
        self.edit(text % (1, 2))
        self.assertEqual((k.a(), m.M.R), (2, ['K']))
        self.write(m=text % (2, 2))
        self.assertIn('metaclass M', self.refused(self.attempt(), 'refused')['message'])
        self.assertEqual((m.K.x, m.M.R), (1, ['K']))

    def test_plain_metaclass_of_the_program(self):
        text = 'class M(type):\n    def x(cls): return 1\nclass K(metaclass=M):\n    x = %d\n'
        m = self.start(text % 1)
        k = m.K()
        self.edit(text % 2)
        self.assertEqual((k.x, type(k) is m.K), (2, True))


class Unknown(Remade):
    """Without a baseline."""

    def setUp(self):
        Remade.setUp(self)
        sys.dont_write_bytecode = True

    def test_an_enum_is_compared_by_values(self):
        text = 'import enum\nclass E(enum.Enum):\n    A = 1\n%s    def v(self): return %d\ndef f(): return %d\n'
        m = self.start(text % ('    B = 2\n', 1, 1))
        a, b = m.E.A, m.E.B
        self.edit(text % ('    B = 2\n', 1, 2))
        self.edit(text % ('    B = 3\n    C = 4\n', 2, 2))
        self.assertEqual((m.f(), m.E.A is a, m.E(3) is b, m.E.C.v()), (2, True, True, 2))
        self.edit(text % ('    C = 4\n', 2, 2))
        self.assertEqual((list(m.E), a.v()), ([a, m.E.C], 2))

    def test_a_class_that_a_call_made_stays(self):
        text = 'import collections\nN = collections.namedtuple("N", "a")\nclass L: pass\ndef f(): return %d\n'
        m = self.start(text % 1)
        kind = m.N
        self.edit((text % 2).replace('class L: pass\n', ''))
        self.assertEqual((m.N is kind, hasattr(m, 'L'), m.f()), (True, False, 2))

    def test_fields(self):
        text = 'import typing\nclass N(typing.NamedTuple):\n    a: int = 1\n%s'
        m = self.start(text % '')
        kind = m.N
        self.edit(text % '    b: int = 2\n')
        self.assertEqual((m.N(), m.N is kind), ((1, 2), True))
        self.edit((text % '    b: int = 2\n').replace('= 1', '= 5'))
        self.assertEqual(m.N(), (5, 2))

    def test_slots_and_bases_are_the_source_s(self):
        m = self.start(AB + 'class K:\n    __slots__ = ("a",)\nclass L(A): pass\n')
        l = m.L()
        self.edit(AB + 'class K:\n    __slots__ = ("b",)\nclass L(B): pass\n')
        self.assertEqual((m.K.__slots__, l.a()), (('b',), 'B'))


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Cases: classes and their instances."""
from cases import K1, K2, case

case('method_live', K1, K2, 'k = m.K(); b = k.a', 'k.a(), b(), m.K().a()', (2, 2, 2))
case('class_identity', K1, K2, 'K = m.K; k = K()', 'isinstance(k, m.K), isinstance(m.K(), K), K is m.K', (True,) * 3)
case('weakref_class', K1, K2, 'import weakref; w = weakref.ref(m.K)', 'w() is m.K', True)
case('method_added', K1, K1 + '    def b(self): return 9\n', 'k = m.K()', 'k.b()', 9)
case('method_removed', K1 + '    def b(self): return 9\n', K1, 'k = m.K()', 'hasattr(k, "b")', False)
case('inherited_override_removed', 'class A:\n    def a(self): return "A"\nclass K(A):\n    def a(self): return "K"\n',
     'class A:\n    def a(self): return "A"\nclass K(A):\n    pass\n', 'k = m.K()', 'k.a()', 'A')
case('method_swapped_names', 'class K:\n    def a(self): return "a"\n    def b(self): return "b"\n',
     'class K:\n    def a(self): return "b"\n    def b(self): return "a"\n', 'k = m.K(); h = k.a', 'k.a(), k.b(), h()',
     ('b', 'a', 'b'))
case('static_class_methods', 'class K:\n    @staticmethod\n    def s(): return 1\n    @classmethod\n    def c(cls): return 1\n',
     'class K:\n    @staticmethod\n    def s(): return 2\n    @classmethod\n    def c(cls): return 2\n',
     'k = m.K(); s = m.K.s; c = m.K.c', 'k.s(), k.c(), s(), c()', (2, 2, 2, 2))
case('property_body', 'class K:\n    @property\n    def p(self): return 1\n', 'class K:\n    @property\n    def p(self): return 2\n',
     'k = m.K()', 'k.p', 2)
P = 'class K:\n    @property\n    def p(self): return self.v\n    @p.setter\n    def p(self, v): self.v = v * %d\n'
case('property_setter', P % 1, P % 2, 'k = m.K()', 'setattr(k, "p", 4) or k.p', 8)
case('property_to_method', 'class K:\n    @property\n    def p(self): return 1\n', 'class K:\n    def p(self): return 2\n',
     'k = m.K()', 'k.p()', 2)
# Bound before, it passes what it was bound to: the new code would take that for something else.
case('methods_of_other_kinds',
     'class K:\n    def m(self): return 1, self\n    @classmethod\n    def c(cls): return 1, cls\n    @staticmethod\n    def s(*a): return 1, a\n',
     'class K:\n    @classmethod\n    def m(cls): return 2, cls\n    def c(self): return 2, self\n    def s(self): return 2, self\n',
     'K = m.K; k = K(); held, c, s = k.m, k.c, K.s', 'held() == (1, k), c() == (1, K), s(k) == (2, k), k.m() == (2, K), '
     'k.c() == (2, k), k.s() == (2, k)', (True,) * 6)
case('method_to_static', 'class K:\n    def s(self): return 1\n', 'class K:\n    @staticmethod\n    def s(): return 2\n',
     'k = m.K()', 'k.s()', 2)
case('cached_property', 'import functools\nclass K:\n    @functools.cached_property\n    def p(self): return 1\n',
     'import functools\nclass K:\n    @functools.cached_property\n    def p(self): return 2\n', 'k = m.K()', 'k.p', 2, (3, 8))
case('class_attr_changed', 'class K:\n    x = 1\n', 'class K:\n    x = 2\n', 'K = m.K; k = K()', 'k.x, K.x', (2, 2))
case('class_attr_runtime_state', 'class K:\n    x = 0\n    def a(self): return 1\n',
     'class K:\n    x = 0\n    def a(self): return 2\n', 'm.K.x = 5', 'm.K.x, m.K().a()', (5, 2))
case('init_changed_attr', 'class K:\n    def __init__(self): self.a = 1\n',
     'class K:\n    def __init__(self):\n        self.a = 1\n        self.b = 2\n', 'k = m.K()',
     'getattr(k, "b", "missing"), m.K().b', ('missing', 2))
SHOWN = 'class K:\n    x = %d\n    @classmethod\n    def c(cls): pass\n    def a(self): return %d\n%sK.__module__ = "other"\n'
case('shown_as_another_modules', SHOWN % (1, 1, ''), SHOWN % (2, 2, '    def b(self): return 3\n'), 'k = m.K()',
     'k.x, k.a(), k.b(), m.K.__module__', (2, 2, 3, 'other'))
OLD_WAYS = """import abc, functools
class own:
    __isabstractmethod__ = True
class K(abc.ABC):
    @abc.abstractproperty
    def p(self): pass
    @abc.abstractclassmethod
    def c(self): pass
    @abc.abstractstaticmethod
    def s(): pass
    o = own()
    def a(self): return %d
"""
case('abstract_in_other_ways', OLD_WAYS % 1, OLD_WAYS % 2, 'a = m.K.a', 'sorted(m.K.__abstractmethods__), a(0)', (list('cops'), 2))
DISPATCHED = OLD_WAYS + '    @functools.singledispatchmethod\n    @abc.abstractmethod\n    def d(self, a): pass\n'
case('abstract_and_dispatched', DISPATCHED % 1, DISPATCHED % 2, 'a = m.K.a', 'sorted(m.K.__abstractmethods__)', list('cdops'), (3, 8))
case('base_added', 'class B:\n    def b(self): return "b"\nclass K: pass\n',
     'class B:\n    def b(self): return "b"\nclass K(B): pass\n', 'k = m.K()', 'k.b(), isinstance(k, m.B)', ('b', True))
AB = 'class A:\n    def a(self): return "A"\nclass B:\n    def a(self): return "B"\n'
case('base_swapped', AB + 'class K(A): pass\n', AB + 'class K(B): pass\n', 'k = m.K()', 'k.a(), m.K().a()', ('B', 'B'))
case('slots_added', 'class K:\n    __slots__ = ("a",)\n    def o(self): return "ok"\n',
     'class K:\n    __slots__ = ("a", "b")\n    def o(self): return "ok"\n', 'k = m.K()',
     'setattr(m.K(), "b", 1), k.o()', (None, 'ok'))
case('private_mangling', 'class K:\n    def __init__(self): self.__v = 1\n    def a(self): return self.__v\n',
     'class K:\n    def __init__(self): self.__v = 1\n    def a(self): return self.__v + 1\n', 'k = m.K()', 'k.a()', 2)
case('private_mangling_added', 'class K:\n    def __init__(self): self.__v = 1\n',
     'class K:\n    def __init__(self): self.__v = 1\n    def __p(self): return self.__v\n    def a(self): return self.__p()\n',
     'k = m.K()', 'k.a()', 1)
case('class_scope_default', 'class K:\n    z = 2\n    def a(self, b=10 + z): return b\n',
     'class K:\n    z = 2\n    def a(self, b=11 + z): return b\n', 'k = m.K()', 'k.a()', 13)
case('nested_class', 'class K:\n    class I:\n        def a(self): return 1\n',
     'class K:\n    class I:\n        def a(self): return 2\n', 'i = m.K.I()', 'i.a()', 2)
case('nested_class_member', 'class K:\n    class I:\n        x = 1\n', 'class K:\n    class I:\n        x = 2\n        y = 3\n',
     'i = m.K.I()', 'i.x, i.y', (2, 3))
case('set_name', 'class D:\n    def __set_name__(self, o, n): self.n = n\n    def __get__(self, i, o): return self.n\n'
     'class K: pass\n', 'class D:\n    def __set_name__(self, o, n): self.n = n\n    def __get__(self, i, o): return self.n\n'
     'class K:\n    b = D()\n', 'k = m.K()', 'k.b, m.K.b', ('b', 'b'))
case('init_subclass_dup', 'R = []\nclass B:\n    def __init_subclass__(cls): R.append(cls)\nclass K(B):\n    def a(self): return 1\n',
     'R = []\nclass B:\n    def __init_subclass__(cls): R.append(cls)\nclass K(B):\n    def a(self): return 2\n',
     'K = m.K', 'len(m.R), m.R[0] is m.K, K().a()', (1, True, 2))
S = 'class A:\n    def a(self): return 1\nclass K(A):\n    def a(self): return %s\n    def o(self): return %d\n'
case('super_zero_arg', S % ('super().a() + 10', 1), S % ('super().a() + 20', 1), 'k = m.K(); b = k.a',
     'k.a(), m.K().a(), b()', (21, 21, 21))
case('super_added', S % ('5', 1), S % ('super().a() + 20', 1), 'k = m.K(); b = k.a', 'k.a(), m.K().a(), b()', (21, 21, 21))
case('super_added_unheld', S % ('5', 1), S % ('super().a() + 20', 1), 'k = m.K()', 'k.a(), m.K().a()', (21, 21))
case('super_new_method', S % ('5', 1), S % ('5', 1) + '    def n(self): return super().a() + 1\n', 'k = m.K()', 'k.n()', 2)
case('super_other_edit', S % ('super().a() + 10', 1), S % ('super().a() + 10', 2), 'k = m.K(); b = k.a',
     'k.a(), b(), k.o()', (11, 11, 2))
case('super_class_identity_new_instances', 'class A:\n    def __init__(self): self.x = 1\nclass K(A):\n'
     '    def __init__(self): super().__init__()\n    def a(self): return self.x\n',
     'class A:\n    def __init__(self): self.x = 1\nclass K(A):\n    def __init__(self): super().__init__()\n'
     '    def a(self): return self.x + 1\n', 'K = m.K; k = K()', 'K().a(), k.a(), isinstance(K(), m.K)', (2, 2, True))
case('subclass_other_module', {'m': K1, 'n': 'import m\nclass S(m.K):\n    def a(self): return super().a() + 10\n'},
     {'m': K2}, 's = n.S()', 's.a(), n.S().a(), issubclass(n.S, m.K)', (12, 12, True))
case('subclass_other_explicit_super', {'m': K1, 'n': 'import m\nclass S(m.K):\n    def a(self): return super(S, self).a()\n'
     '    def o(self): return 1\n'}, {'m': K2, 'n': 'import m\nclass S(m.K):\n    def a(self): return super(S, self).a()\n'
     '    def o(self): return 2\n'}, 'S = n.S; s = S()', 's.a(), s.o(), S().a()', (2, 2, 2))
case('class_decorated', 'def d(c): return c\n@d\nclass K:\n    def a(self): return 1\n',
     'def d(c): return c\n@d\nclass K:\n    def a(self): return 2\n', 'K = m.K; k = K()', 'k.a(), K is m.K', (2, True))
case('class_removed', 'class K:\n    def a(self): return 1\ndef f(): return 1\n', 'def f(): return 2\n', 'k = m.K()',
     'm.f(), hasattr(m, "K"), k.a()', (2, False, 1))
DC = 'import dataclasses\n@dataclasses.dataclass%s\nclass K:\n    a: int = 1\n%s    def s(self): return %d\n'
case('dataclass_field', DC % ('', '', 1), DC % ('', '    b: int = 2\n', 1), 'k = m.K(); K = m.K',
     'm.K().b, k.b, isinstance(k, m.K), repr(m.K())', (2, 2, True, 'K(a=1, b=2)'), (3, 7))
case('dataclass_method', DC % ('', '', 1), DC % ('', '', 2), 'k = m.K()', 'k.s(), k == m.K()', (2, True), (3, 7))
case('frozen_dataclass', DC % ('(frozen=True)', '', 1), DC % ('(frozen=True)', '', 2), 'k = m.K()', 'k.s(), k == m.K()',
     (2, True), (3, 7))
E = 'import enum\nclass E(enum.Enum):\n    A = 1\n%s    def v(self): return %d\ndef f(): return %d\n'
case('enum_member_added', E % ('', 1, 1), E % ('    B = 2\n', 1, 1), 'a = m.E.A',
     'm.E.B.value, a is m.E.A, isinstance(m.E.B, m.E), m.E(1) is a', (2, True, True, True))
case('enum_untouched', E % ('', 1, 1), E % ('', 1, 2), 'a = m.E.A', 'm.f(), a is m.E.A', (2, True))
case('enum_method', E % ('', 1, 1), E % ('', 2, 1), 'a = m.E.A', 'a.v(), a is m.E.A', (2, True))
NT = 'import collections\nN = collections.namedtuple("N", "a%s")\ndef f(): return %d\n'
case('namedtuple_field', NT % ('', 1), NT % (' b', 1), 'n = m.N(1)', 'm.N(1, 2).b, isinstance(n, m.N), n.a', (2, True, 1))
case('namedtuple_untouched', NT % ('', 1), NT % ('', 2), 'n = m.N(1)', 'm.f(), isinstance(n, m.N)', (2, True))
NS = 'import collections\nclass N(collections.namedtuple("N", "a")):\n    def s(self): return %d\n'
case('namedtuple_subclass_method', NS % 1, NS % 2, 'n = m.N(1)', 'n.s(), isinstance(n, m.N)', (2, True))
case('metaclass_method', 'class M(type):\n    def x(cls): return 1\nclass K(metaclass=M): pass\n',
     'class M(type):\n    def x(cls): return 2\nclass K(metaclass=M): pass\n', 'K = m.K', 'm.K.x(), K.x(), K is m.K',
     (2, 2, True))
ABC = 'import abc\nclass K(abc.ABC):\n    def a(self): return %d\n%s'
case('abc_registered', ABC % (1, ''), ABC % (2, ''), 'K = m.K; K.register(int)', 'isinstance(1, m.K), K is m.K', (True, True))
case('abstract_added', ABC % (1, ''), ABC % (1, '    @abc.abstractmethod\n    def b(self): pass\n'), 'K = m.K',
     'FAILS(K)', 'TypeError')
case('abstract_removed', ABC % (1, '    @abc.abstractmethod\n    def b(self): pass\n'), ABC % (1, ''), 'K = m.K',
     'K().a()', 1)
H = 'import abc\nclass K(abc.ABC):\n    @classmethod\n    def __subclasshook__(cls, c): return %s\n'
case('type_checking_protocol_isinstance_cache', H % True, H % False, 'isinstance(1, m.K)',
     'isinstance(1, m.K), isinstance("", m.K)', (False, False))
PR = 'import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n    def a(self): ...\n%sclass X:\n    def a(self): pass\n'
case('type_alias_protocol', PR % '', PR % '    def b(self): ...\n', 'isinstance(m.X(), m.P)',
     'isinstance(m.X(), m.P), isinstance(m.X(), m.P)', (False, False), (3, 8))
case('singledispatch_ext', {'m': 'import functools\n@functools.singledispatch\ndef f(x): return "base1"\n',
                            'n': 'import m\n@m.f.register(int)\ndef _(x): return "int"\n'},
     {'m': 'import functools\n@functools.singledispatch\ndef f(x): return "base2"\n'}, '', 'm.f(1), m.f("")', ('int', 'base2'))
case('exception_identity', {'m': 'class Err(Exception): pass\ndef f(): raise Err(1)\n',
                            'n': 'from m import Err\ndef t(f):\n    try: f()\n    except Err: return "caught"\n'},
     {'m': 'class Err(Exception): pass\ndef f(): raise Err(2)\n'}, '', 'n.t(m.f)', 'caught')
case('pickle_old_instance', K1, K2, 'import pickle; k = m.K()', 'pickle.loads(pickle.dumps(k)).a()', 2)
case('instance_global', K1 + 'inst = K()\n', K2 + 'inst = K()\n', 'i = m.inst', 'i.a(), i is m.inst', (2, True))
case('class_defined_twice', 'class K:\n    def a(self): return 1\nclass K:\n    def a(self): return 2\n',
     'class K:\n    x = 1\n    def a(self): return 1\nclass K:\n    def a(self): return 3\n', 'k = m.K()',
     'k.a(), hasattr(m.K, "x")', (3, False))
case('members_swapped', 'class K:\n    a = lambda s: 1\n    def a(s): return 2\n', 'class K:\n    def a(s): return 2\n    a = lambda s: 1\n',
     'k = m.K()', 'k.a()', 1)
case('member_bound_again_later', 'class K:\n    x = 1\n    x = 5\n', 'class K:\n    x = 2\n    x = 5\n', '', 'm.K.x', 5)
SET = 'class K:\n    @property\n    def p(self, d=%d): return d\n    @p.setter\n    def p(self, v): self.v = v\n'
case('property_with_setter_default', SET % 1, SET % 2, 'k = m.K()', 'k.p, setattr(k, "p", 3) or k.v', (2, 3))
MADE = 'import collections\nN = collections.namedtuple("N", "a")\nK = type("K", (), {})\n'
case('made_by_call', MADE, MADE + 'D = [N, K]\n', 'N = m.N; K = m.K', 'm.D == [N, K], m.N is N', (True, True))
MAKE = 'def make(n):\n    def f(self): return n\n    return f\nclass K:\n    f = make(%d)\n    p = property(make(%d))\n'
case('members_that_closures_are', MAKE % (3, 3), MAKE % (4, 5), 'k = m.K(); h = k.f', 'k.f(), h(), k.p', (4, 4, 5))
FACTORY = DC.replace('    a: int = 1\n', '    a: %s = dataclasses.field(default_factory=%s)\n')
case('dataclass_default_factory', FACTORY % ('', 'list', 'list', '', 1), FACTORY % ('', 'dict', 'dict', '', 1), 'k = m.K()',
     'm.K().a, k.a', ({}, []), (3, 7))
METHOD = 'def deco(n):\n    def d(f):\n        def w(*a): return n, f(*a)\n        return w\n    return d\n' \
    'class K:\n    @deco(%d)\n    def f(self, a=%d): return a\n'
case('decorator_of_a_method_gets_another_argument', METHOD % (1, 1), METHOD % (2, 1), 'k = m.K(); h = k.f', 'k.f(), h()', ((2, 1),) * 2)
case('default_of_a_decorated_method', METHOD % (1, 1), METHOD % (1, 2), 'k = m.K(); h = k.f', 'k.f(), h()', ((1, 2),) * 2)
TWO = 'import dataclasses\n@dataclasses.dataclass\nclass K:\n    %s: int\n    %s: int\n'
case('dataclass_fields_swapped', TWO % ('a', 'b'), TWO % ('b', 'a'), 'k = m.K(1, 2); K = m.K', 'repr(K(1, 2)), repr(k), m.K is K',
     ('K(b=1, a=2)', 'K(b=2, a=1)', True), (3, 7))
case('dataclass_field_left', TWO % ('a', 'b'), TWO.replace('    %s: int\n', '', 1) % 'b', 'k = m.K(1, 2)', 'repr(m.K(1)), repr(k)',
     ('K(b=1)', 'K(b=2)'), (3, 7))
case('dataclass_field_with_default_left', DC % ('', '    b: int = 2\n', 1), DC % ('', '', 1), 'k = m.K()',
     'repr(k), hasattr(m.K, "b")', ('K(a=1)', False), (3, 7))
case('dataclass_default_left', DC % ('', '    b: int = 2\n', 1), DC.replace(' = 1', '') % ('', '    b: int\n', 1), 'K = m.K',
     'FAILS(K), K(1, 2).b', ('TypeError', 2), (3, 7))
case('dataclass_type', TWO % ('a', 'b'), (TWO % ('a', 'b')).replace('b: int', 'b: str'), '',
     '[one.type for one in m.K.__dataclass_fields__.values()]', [int, str], (3, 7))
case('dataclass_ordered', DC % ('', '', 1), DC % ('(order=True)', '', 1), 'k = m.K(0)', 'k < m.K()', True, (3, 7))
case('dataclass_no_more', DC % ('', '', 1), (DC % ('', '', 1)).replace('@dataclasses.dataclass', '#'), 'k = m.K()', 'k == m.K(), k.a',
     (False, 1), (3, 7))
HEIR = '@dataclasses.dataclass\nclass L(K):\n    c: int = 3\n'
case('fields_of_a_base', DC % ('', '', 1) + HEIR, DC % ('', '    b: int = 2\n', 1) + HEIR, 'l = m.L()', 'repr(m.L()), repr(l), l.b',
     ('L(a=1, b=2, c=3)', 'L(a=1, b=2, c=3)', 2), (3, 7))
TUPLE = 'import typing\nclass N(typing.NamedTuple):\n    %s: int\n    %s: int\n'
case('typed_tuple_fields_swapped', TUPLE % ('a', 'b'), TUPLE % ('b', 'a'), 'n = m.N(1, 2)', 'm.N(1, 2).b, isinstance(n, m.N)', (1, True))
case('annotation_of_a_class_left', 'class K:\n    a: int\n    b: int\n', 'class K:\n    b: int\n', '', 'm.K.__annotations__', {'b': int})
ORDER = 'import enum\nclass E(enum.Enum):\n    %s\n    %s\n'
case('enum_members_swapped', ORDER % ('A = 1', 'B = 2'), ORDER % ('B = 2', 'A = 1'), 'a = m.E.A', 'list(m.E) == [m.E.B, a]', True)
NOTED = 'a: int = 1\n%sdef f(a: int): pass\nclass K:\n    a: int = 1\n%s'
case('annotations_come', NOTED % ('', ''), NOTED % ('b: str = 2\nc: float\n', '    b: str = 2\n'), '',
     'm.__annotations__, m.K.__annotations__, m.K.b', ({'a': int, 'b': str, 'c': float}, {'a': int, 'b': str}, 2))
case('first_annotations', 'X = 1\nclass K:\n    x = 1\n', 'X = 1\na: int = 1\nb: str = 2\nclass K:\n    x = 1\n    a: int = 1\n    b: str = 2\n',
     '', 'm.__annotations__, m.K.__annotations__, m.b', ({'a': int, 'b': str},) * 2 + (2,))
NOTES = DC.replace('    a: int = 1\n', '    %s: int = 1\n    %s: int = 2\n')
case('annotations_of_what_dataclasses_made', NOTES % ('', 'a', 'b', '', 1), NOTES % ('', 'b', 'a', '', 1), '',
     'list(m.K.__init__.__annotations__)', ['b', 'a', 'return'], (3, 7))
case('field_gets_a_default', TWO % ('a', 'b'), (TWO % ('a', 'b')).replace('b: int', 'b: int = 2'), 'k = m.K(1, 5)', 'm.K(1).b, k.b',
     (2, 5), (3, 7))
DOC = 'def f(): return 1\nclass K:\n    %s\n    x = 1\n    def a(self): return %d\n'
case('class_docstring_added', DOC % ('', 1), DOC % ('"new"', 1), 'K = m.K', 'K.__doc__', 'new')
case('class_docstring_changed', DOC % ('"old"', 1), DOC % ('"""new\n\n    more"""', 2), 'k = m.K()',
     '"new" in m.K.__doc__ and "more" in m.K.__doc__, k.a()', (True, 2))
case('class_docstring_removed', DOC % ('"old"', 1), DOC % ('', 1), 'K = m.K', 'K.__doc__', None)
case('class_docstring_of_the_program', DOC % ('"old"', 1) + 'K.__doc__ += "!"\n', DOC % ('"old"', 2) + 'K.__doc__ += "!"\n',
     'k = m.K()', 'k.a(), m.K.__doc__', (2, 'old!'))
IF = 'X = 1\nif X:\n    class K:\n        x = %d\nY = 2\nX = 3\n'
case('class_under_if_attr', IF % 1, IF % 2, 'K = m.K', 'K.x, m.K is K', (2, True))
case('enum_member_as_a_default', 'import enum\nclass E(enum.Enum):\n    A = 1\n    def v(self, d=A, e=2): return d\n',
     'import enum\nclass E(enum.Enum):\n    A = 1\n    def v(self, d=A, e=3): return d, e\n', 'a = m.E.A', 'a.v(), m.E.A is a', ((1, 3), True))
MARK = ABC.replace('    def a(self): return %d\n%s', '%s    def b(self): return 1\n')
case('abstract_no_more', MARK % '    @abc.abstractmethod\n', MARK % '', 'K = m.K', 'K().b()', 1)
case('abstract_now', MARK % '', MARK % '    @abc.abstractmethod\n', 'K = m.K', 'FAILS(K)', 'TypeError')
MEMBERS = 'import enum\nclass E(enum.%s):\n    A = %d\n    B = %d\n    C = %d\n'
case('enum_aliases_change', MEMBERS % ('Enum', 1, 1, 3), MEMBERS % ('Enum', 1, 2, 1), 'a = m.E.A; c = m.E.C',
     '[one.value for one in m.E], m.E.A is a, m.E.C is a, m.E.B is a, c.value', ([1, 2], True, True, False, 3))
case('enum_value_that_is_the_member', MEMBERS % ('IntEnum', 1, 2, 3), MEMBERS % ('IntEnum', 1, 2, 4), '', 'm.E.C.value', 3, fails='refused')
case('enum_gets_another_base', MEMBERS % ('Enum', 1, 2, 3), MEMBERS % ('IntEnum', 1, 2, 3), '', 'isinstance(m.E.A, int)', False,
     fails='refused')
case('slots_in_another_order', 'class K:\n    __slots__ = ("a", "b")\n', 'class K:\n    __slots__ = ("b", "a")\n', 'K = m.K', 'm.K is K', True)
case('slots_of_a_class_with_instances', 'class K:\n    __slots__ = ("a",)\nclass L: pass\n',
     'class K:\n    __slots__ = ("b",)\nclass L:\n    __slots__ = ()\n', 'k = m.K(), m.K(); l = m.L()',
     'm.K.__slots__, isinstance(k[0], m.K), hasattr(m.L(), "__dict__")', (('b',), False, False))
case('class_becomes_another', AB + 'K = A\n', AB + 'K = B\n', 'k = m.K()', 'm.K is m.B, k.a()', (True, 'A'))
case('class_becomes_a_constant', K1, 'K = 5\n', 'k = m.K()', 'm.K, k.a()', (5, 1))
case('lambda_to_method', 'class K:\n    a = lambda self, b=1: b\n', 'class K:\n    def a(self, b=1): return b\n', 'k = m.K(); h = k.a',
     'm.K.a.__name__, k.a(), h()', ('a', 1, 1))
case('line_of_a_class_that_moves', 'X = 1\nclass K:\n    pass\n', 'X = 1\n\n\nclass K:\n    pass\n', '', 'm.K.__firstlineno__', 4, (3, 13))
case('class_with_slots_moves_under_if', 'class K:\n    __slots__ = ("a",)\n', 'if True:\n    class K:\n        __slots__ = ("a",)\n',
     'K = m.K; k = K(); k.a = 5', 'm.K is K, k.a, setattr(k, "a", 6), k.a', (True, 5, None, 6))
RETRY = 'def retry(n):\n    def deco(f):\n        def w(*a): return f(*a), n\n        return w\n    return deco\n'
RETRIED = 'from d import retry\nclass K:\n    @retry(%d)\n    def f(self%s): return %s\n    @staticmethod\n    @retry(%d)\n    def s(%s): return %s\n'
case('method_decorated_otherwise_by_another_module', {'d': RETRY, 'm': RETRIED % (1, '', 1, 1, '', 1)},
     {'d': RETRY, 'm': RETRIED % (2, ', x=5', 'x', 2, 'x=5', 'x')}, 'k = m.K(); f = k.f; s = m.K.s; F = m.K.f',
     'k.f(), f(), F(k), m.K.s(), s()', ((5, 2),) * 5)
LRU = 'import functools\nclass K:\n    @functools.lru_cache(%s)\n    def f(self%s): return %s\n'
case('cached_method_decorated_otherwise', LRU % (3, '', 1), LRU % (4, ', x=5', 'x'), 'k = m.K(); f = k.f; F = m.K.f; f()', 'k.f(), f(), F(k)', (5, 5, 5))
SINGLETON = 'class Meta(type):\n    known = {}\n    def __call__(cls):\n        if cls not in Meta.known: Meta.known[cls] = super().__call__()\n' \
    '        return Meta.known[cls]\nclass A(metaclass=Meta):\n    x = %d\nclass B(metaclass=Meta):\n    def b(self): return 7\nclass K(%s):\n%s    n = 0\n'
case('singleton_by_its_metaclass_changes', SINGLETON % (1, 'A', ''), SINGLETON % (2, 'A, B', '    y = 3\n'), 'k = m.K(); m.K.n = 5',
     'm.K() is k, k.x, k.y, k.n, k.b(), list(m.Meta.known) == [m.K]', (True, 2, 3, 5, 7, True))
case('slots_of_a_singleton_by_its_metaclass', SINGLETON % (1, 'metaclass=Meta', '    __slots__ = "a",\n'),
     SINGLETON % (1, 'metaclass=Meta', '    __slots__ = "a", "b"\n    def s(self): return 7\n'), '', 'm.K().s()', 7)
OWN_INIT = 'class K:\n    def __init__(self, a): self.a = a\n    def __repr__(self): return "old"\n    def __eq__(self, o): return False\n    %s\n'
case('class_becomes_a_dataclass', 'import dataclasses\n' + OWN_INIT % 'n = 1', 'import dataclasses\n@dataclasses.dataclass\nclass K:\n    a: int\n    b: int = 2\n',
     'k = m.K(1)', 'repr(m.K(3)), repr(k), m.K(1) == k, hasattr(m.K, "n"), type(k) is m.K', ('K(a=3, b=2)', 'K(a=1, b=2)', True, False, True), (3, 7))
case('class_gets_what_its_decorator_makes', 'def deco(c):\n    c.f = lambda self: 2\n    return c\nclass K:\n    def f(self): return 1\n',
     'def deco(c):\n    c.f = lambda self: 2\n    return c\n@deco\nclass K:\n    pass\n', 'k = m.K()', 'k.f()', 2)
case('property_gets_a_setter', (P % 1)[:(P % 1).index('    @p.s')], P % 1, 'k = m.K(); k.v = 1', 'setattr(k, "p", 4) or k.p', 4)

# SPDX-License-Identifier: MIT
"""Cases beyond the measured ones: what frameworks, tools and people do to functions, classes and modules."""
import os
import py_compile

from cases import F1, F2, K1, K2, case

case('type_parameters', 'def f[T](a: T) -> T: return a, 1\nclass K[T]:\n    def a(self) -> T: return 1\n',
     'def f[T](a: T) -> T: return a, 2\nclass K[T]:\n    def a(self) -> T: return 2\n', 'h = m.f; k = m.K()',
     'h(0), k.a(), h.__type_params__ == m.f.__type_params__', ((0, 2), 2, True), (3, 12))
case('match_and_walrus', 'def f(a):\n    match a:\n        case [x, *_] if (y := x): return y, 1\n',
     'def f(a):\n    match a:\n        case [x, *_] if (y := x): return y, 2\n', 'h = m.f', 'h([5])', (5, 2), (3, 10))
case('two_names_for_one_object', F1, F2, 'import sys; sys.modules["another_name"] = m; h = m.f', 'm.f(), h()', (2, 2))
ODD = 'class Odd:\n    def __eq__(self, other): raise TypeError\n    def __bool__(self): raise TypeError\n    __hash__ = None\n'
case('values_that_cannot_be_compared', ODD + 'X = Odd()\nL = [Odd()]\n' + F1, ODD + 'X = Odd()\nL = [Odd()]\n' + F2, 'x = m.X',
     'm.f(), m.X is x', (2, True))
case('patched_by_mock', F1, F2, 'from unittest import mock; p = mock.patch.object(m, "f"); p.start(); m.f.return_value = "mock"',
     'm.f(), (p.stop(), m.f())[1]', ('mock', 2))
case('callback_of_ctypes', F1, F2, 'import ctypes; c = ctypes.CFUNCTYPE(ctypes.c_int)(m.f)', 'c()', 2)
AUTO = 'import enum\nclass E(enum.Enum):\n%s    B = enum.auto()\n    def v(self): return self.value\n'
case('enum_auto_renumbered', AUTO % '', AUTO % '    A = enum.auto()\n', 'b = m.E.B', 'm.E.A.value, m.E.B.value, m.E.B is b',
     (1, 2, True))
case('branch_switched', 'if True:\n    x = 1\nelse:\n    y = 2\n', 'if False:\n    x = 1\nelse:\n    y = 2\n', '',
     'hasattr(m, "x"), m.y', (False, 2))
# What a branch did not run is no statement that ran and moved.
RAISES = 'try:\n    missing\nexcept NameError:\n    a = 1\nelse:\n    b = 2\n%s%s'
for where, rest in ('last', ''), ('in_between', 'c = 3\n'):
    case('moved_out_of_an_else_' + where, RAISES % ('    x = 1\n', rest), 'x = 1\n' + RAISES % ('', rest), '', 'm.x', 1)
case('moved_out_of_a_branch', 'y = 0\nif y:\n    a = 1\n    x = 1\n', 'y = 0\nx = 1\nif y:\n    a = 1\n', '', 'm.x', 1)
ONCE = 'L = []\ntry:\n    L.append(1)\nexcept NameError as e:\n    a = 1\nelse:\n    b = 2\nc = %d\n'
case('statement_below_an_else', ONCE % 1, ONCE % 2, '', 'm.L, m.c', ([1], 2))
case('class_body_with_effects', {'n': 'L = []\n', 'm': 'import n\nclass K:\n    n.L.append(1)\n    def a(self): return 1\n'},
     {'m': 'import n\nclass K:\n    n.L.append(1)\n    def a(self): return 2\n'}, 'k = m.K()', 'k.a(), n.L', (2, [1]))
case('function_renamed', F1 + 'def other(): return 5\n', 'def g(): return 1\ndef other(): return 6\n', 'h = m.f',
     'hasattr(m, "f"), m.g(), m.other(), h()', (False, 1, 6, 1))
case('function_moved', {'a': F1, 'b': 'X = 1\n'}, {'a': 'from b import f\n', 'b': 'X = 1\n' + F2}, 'h = a.f', 'a.f(), h()', (2, 2))
case('default_from_changed_constant', 'X = 1\ndef f(a=X): return a\n', 'X = 2\ndef f(a=X): return a + 0\n', '', 'm.X', 2)
case('registered_with_copyreg', K1, K2, 'import copyreg, pickle; copyreg.pickle(m.K, lambda k: (m.K, ())); k = m.K()',
     'pickle.loads(pickle.dumps(k)).a()', 2)
case('typing_cache', K1, K2, 'import typing; T = typing.List[m.K]', 'typing.List[m.K] is T, T.__args__[0]().a()', (True, 2), (3, 7))

case('hash_added_beside_eq', 'class K:\n    def __eq__(self, o): return True\n',
     'class K:\n    def __eq__(self, o): return True\n    def __hash__(self): return 5\n', 'k = m.K()', 'hash(k), hash(m.K())', (5, 5))
case('eq_without_hash', 'class K:\n    def __hash__(self): return 1\n    def o(self): return 1\n',
     'class K:\n    def __eq__(self, o): return True\n    def o(self): return 2\n', 'k = m.K()', 'k.o(), m.K.__hash__', (2, None))
case('eq_left', 'class K:\n    def __eq__(self, o): return True\n    def o(self): return 1\n', 'class K:\n    def o(self): return 2\n',
     'k = m.K()', 'k.o(), k == m.K(), hash(k) != 0, len({k: 1})', (2, False, True, 1))
NEW = 'class K:\n%s    def __init__(self, a): self.a = a\nclass S(K): pass\n'
case('new_left', NEW % '    def __new__(cls, *a): return object.__new__(cls)\n', NEW % '', '', 'm.K(1).a, m.S(2).a', (1, 2))


def dependency_left(test):
    os.unlink(test.path('b.py'))
    test.write(a='def f(): return 2\n')


case('dependency_left', {'b': 'X = 1\n', 'a': 'import b\ndef f(): return b.X\n'}, {}, '', 'a.f(), hasattr(a, "b")', (2, False),
     edit=dependency_left)


def unchecked(test):
    """Imported out of a .pyc that Python never compares with the source."""
    py_compile.compile(test.path('m.py'), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return {'m': test.load('m')}


case('pyc_with_unchecked_hash', 'X = 1\n' + F1, {}, '', 'm.X, m.f()', (2, 2), (3, 7), load=unchecked,
     edit=lambda test: test.write(m='X = 2\n' + F2))
GENERIC = 'class A:\n    def who(self): return 1\nclass B:\n    def who(self): return 2\nclass K[X%s](%s):\n    def a(self%s) -> X: return %d\n' \
    '    def b[Y](self, y: Y) -> X: return %d\n'
case('class_with_type_parameters', GENERIC % ('', 'A', '', 1, 1), GENERIC % ('', 'A', ', d: X | None = 5', 2, 2) + '    def new(self) -> X: return 3\n',
     'k = m.K(); a = k.a', 'k.a(), a(), k.b(0), k.new(), k.a.__defaults__, str(m.K.a.__annotations__["return"])', (2, 2, 2, 3, (5,), 'X'), (3, 12))
case('header_of_a_class_with_type_parameters', GENERIC % ('', 'A', '', 1, 1), GENERIC % (', Z', 'B', '', 1, 1), 'k = m.K()',
     'k.who(), str(m.K.__type_params__), str(m.K.__parameters__), type(k) is m.K', (2, '(X, Z)', '(X, Z)', True), (3, 12))
case('annotation_of_a_function_with_type_parameters', 'def f[T](a: T, b: T): return a\n', 'def f[T](a, b: T): return a\n', 'h = m.f',
     'm.f is h, list(h.__annotations__)', (True, ['b']), (3, 12))
case('type_aliases', 'type A = list[int]\ntype B[T] = list[T]\nx = 1\n', 'type A = set[int]\ntype B[T] = set[T]\nx = 1\n',
     'str((m.A.__value__, m.B.__value__)); m.x = 2', 'str((m.A.__value__, m.B.__value__)), m.x', ('(set[int], set[T])', 2), (3, 12))

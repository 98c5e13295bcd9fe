# SPDX-License-Identifier: MIT
"""Cases: what a module keeps and did when it was imported."""
import os

from cases import DECO, F1, F2, case

case('state_dict_preserved', 'D = {}\n' + F1, 'D = {}\n' + F2, 'D = m.D; D["a"] = 1', 'm.f(), m.D.get("a"), m.D is D', (2, 1, True))
case('state_lock_identity', 'import threading\nL = threading.Lock()\n' + F1, 'import threading\nL = threading.Lock()\n' + F2,
     'L = m.L', 'm.f(), m.L is L', (2, True))
case('state_counter', 'c = 0\n' + F1, 'c = 0\n' + F2, 'm.c = 5', 'm.f(), m.c', (2, 5))
case('contextvar_identity', 'import contextvars\nV = contextvars.ContextVar("v", default=0)\ndef f(): return V.get() + 0\n',
     'import contextvars\nV = contextvars.ContextVar("v", default=0)\ndef f(): return V.get() + 1\n', 'm.V.set(5)', 'm.f()', 6,
     (3, 7))
case('try_nameerror_idiom', 'try:\n    cache\nexcept NameError:\n    cache = {}\n' + F1,
     'try:\n    cache\nexcept NameError:\n    cache = {}\n' + F2, 'm.cache["a"] = 1', 'm.f(), m.cache.get("a")', (2, 1))
case('const_changed', 'X = 1\ndef f(): return X\n', 'X = 2\ndef f(): return X\n', 'h = m.f', 'm.X, h()', (2, 2))
case('state_mutable_literal_changed', 'D = {"a": 1}\n', 'D = {"a": 2}\n', '', 'm.D["a"]', 2)
case('global_removed', 'X = 1\nY = 2\n', 'Y = 2\n', '', 'hasattr(m, "X")', False)
case('removed_but_changed', ''.join('%s = %s\n' % one for one in zip('ABCDEFG', ('1', '300', 'None', 'True', '""', '-1', '"x"'))), F1,
     'for name in "ABCDEFG": setattr(m, name, 2.5)', '[getattr(m, name) for name in "ABCDEFG"]', [2.5] * 7)
case('function_removed', F1 + 'def g(): return 1\n', F1, '', 'hasattr(m, "g")', False)
case('foreign_injected_attr', F1, F2, 'm.extra = 42', 'm.f(), m.extra', (2, 42))
case('monkeypatched_fn', F1 + 'def g(): return 1\n', F1 + 'def g(): return 2\n', 'm.f = lambda: "mock"', 'm.f(), m.g()',
     ('mock', 2))
case('module_getattr', 'def __getattr__(n): return 1\n', 'def __getattr__(n): return 2\n', '', 'm.zzz', 2, (3, 7))
case('module_dunders', F1, F2, 'o = (m.__file__, m.__spec__, m.__name__, m.__package__)',
     'm.f(), o == (m.__file__, m.__spec__, m.__name__, m.__package__)', (2, True))
case('import_side_effect', {'n': 'L = []\n', 'm': 'import n\nn.L.append(1)\n' + F1}, {'m': 'import n\nn.L.append(1)\n' + F2},
     '', 'm.f(), len(n.L)', (2, 1))
case('logging_handler_dup', 'import logging\nlog = logging.getLogger("mrtest")\nlog.handlers[:] = []\n'
     'log.addHandler(logging.NullHandler())\n' + F1, 'import logging\nlog = logging.getLogger("mrtest")\nlog.handlers[:] = []\n'
     'log.addHandler(logging.NullHandler())\n' + F2, '', 'm.f(), len(m.log.handlers)', (2, 1))
T = 'import threading\nT = threading.Thread(target=threading.Event().wait, args=(0.01,))\nT.start()\n'
case('thread_at_import', T + F1, T + F2, 'T = m.T; T.join()', 'm.f(), m.T is T', (2, True))
AE = 'import atexit, functools\natexit.register(functools.partial(int))\n'
case('atexit_dup', AE + F1, AE + F2, 'import atexit; n = atexit._ncallbacks()', 'm.f(), atexit._ncallbacks() - n', (2, 0))
case('route_registry_strict', 'R = {}\ndef route(n):\n    def d(f):\n        assert n not in R\n        R[n] = f\n        return f\n'
     '    return d\n@route("a")\ndef f(): return 1\n', 'R = {}\ndef route(n):\n    def d(f):\n        assert n not in R\n'
     '        R[n] = f\n        return f\n    return d\n@route("a")\ndef f(): return 2\n', '',
     'm.R["a"](), m.f(), m.R["a"] is m.f', (2, 2, True))
RL = 'R = []\ndef reg(f):\n    R.append(f)\n    return f\n@reg\ndef f(): return %d\n'
case('route_registry_list', RL % 1, RL % 2, '', '[f() for f in m.R]', [2])
case('comment_only', 'X = object()\nn = [1]\n', '# a comment\nX = object()\nn = [1]\n', 'X = m.X', 'm.X is X, len(m.n)', (True, 1))
case('touch_only', 'X = object()\n', '', 'X = m.X', 'm.X is X', True, edit=lambda test: os.utime(test.path('m.py')))
case('sysmodules_replaced', 'import sys\nclass P:\n    def f(self): return 1\nsys.modules[__name__] = P()\n',
     'import sys\nclass P:\n    def f(self): return 2\nsys.modules[__name__] = P()\n', 'p = m', 'p.f()', 2)

# Several statements bind a name: the last one wins, and those that compute it from what it was run again.
case('bound_again_later', 'X = 1\nX = 5\n', 'X = 2\nX = 5\n', '', 'm.X', 5)
case('bound_again_later_state', 'X = 1\nX = 5\n', 'X = 2\nX = 5\n', 'm.X = 7', 'm.X', 7)
case('counted_up_later', 'X = 1\nX += 1\n', 'X = 2\nX += 1\n', '', 'm.X', 3)
case('wrapped_later', DECO + 'def f(a=1): return a\nf = deco(f)\n', DECO + 'def f(a=2): return a\nf = deco(f)\n', '', 'm.f()', 'd2')
case('bound_again_under_if', 'X = 1\nif X < 2:\n    Y = 1\nelse:\n    Y = 3\n', 'Y = 0\nX = 1\nif X < 2:\n    Y = 1\nelse:\n    Y = 3\n',
     '', 'm.Y', 1)
case('statements_swapped', 'X = 1\nX = 2\n', 'X = 2\nX = 1\n', '', 'm.X', 1)
case('left_both_branches', 'R = [1]\nif R:\n    def f(): return 1\nelse:\n    f = None\n',
     'R = [1]\nif R:\n    def g(): return 1\nelse:\n    g = None\n', '', 'hasattr(m, "f"), m.g()', (False, 1))
case('constant_to_class', 'f = {"n": 3}\n', 'class f:\n    n = 3\n', '', 'm.f.n', 3)

# A statement that runs reads a name that the module has from a later one: the one above runs again too, or it is refused.
case('read_between', 'f = lambda: 1\nt = (7, f)\ndef f(): return 2\n', 'f = lambda: 1\nu = (7, f)\ndef f(): return 2\n', '',
     'm.f(), hasattr(m, "t"), hasattr(m, "u")', (2, True, False), fails='refused')
case('read_between_by_a_class', 'X = 1\nclass K:\n    a = X\nX = 5\n', 'X = 1\nclass K:\n    a = X + 1\nX = 5\n', '',
     'm.K.a, m.X', (2, 5))
case('read_between_by_a_default', 'X = 1\ndef f(a=X): return a\nX = 5\n', 'X = 1\ndef f(a=X, b=2): return a\nX = 5\n', '',
     'm.f(), m.X, m.f.__defaults__', (1, 5, (1, 2)))
case('wrapped_otherwise_later', DECO + 'def two(f): return lambda: (2, f())\ndef f(): return 0\nf = deco(f)\n',
     DECO + 'def two(f): return lambda: (2, f())\ndef f(): return 0\nf = two(f)\n', 'h = m.f', 'm.f(), h()', ((2, 0),) * 2)
case('wrapped_by_what_no_longer_holds_it', 'def one(f): return lambda: 1\ndef two(f): return lambda: (2, f())\ndef f(): return 0\nf = one(f)\n',
     'def one(f): return lambda: 1\ndef two(f): return lambda: (2, f())\ndef f(): return 0\nf = two(f)\n', '', 'm.f()', 1,
     fails='refused')
case('read_between_all_new', 'X = 1\nY = X\nX = 5\n', 'X = 1\nY = X + 0\nX = 6\n', '', 'm.X, m.Y', (6, 1))
case('counted_up_otherwise', 'X = 1\nX += 1\n', 'X = 1\nX += 2\n', '', 'm.X', 3)
case('counted_up_once_more', 'X = [1]\nX += [2]\n', 'X = [1]\nX += [2]\nX += [3]\n', 'm.X.append(9)', 'm.X', [1, 2, 9, 3])
case('read_between_same_import', 'import os\nY = os.sep\nimport os\n', 'import os\nY = os.sep * 2\nimport os\n', '', 'm.Y', '//')
LOOPS = 'for k in (1, 2): pass\nT = [k for k in (%d, 2)]\nfor k in (3, %d): s = k\n'
case('loops_with_one_variable', 'L = 3\n' + LOOPS % (1, 4), 'L = 3\n' + LOOPS % (5, 7), '', 'm.T, m.s, m.k', ([5, 2], 7, 7))

# The same inside of one compound statement, and of the body of a class.
UNDER = 'c = 1\nX = 1\nif c:\n    X += %d\n'
case('counted_up_under_if', UNDER % 1, UNDER % 2, '', 'm.X', 3)
READ_UNDER = 'c = 1\nX = 1\nif c:\n    Y = X + %d\n    X = 5\n'
case('read_before_it_is_bound_under_if', READ_UNDER % 0, READ_UNDER % 2, '', 'm.Y, m.X', (3, 5))
case('bound_before_it_is_read_under_if', READ_UNDER.replace('    Y', '    X = 2\n    Y') % 0, READ_UNDER.replace('    Y', '    X = 2\n    Y') % 2,
     'm.c = 7', 'm.Y, m.X, m.c', (4, 5, 7))
LOOP = 'T = 0\nfor i in (1, %d):\n    T += i\n'
case('summed_in_a_loop', LOOP % 2, LOOP % 3, '', 'm.T', 4)
case('read_after_what_a_loop_may_bind', 'L = ()\nX = 1\nfor i in L:\n    X = i\nY = X\nX = 5\n',
     'L = ()\nX = 1\nfor i in L:\n    X = i\nY = X + 1\nX = 5\n', '', 'm.Y', 1, fails='refused')
TRY = 'X = 1\ntry:\n    Y = int("%s")\n    X = 2\nexcept ValueError:\n    Y = X\n'
case('read_by_a_handler', TRY % 7, TRY % 'x', '', 'm.X, m.Y', (1, 1))
IN_CLASS = 'class K:\n    x = 1\n    a = x + %d\n    x = 2\n    b = x\n'
case('read_between_in_a_class', IN_CLASS % 0, IN_CLASS % 3, 'm.K.x = 7', 'm.K.a, m.K.x, m.K.b', (4, 7, 2))
BOTH = 'class K:\n    x = 1\n    a = x + %d\n    x = 2\n    b = x + %d\n'
case('read_between_and_below_in_a_class', BOTH % (0, 0), BOTH % (3, 3), '', 'm.K.a, m.K.b', (1, 2), fails='refused')
case('counted_up_in_a_class', 'class K:\n    x = 1\n    x += 1\n', 'class K:\n    x = 1\n    x += 2\n', '', 'm.K.x', 3)
case('counted_up_once_more_in_a_class', 'class K:\n    x = 1\n', 'class K:\n    x = 1\n    x += 2\n', 'm.K.x = 5', 'm.K.x', 7)
case('counted_up_under_if_in_a_class', 'class K:\n    x = 1\n    if x:\n        x += 1\n', 'class K:\n    x = 1\n    if x:\n        x += 2\n',
     '', 'm.K.x', 3)
case('wrapped_otherwise_in_a_class', DECO + 'class K:\n    def f(self): return 0\n    f = deco(f)\n',
     DECO + 'def two(f): return lambda self: (2, f(self))\nclass K:\n    def f(self): return 0\n    f = two(f)\n', 'k = m.K()', 'k.f()', (2, 0))
case('module_s_name_in_a_class_that_binds_it_below', 'x = 1\nclass K:\n    a = x\n    x = 2\n', 'x = 1\nclass K:\n    a = x + 3\n    x = 2\n',
     '', 'm.K.a, m.K.x', (4, 2))
case('read_between_by_a_class_made_again', 'import enum\nX = 1\nclass E(enum.Enum):\n    A = X\nX = 2\n',
     'import enum\nX = 1\nclass E(enum.Enum):\n    A = X\n    B = 7\nX = 2\n', '', 'list(m.E)[0].value', 1, fails='refused')
case('read_between_equal_constants', 'X = 1\nY = X\nX = 3\nX = 1\n', 'X = 1\nY = X + 1\nX = 3\nX = 1\n', '', 'm.Y, m.X', (2, 1))
case('python_s_own_name_that_is_bound_below', 'Y = len("abc")\ndef len(x): return 7\n', 'Y = len("abcd")\ndef len(x): return 7\n', '',
     'm.Y, m.len("")', (4, 7))
case('untouched_constants_that_are_bound_again', 'X = 1\nif X:\n    X = 5\nY = None\nY = 3\n' + F1, 'X = 1\nif X:\n    X = 5\nY = None\nY = 3\n' + F2,
     '', 'm.X, m.Y, m.f()', (5, 3, 2))
BY_CALL = 'X = 1\ndef g(): return X\ndef h(): return g()\nY = h() + %d\nX = %d\n'
case('read_between_by_a_function_that_is_called', BY_CALL % (0, 5), BY_CALL % (3, 5), '', 'm.Y, m.X', (1, 5), fails='refused')
case('read_between_by_a_function_all_new', BY_CALL % (0, 5), BY_CALL % (3, 6), '', 'm.Y, m.X', (4, 6))
HINTS = 'L%s = []\nC%s = {\n    1: 2,\n}\nN%s = %d\nM = N + 1\nclass K:\n    made%s = []\n    n%s = 1\n    def f(self%s): return self.n\n'
USED = 'm.L.append(1); m.C[3] = 4; m.K.made.append(5); m.K.n = 6; l = m.L'
FOUND = 'm.L is l, m.L, m.C, m.N, m.K.made, m.K.n, sorted(getattr(m, "__annotations__", {})), sorted(getattr(m.K, "__annotations__", {}))'
case('annotations_of_state_come', HINTS % ('', '', '', 1, '', '', ''), HINTS % (': list', ': dict', ': int', 2, ': list', ': "int"', ': object'), USED, FOUND,
     (True, [1], {1: 2, 3: 4}, 2, [5], 6, ['C', 'L', 'N'], ['made', 'n']))
case('annotations_of_state_go', HINTS % (': list', ': dict', ': int', 1, ': list', ': "int"', ''), HINTS % ('', '', '', 2, '', '', ': object'), USED, FOUND,
     (True, [1], {1: 2, 3: 4}, 2, [5], 6, [], []))
case('annotations_of_state_change', HINTS % (': list', ': dict', ': int', 1, ': list', ': "int"', ''),
     'from typing import *\n' + HINTS % (': List[\n   int]', ': "Dict[int, int]"', ': object', 2, ': ClassVar[list]', ': Any', ''), USED, FOUND,
     (True, [1], {1: 2, 3: 4}, 2, [5], 6, ['C', 'L', 'N'], ['made', 'n']))

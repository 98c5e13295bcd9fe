# SPDX-License-Identifier: MIT
"""Cases: functions, decorators, closures, lambdas."""
from cases import DECO, F1, case

case('fn_body', 'def f(): return 1\n', 'def f(): return 2\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('fn_defaults', 'def f(a=1): return a\n', 'def f(a=2): return a\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('fn_kwdefaults', 'def f(*, a=1): return a\n', 'def f(*, a=2): return a\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('fn_signature', 'def f(a): return a\n', 'def f(a, b=5, *c): return a + b\n', 'h = m.f', 'm.f(1), h(1)', (6, 6))
case('fn_doc_annot', 'def f(a: int):\n    "d1"\n', 'def f(a: str):\n    "d2"\n', 'h = m.f',
     'h.__doc__, h.__annotations__["a"]', ('d2', str))
case('fn_annot_added', 'def u(): return 1\ndef f(a): return 1\nclass K:\n    def g(self, a: int): return 1\n',
     'def u(): return 1\ndef f(a: int): return 2\nclass K:\n    def g(self, a: "str") -> str: return 2\n', 'h = m.f; g = m.K().g',
     'h.__annotations__, m.K.g.__annotations__, h(0), g(0)', ({'a': int}, {'a': 'str', 'return': str}, 2, 2))
case('fn_identity', 'def f(): return 1\n', 'def f(): return 2\n', 'import weakref; h = m.f; w = weakref.ref(h)',
     'h is m.f, w() is h', (True, True))
case('fn_attrs_state', 'def f(): return 1\nf.calls = 0\n', 'def f(): return 2\nf.calls = 0\n', 'm.f.calls = 7',
     'm.f(), m.f.calls', (2, 7))
case('deco_added', DECO + 'def f(): return 1\n', DECO + '@deco\ndef f(): return 2\n', 'h = m.f', 'm.f(), h()',
     ('d2', 'd2'))
case('deco_removed', DECO + '@deco\ndef f(): return 1\n', DECO + 'def f(): return 2\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('deco_wrapped_body', DECO + '@deco\ndef f(): return 1\n', DECO + '@deco\ndef f(): return 2\n', 'h = m.f',
     'm.f(), h()', ('d2', 'd2'))
case('deco_impl_changed', DECO + '@deco\ndef f(): return 1\n', DECO.replace('"d', '"D') + '@deco\ndef f(): return 1\n',
     'h = m.f', 'm.f(), h()', ('D1', 'D1'))
case('deco_freevars_added', 'def deco(f):\n    def w(): return "v%s" % f()\n    return w\n@deco\ndef f(): return 1\n',
     'def deco(f):\n    x = "x"; y = "y"\n    def w(): return "v%s%s%s" % (f(), x, y)\n    return w\n'
     '@deco\ndef f(): return 2\n', 'h = m.f', 'm.f(), h()', ('v2xy', 'v2xy'))
case('wraps', 'import functools\ndef d(f):\n    @functools.wraps(f)\n    def w(): return f()\n    return w\n'
     '@d\ndef f(): return 1\n', 'import functools\ndef d(f):\n    @functools.wraps(f)\n    def w(): return f()\n'
     '    return w\n@d\ndef f(): return 2\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('lru_cache', 'import functools\n@functools.lru_cache()\ndef f(): return 1\n',
     'import functools\n@functools.lru_cache()\ndef f(): return 2\n', 'h = m.f; h()', 'm.f(), h()', (2, 2))
case('contextmanager_deco', 'import contextlib\n@contextlib.contextmanager\ndef c(): yield 1\n',
     'import contextlib\n@contextlib.contextmanager\ndef c(): yield 2\n', 'h = m.c',
     'm.c().__enter__(), h().__enter__()', (2, 2))
case('partial', 'def f(a): return 1\n', 'def f(a): return 2\n', 'import functools; h = functools.partial(m.f, 1)', 'h()', 2)
case('closure_body', 'def make(x):\n    def c(): return x + 1\n    return c\n',
     'def make(x):\n    def c(): return x + 2\n    return c\n', 'c = m.make(3)', 'c(), m.make(3)()', (5, 5))
case('closure_freevars_change', 'def make(x):\n    y = 10\n    def c(): return x + 1\n    return c\n',
     'def make(x):\n    y = 10\n    def c(): return x + y\n    return c\n', 'c = m.make(3)', 'c(), m.make(3)()', (4, 13))
case('nested_def_in_method', 'class K:\n    def a(self):\n        def n(): return 1\n        return n\n',
     'class K:\n    def a(self):\n        def n(): return 2\n        return n\n', 'k = m.K(); h = k.a()', 'h(), k.a()()',
     (2, 2))
case('lambda_global', 'f = lambda: 1\n', 'f = lambda: 2\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('lambda_in_dict', 'D = {"a": lambda: 1}\n', 'D = {"a": lambda: 2}\n', 'h = m.D', 'm.D["a"](), h["a"]()', (2, 2))
case('alias_retarget', 'def foo(): return "foo"\ndef bar(): return "bar"\nf = foo\n',
     'def foo(): return "foo"\ndef bar(): return "bar"\nf = bar\n', 'h = m.foo', 'h(), m.f(), m.foo()',
     ('foo', 'bar', 'foo'))
case('duplicate_def', 'def f(): return 1\ndef f(): return 2\n', 'def f(): return 1\ndef f(): return 3\n', 'h = m.f',
     'm.f(), h()', (3, 3))
case('fn_in_if', 'if True:\n    def f(): return 1\n', 'if True:\n    def f(): return 2\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('fn_in_try', 'try:\n    def f(): return 1\nexcept ValueError:\n    pass\n',
     'try:\n    def f(): return 2\nexcept ValueError:\n    pass\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('if_else_both_define', 'import sys\nif sys:\n    def f(): return 1\nelse:\n    def f(): return 9\n',
     'import sys\nif sys:\n    def f(): return 2\nelse:\n    def f(): return 9\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('fn_to_class', 'def f(): return 1\n', 'class f:\n    x = 2\n', '', 'm.f.x', 2)
case('async_kind_change', 'def f(): return 1\n', 'async def f(): return 1\n', 'h = m.f',
     '[type(c).__name__ for c in (m.f(), h()) if c.close() or 1]', ['coroutine', 'coroutine'])
case('new_import_used', 'def f(): return 1\n', 'import json\ndef f(): return json.loads("[1]")\n', 'h = m.f', 'h()', [1])
case('new_helper_used', 'def f(): return 1\n', 'def g(): return 5\ndef f(): return g()\n', 'h = m.f', 'h()', 5)
case('comprehension_change', 'def f(): return [x for x in range(2)]\n', 'def f(): return [x + 1 for x in range(2)]\n',
     'h = m.f', 'h()', [1, 2])
case('global_stmt_added', 'n = 0\nK = dict\nD = K(a=1)\ndef f(): return 1\n',
     'n = 0\nK = dict\nD = K(a=1)\ndef f():\n    global n, K\n    n += 1\n    K = list\n    return n\n', 'm.n = 5; m.D["b"] = 2',
     'm.f(), m.n, m.D', (6, 6, {'a': 1, 'b': 2}))
case('global_stmt_fn', 'n = 0\ndef f():\n    global n\n    n += 1\n    return n\n',
     'n = 0\ndef f():\n    global n\n    n += 10\n    return n\n', 'h = m.f; h(); h(); h()', 'h(), m.n', (13, 13))
case('future_annotations', 'from __future__ import annotations\ndef f(a: int): return 1\n',
     'from __future__ import annotations\ndef f(a: int): return 2\n', '', 'm.f(1), m.f.__annotations__["a"]', (2, 'int'),
     (3, 7))
case('lambda_default', 'f = lambda a=1: a\n', 'f = lambda a=2: a\n', 'h = m.f', 'm.f(), h()', (2, 2))
case('duplicate_defs_swapped', 'def f(a=1): return a\ndef f(b=2): return b\n', 'def f(b=2): return b\ndef f(a=1): return a\n',
     '', 'm.f()', 1)
case('under_if_unchanged', 'X = 1\ndef f(): return 1\n', 'X = 1\nif X:\n    def f(): return 1\n', 'h = m.f', 'm.f is h', True)
case('def_to_lambda', 'def f(a=5): return a\n', 'f = lambda a=8: a\n', 'h = m.f', 'm.f(), h()', (8, 8))
case('doc_added', F1, 'def f():\n    "new"\n    return 1\n', 'h = m.f', 'h.__doc__', 'new')
case('doc_removed', 'def f():\n    "old"\n    return "x"\n', 'def f():\n    return "x"\n', 'h = m.f', 'h.__doc__', None)
case('annotation_removed', 'def f(a: int): return a\n', 'def f(a): return a\n', 'h = m.f; h.__annotations__', 'h.__annotations__', {})
COUNT = 'def deco(f):\n    n = [0]\n    def w(*a):\n        n[0] += 1\n        return n[0], f(*a)\n    return w\n'
case('default_under_a_decorator_with_state', COUNT + '@deco\ndef f(a=1): return a\n', COUNT + '@deco\ndef f(a=2): return a\n',
     'h = m.f; h()', 'm.f is h, h(), m.f()', (True, (2, 2), (3, 2)))
case('method_s_default_under_a_decorator_with_state', COUNT + 'class K:\n    @deco\n    def f(self, a=1): return a\n',
     COUNT + 'class K:\n    @deco\n    def f(self, a=2): return a\n', 'k = m.K(); h = k.f; h()', 'h(), k.f()', ((2, 2), (3, 2)))
CACHED = 'import functools\n@functools.lru_cache(%s)\ndef f(a=%d): return a\n'
case('default_under_a_cache', CACHED % (None, 1), CACHED % (None, 2), 'h = m.f; h()', 'm.f is h, h(), m.f()', (True, 2, 2))
case('registered_once', 'R = []\ndef deco(f): R.append(f); return f\n@deco\ndef f(a=1): return a\n',
     'R = []\ndef deco(f): R.append(f); return f\n@deco\ndef f(a=2): return a\n', 'h = m.f', 'len(m.R), m.R[0]()', (1, 2))
case('size_of_a_cache', CACHED % (None, 1), CACHED % (5, 1), 'h = m.f; h()', 'm.f.cache_info().maxsize', 5)
OBJECT = 'class D:\n    def __init__(self, f): self.f, self.n = f, 0\n    def __call__(self): self.n += 1; return self.n, self.f()\n'
case('default_under_an_object', OBJECT + '@D\ndef f(a=1): return a\n', OBJECT + '@D\ndef f(a=2): return a\n', 'h = m.f; h()',
     'm.f()', (1, 2))
WRAPS = 'import functools\ndef g(a): "doc"\n%sdef f(): return 1\nclass K:\n%s    def f(self): return 1\n'
case('wraps_left', WRAPS % ('@functools.wraps(g)\n', '    @functools.wraps(g)\n'), WRAPS % ('', ''), 'h = m.f',
     '[(vars(f), f.__name__, f.__qualname__, f.__doc__) for f in (h, m.K.f)]', [({}, 'f', 'f', None), ({}, 'f', 'K.f', None)])
MARKED = 'def mark(f):\n    f.mark = 1\n    return f\n%sdef f(): return 1\nf.own = 2\n'
case('marks_of_a_decorator_that_left', MARKED % '@mark\n', MARKED % '', 'm.f.own = 3', 'vars(m.f)', {'mark': 1, 'own': 3})
FIRST, SECOND = 'def f(): return 3\n', 'def f(): return 4\n'
case('second_definition_comes', 'def z(): return 1\n' + FIRST, FIRST + SECOND, 'h = m.f', 'm.f(), h(), m.f is h', (4, 4, True))
case('second_definition_leaves', FIRST + SECOND, FIRST, 'h = m.f', 'm.f(), h()', (3, 3))
case('definitions_of_one_name_swapped', FIRST + SECOND, SECOND + FIRST, 'h = m.f', 'm.f(), h()', (3, 3))
case('second_definition_differs_inside', 'def f():\n    def g(): return 3\n    return g\n',
     ''.join('def f():\n    def g(): return %d\n    return g\n' % number for number in (3, 4)), 'g = m.f()', 'm.f()()', 4)
IN_K = 'class K:\n    def f(self): return 3\n    def f(self): return 4\n'
case('methods_of_one_name_swapped', IN_K, IN_K.replace('3', '5').replace('4', '3').replace('5', '4'), 'k = m.K(); h = k.f', 'k.f(), h()', (3, 3))
CALLS = 'import json as j\ntry:\n    from json import decoder\nexcept ImportError:\n    decoder = None\n%s'
LOADS = 'def f(a="%d"): return j.loads(a), decoder.scanstring(\'"a"\', 1)\n'
case('default_of_one_that_calls_what_is_imported', CALLS % LOADS % 1, CALLS % LOADS % 2, 'h = m.f', 'm.f(), h(), m.f is h',
     ((2, ('a', 3)), (2, ('a', 3)), True))
IN_K = 'class K:\n    def f(self, a="%d"): return j.loads(a)\n    @staticmethod\n    def g(a="%d"): return decoder.scanstring(a, 0)\n'
case('method_s_default_of_one_that_calls_what_is_imported', CALLS % IN_K % (1, 1), CALLS % IN_K % (2, 2), 'k = m.K(); f = k.f; g = k.g',
     'k.f(), f(), k.f.__defaults__, g.__defaults__', (2, 2, ('2',), ('2',)))
case('class_made_again_that_calls_what_is_imported', CALLS % 'class K:\n    __slots__ = "a",\n    def f(self): return j.loads("1")\n',
     CALLS % 'class K:\n    __slots__ = "b",\n    def f(self): return j.loads("2")\n', 'k = m.K()', 'k.f(), m.K().f()', (2, 2))
INNER = 'L = 3\ndef make(n):\n    def inner(x%s):\n        return x, n%s\n    return inner\n'
case('closure_s_parameter_added', INNER % ('', ''), INNER % (', k=(1, -2), *, j=None', ', k, j'), 'h = m.make(5)', 'h(1), h(1, 2, j=3), m.make(5)(1)',
     ((1, 5, (1, -2), None), (1, 5, 2, 3), (1, 5, (1, -2), None)))
case('closure_s_default_changed', INNER % (', k=1, s=[], *, i=n', ', k, s, i'), INNER % (', k=2, s=[], *, i=n', ', k, s, i'),
     'h = m.make(5); h(1)[3].append(6)', 'h(1), m.make(6)(1)', ((1, 5, 2, [6], 5), (1, 6, 2, [], 6)))
case('closure_s_default_left', INNER % (', k=1, *, j=2', ', k, j'), INNER % (', k, *, j', ', k, j'), 'h = m.make(5)',
     'h.__defaults__, h.__kwdefaults__, h(1, 2, j=3)', (None, None, (1, 5, 2, 3)))
case('closure_s_parameter_with_a_default_that_is_worked_out', INNER % ('', ''), INNER % (', k=L', ', k'), 'h = m.make(5)', 'h(1), m.make(5)(1)',
     ((1, 5), (1, 5, 3)))
case('lambda_in_a_dict_gets_a_parameter', 'D = {"a": lambda x: x}\n', 'D = {"a": lambda x, y=2: (x, y)}\n', 'd = m.D', 'd["a"](1), m.D["a"](1)',
     ((1, 2), (1, 2)))
case('method_s_callback_gets_a_parameter', 'class K:\n    def f(self):\n        return lambda x: x\n',
     'class K:\n    def f(self):\n        return lambda x, *, y=2: (x, y)\n', 'h = m.K().f()', 'm.K().f()(1), h(1)', ((1, 2), (1, 2)))
case('closure_that_forwards_gets_a_parameter', INNER % ('', ''), (INNER % (', k=7', '')).replace('x, n', 'x, k'), 'h = m.make(5)', 'h(1), h(1, 2)',
     ((1, 7), (1, 2)))
SINGLE = 'import functools\n@functools.singledispatch\ndef g(x): return 0\n%s@g.register(int)\ndef _(x): return "%s"\n@g.register(str)\ndef _(x): return "s"\n'
case('implementation_registered_above_others', SINGLE % ('', 'i'), SINGLE % ('@g.register(float)\ndef _(x): return "f"\n', 'I'), 'h = m._',
     'm.g(1), m.g(1.5), m.g(""), m._ is h, h(0)', ('I', 'f', 's', True, 's'))
OVERLOAD = 'from typing import overload\n@overload\ndef f(x: int%s): ...\n@overload\ndef f(x: str%s): ...\ndef f(x%s): return x%s\n'
case('overloads_get_a_parameter', OVERLOAD % ('', '', '', ''), OVERLOAD % (', y: int = 1', ', y: int = 1', ', y=2', ', y'), 'h = [m.f]',
     'm.f is h[0], h[0](1)', (True, (1, 2)))
BRANCH = 'def f(x=%d): return x\nif f(%d) > 5:\n    def f(x): return "large"\n'
case('second_definition_in_a_branch_that_is_not_taken', BRANCH % (1, 2), BRANCH % (3, 4), 'h = [m.f]', 'm.f is h[0], h[0]()', (True, 3))

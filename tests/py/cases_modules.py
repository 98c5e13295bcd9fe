# SPDX-License-Identifier: MIT
"""Cases: what one module has of another."""
import importlib.util
import sys

from cases import DECO, F1, F2, K1, K2, case

case('from_import_fn', {'m': F1, 'n': 'from m import f\ndef g(): return f()\n'}, {'m': F2}, '', 'n.g()', 2)
case('from_import_class', {'m': K1, 'n': 'from m import K\ndef mk(): return K()\n'}, {'m': K2}, '',
     'n.mk().a(), n.K is m.K', (2, True))
case('from_import_decorated', {'m': DECO + '@deco\n' + F1, 'n': 'from m import f\n'}, {'m': DECO + '@deco\n' + F2}, '', 'n.f()', 'd2')
case('from_import_const', {'m': 'X = 1\n', 'n': 'from m import X\n'}, {'m': 'X = 2\n'}, '', 'n.X', 2)
case('from_import_renamed', {'m': 'X = 1\n', 'n': 'from m import X as Y\nX = 1\n'}, {'m': 'X = 2\n'}, '', 'n.Y, n.X', (2, 1))
case('from_import_star', {'m': F1 + 'X = 1\n', 'n': 'from m import *\n'}, {'m': F2 + 'X = 2\n'}, '', 'n.f(), n.X', (2, 2))
case('from_import_new_name_star', {'m': 'X = 1\n', 'n': 'from m import *\n'}, {'m': 'X = 1\nY = 3\n'}, '', 'n.Y', 3)
case('pkg_reexport', {'p__init': 'from .a import f, X\n', 'p__a': F1 + 'X = 1\n', 'n': 'from p import X\n'},
     {'p__a': F2 + 'X = 2\n'}, 'import p', 'p.f(), p.X, n.X', (2, 2, 2))
case('derived_const', {'b': 'X = 1\n', 'a': 'import b\nY = b.X + 1\n'}, {'b': 'X = 10\n'}, '', 'a.Y, DERIVED', (11, None))
case('order_both_changed', {'b': 'def g(): return 1\n', 'a': 'from b import g\nY = g() + 10\n'},
     {'b': 'def g(): return 2\n', 'a': 'from b import g\nY = g() + 100\n'}, '', 'a.Y, a.g()', (102, 2))
case('order_const_both', {'b': 'X = 1\n', 'a': 'from b import X\nY = 1\n'}, {'b': 'X = 2\n', 'a': 'from b import X\nY = X\n'},
     '', 'a.X, a.Y', (2, 2))
case('new_name_both', {'b': 'X = 1\n', 'a': 'from b import X\nY = 0\n'},
     {'b': 'X = 1\nZ = 7\n', 'a': 'from b import X, Z\nY = Z\n'}, '', 'a.Y', 7)
case('circular', {'a': 'import b\ndef f(): return 1\ndef g(): return f() + b.h()\n', 'b': 'import a\ndef h(): return 2\n'},
     {'a': 'import b\ndef f(): return 3\ndef g(): return f() + b.h()\n', 'b': 'import a\ndef h(): return 10\n'}, '', 'a.g()', 13)
case('import_source_switched', {'b': 'def f(): return "b"\n', 'c': 'def f(): return "c"\n', 'm': 'from b import f\n'},
     {'m': 'from c import f\n'}, '', 'm.f(), b.f()', ('c', 'b'))
case('new_module_imported', {'m': F1}, {'m': 'import fresh\ndef f(): return fresh.X\n', 'fresh': 'X = 3\n'}, '', 'm.f()', 3)
case('namespace_pkg', {'ns__m': F1}, {'ns__m': F2}, 'import ns.m; h = ns.m.f', 'ns.m.f(), h()', (2, 2))
case('rel_import_sub', {'p__init': '', 'p__a': 'def x(): return 1\n', 'p__b': 'from .a import x\ndef f(): return x()\n'},
     {'p__a': 'def x(): return 3\n', 'p__b': 'from .a import x\ndef f(): return x() * 2\n'}, 'import p.b', 'p.b.f()', 6)
case('pkg_init_submodule_attr', {'p__init': F1, 'p__a': 'x = 1\n'}, {'p__init': F2}, 'import p.a', 'p.f(), p.a.x', (2, 1))


def off_path(test):
    spec = importlib.util.spec_from_file_location('off', test.path('sub/m.py'))
    module = sys.modules['off'] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {'m': module}


def two_names(test):
    sys.path.insert(0, test.path('p'))
    try:
        return {'one': test.load('p.m'), 'two': test.load('m')}
    finally:
        sys.path.remove(test.path('p'))


case('spec_from_file_offpath', {'sub__m': F1}, {'sub__m': F2}, '', 'm.f()', 2, load=off_path)
case('two_names', {'p__init': '', 'p__m': F1}, {'p__m': F2}, '', 'one.f(), two.f()', (2, 2), load=two_names)

# Star imports
case('star_switched', {'a': 'X = 1\n', 'b': 'Y = 1\n', 'm': 'from a import *\n'}, {'m': 'from b import *\n'}, '',
     'hasattr(m, "X"), m.Y', (False, 1))
case('star_loses_what_is_bound_here_too', {'a': 'import json\n', 'm': 'from a import *\nimport json\n'}, {'a': 'Y = 1\n'}, '',
     'hasattr(m, "json"), m.Y', (True, 1))
case('star_added_above', {'a': F2, 'm': 'def f(a=0): return a\n'}, {'m': 'from a import *\ndef f(a=0): return a\n'}, 'h = m.f',
     'm.f(), m.f is h', (0, True))
OWN, STAR = 'def f(): return "own"\nX = 1\n', 'from n import *\n'
USER = 'from m import f\n'
case('star_import_below_own', {'n': 'A = 1\n', 'm': OWN + STAR, 'z': USER}, {'n': 'A = 1\nX = 2\ndef f(): return "n"\n'}, '',
     'm.f(), m.X, z.f()', ('n', 2, 'n'))
case('star_import_above_own', {'n': 'A = 1\n', 'm': STAR + OWN, 'z': USER}, {'n': 'A = 1\nX = 2\ndef f(): return "n"\n'}, '',
     'm.f(), m.X, z.f()', ('own', 1, 'own'))
case('own_definition_left_above_a_star_import', {'n': 'X = 1\n', 'm': STAR + 'X = 2\n'}, {'m': STAR}, '', 'm.X', 1)
case('star_leaves_what_it_hid', {'a': 'X = 1\ndef f(): return 1\n', 'm': 'X = 2\ndef f(): return 2\nfrom a import *\n'},
     {'m': 'X = 2\ndef f(): return 2\n'}, '', 'm.X, m.f(), a.f()', (2, 2, 1))
case('star_moves_above_own', {'a': 'X = 1\n', 'm': 'X = 2\nfrom a import *\n'}, {'m': 'from a import *\nX = 2\n'}, '', 'm.X', 2)
case('star_moves_below_own', {'a': 'X = 1\n', 'm': 'from a import *\nX = 2\n'}, {'m': 'X = 2\nfrom a import *\n'}, '', 'm.X', 1)
case('own_import_left_above_a_star_import', {'n': 'import os\n', 'm': STAR + 'import os\n'}, {'m': STAR}, '', 'hasattr(m, "os")', True)
case('def_moves_under_if', {'b': 'R = [1]\ndef f(a=5): return a\n', 'a': 'from b import f as g\n'},
     {'b': 'R = [1]\nif R:\n    def f(a=3): return a\nelse:\n    f = None\n'}, 'h = a.g', 'a.g(), a.g is h, b.f is h', (3, True, True))
case('star_added_for_others', {'a': 'X = 1\nY = 1\n', 'b': 'X = 2\n', 'c': 'from b import *\n'}, {'b': 'X = 2\nfrom a import *\n'}, '',
     'b.X, c.X, c.Y', (1, 1, 1))
case('constant_to_function_for_others', {'a': 'X = 1\n', 'b': 'from a import *\n', 'c': 'from a import X as Y\n'},
     {'a': 'def X(): return 2\n'}, '', 'b.X(), c.Y()', (2, 2))
case('decorator_left_for_others', {'a': DECO + '@deco\n' + F1, 'b': 'from a import *\n', 'c': 'from a import f\n'},
     {'a': DECO + F2}, 'h = a.f', 'b.f(), c.f(), h()', (2, 2, 2))
case('constant_to_import_for_others', {'a': F2, 'b': 'X = 1\nY = 1\n', 'c': 'from b import *\n'},
     {'b': 'from a import f as X\nimport a as Y\n'}, '', 'c.X(), c.Y is a', (2, True))
case('function_to_import_for_others', {'a': F2, 'b': F1, 'c': 'from b import *\n'}, {'b': 'from a import f\n'}, 'h = b.f',
     'c.f(), h(), c.f is a.f', (2, 2, True))

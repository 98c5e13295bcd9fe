# SPDX-License-Identifier: MIT
"""Which modules are read for their imports: those that may name the changed one there, and no others, since parsing holds the GIL."""
import sys
import unittest

from harness import Program, command

NAMED = (b'import m', b'import\tm', b'import a, m as z', b'import a.b.m', b'x=1;import m', b'import m\r\n', b'if 1:\n\timport m',
         b'from m import x', b'from .m import x', b'from m import*', b'from m import(x)', b'from a.m import (x,\n y)',
         b'from m\\\n import x', b'from a import (\n x, # )\n m)', b'from a import \\\n  b, \\\r\n m', b'from a import(m)',
         b'from a import x, m # said')
NOT_NAMED = (b'', b'm = 1\nimport x', b'import mm', b'from xm import y', b'from x import y\nm = 3', b'from a import (x,\n y)\nm = 2', b'import b\nm(1)')


class Importers(Program):
    def test_words_in_imports(self):
        command('track')
        rebind = sys.modules['_mr_attach'].host.part('rebind')
        self.assertEqual([one for one in NAMED if not rebind.mentions(one, b' m ')], [])
        self.assertEqual([one for one in NOT_NAMED if rebind.mentions(one, b' m ')], [])

    def test_others_are_not_parsed(self):
        self.write(shop='A = 1\n', far='import os\nshop = 1\nB = shop\n', near='import shop\nfrom shop import A\n')
        self.load('shop', 'far', 'near')
        seen, real = [], compile
        self.write(shop='A = 2\n')
        try:
            __builtins__['compile'] = lambda source, name, *more: seen.append(name) or real(source, name, *more)
            self.reload('shop')
        finally:
            __builtins__['compile'] = real
        self.assertIn(self.path('near.py'), seen)
        self.assertNotIn(self.path('far.py'), seen, 'its words alone name the module')
        self.assertEqual(sys.modules['near'].A, 2)

    def test_class_that_moved(self):
        self.write(a='class C:\n    def f(self): return 1\ndef make(): return C()\n', b='X = 1\n')
        a, b = self.load('a', 'b')
        kind, one = a.C, a.C()
        self.write(a='from b import C\ndef make(): return C()\n', b='X = 1\nclass C:\n    def f(self): return 2\n')
        kept = self.entry(self.reload(), 'a')['kept_old']
        self.assertEqual([one['name'] for one in kept], ['C'])
        self.assertEqual((a.C is b.C, type(one) is kind, one.f(), a.make().f()), (True, True, 1, 2))
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((a.C is kind, hasattr(b, 'C')), (True, False))

    def test_star_imports_that_give_the_same_name(self):
        """The last one wins; one that has it no more leaves it to the others."""
        self.write(a='X = 1\n', b='from operator import add\nY = 5\n', c='from operator import add\nY = 6\nW = 7\n',
                   n='from a import *\nfrom c import *\nfrom b import *\nW = 8\n')
        n = self.load('n')
        self.write(a='X = 1\nZ = 2\n', b='X = 3\nZ = 3\nW = 5\n')
        self.reload()
        self.assertEqual((n.X, n.Y, n.Z, n.W, n.add(1, 2)), (3, 6, 3, 8, 3))
        self.write(a='X = 1\nZ = 4\n', b='X = 3\n')
        self.reload()
        self.assertEqual((n.X, n.Z), (3, 4))
        self.assertEqual([command('undo')['status'], n.Z, command('undo')['status'], n.X, n.Y], [0, 3, 0, 1, 5])

    def test_names_bound_again_in_the_main_part(self):
        """It does not run in an imported module, so nothing there has hidden what is imported above."""
        text = 'from m import A\ndef f(x=%d): return A, x\nB = A, %d\nif __name__ == "__main__":\n    from k import A\n'
        self.write(m='A = 1\n', k='A = 2\n', n=text % (1, 1))
        n = self.load('n')
        self.write(n=text % (2, 2))
        self.reload()
        self.assertEqual((n.f(), n.B), ((1, 2), (1, 2)))

    def test_a_package_is_no_reason_to_go_round(self):
        """What takes only modules out of its package does not need the package, which needs it."""
        self.write(p__init='from . import b\nfrom .a import f\n', p__a='from .b import g\ndef f(): return g()\n',
                   p__b='from . import c\ndef g(): return 1\n', p__c='X = 1\n')
        p, _, _, _ = self.load('p', 'p.a', 'p.b', 'p.c')
        self.write(p__init='from . import b\nfrom .a import f\nX = 1\n', p__a='from .b import g, N\ndef f(): return g(), N\n',
                   p__b='from . import c\ndef g(): return 2\nN = g()\n')
        self.reload()
        self.assertEqual(p.f(), (2, 2))


if __name__ == '__main__':
    unittest.main()

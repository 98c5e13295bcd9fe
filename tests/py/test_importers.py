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


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""What is listed as derived because a call made it, and what --dependents does about it."""
import unittest

from harness import Program, command


class Calls(Program):
    def derived(self, answer):
        return {(one['module'], one['name']) for entry in answer['modules'] for one in entry['derived']}

    def test_derived_by_calls(self):
        text = 'def g(a=%d): return %d\ndef h(): return g()\nclass K:\n    x = %d\n    def __init__(self): self.n = g()\n' \
            '    def v(self): return %d\ndef make():\n    def inner(): return %d\n    return inner\nY = h()\nZ = Y + 1\nc = make()\nQ = len("")\n'
        other = 'import m\nfrom m import g as gg, K\ndef own(): return m.g()\nA = gg()\nB = own()\nk = K()\nC = K().v()\nD = k.v()\n' \
            'E = K.x\nR = [m.h]\nclass L:\n    z = gg()\n@gg\ndef f(): pass\napp = [own()]\n'
        self.write(m=text % (1, 1, 1, 1, 1), n=other)
        command('track')
        m, n = self.load('m', 'n')
        for options in ({'dry_run': True}, {}):
            self.write(m=text % (1, 1, 1, 1, 2))
            self.assertEqual(self.derived(self.reload(**options)), set())
            self.write(m=text % (1, 2, 1, 1, 2))
            self.assertEqual(self.derived(self.reload(**options)), {('m', 'Y'), ('m', 'Z')} | {
                ('n', name) for name in ('A', 'B', 'k', 'C', 'D', 'L.z', 'f', 'app')})
        self.write(m=text % (1, 2, 2, 2, 2))
        self.assertEqual(self.derived(self.reload()), {('n', 'C'), ('n', 'D'), ('n', 'E')})
        self.write(m=text % (1, 3, 3, 3, 3))
        app, k = n.app, n.k
        self.assertEqual(self.derived(self.reload(dependents=True)), {('n', 'app'), ('n', 'k')})
        self.assertEqual((m.Y, m.Z, n.A, n.B, n.C, n.D, n.E, n.L.z, n.f), (3, 4, 3, 3, 3, 3, 3, 3, 3))
        self.assertEqual((n.app is app, n.k is k, m.c()), (True, True, 3))

    def test_derived_where_the_signature_changed(self):
        self.write(m='def g(a=1): return a\nY = g()\n')
        command('track')
        self.load('m')
        self.write(m='def g(a=2): return a\nY = g()\n')
        self.assertEqual(self.derived(self.reload()), {('m', 'Y')})


if __name__ == '__main__':
    unittest.main()

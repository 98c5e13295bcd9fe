# SPDX-License-Identifier: MIT
"""Cases of docs/RELOAD.md that need more than a source before and one after."""
import os
import subprocess
import sys
import unittest

from harness import Program

SCRIPT = '''
import sys
from harness import Program
class One(Program):
    def runTest(self):
        text = 'def f(a=1):\\n    "doc %d"\\n    assert a, "never"\\n    return %d\\nclass K:\\n    "doc %d"\\n    x = __debug__\\n'
        self.write(m=text % (1, 1, 1))
        m = self.load('m')
        self.write(m=text % (2, 2, 2))
        self.reload()
        self.assertEqual((m.f(0), m.f.__doc__, m.K.__doc__, m.K.x), (2, None, None, False))
        self.assertEqual([one for one in self.reload()['modules'] if one['name'] == 'm'], [])
import unittest
unittest.main()
'''


class Beyond(Program):
    def test_optimized(self):
        """-OO: no assertions, no docstrings; compiled as the process does, it is fresh afterwards."""
        done = subprocess.run([sys.executable, '-OO', '-B', '-c', SCRIPT], cwd=os.path.dirname(os.path.abspath(__file__)),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode('utf-8', 'replace'))

    def test_namespace_package_gains_a_portion(self):
        self.write(one__ns__m='def f(): return 1\n', two__ns__x='Y = 5\n')
        sys.path.insert(0, self.path('one'))
        try:
            m = self.load('ns.m')
            sys.path.insert(0, self.path('two'))
            self.write(one__ns__m='import ns.x\ndef f(): return ns.x.Y\n')
            self.reload()
            self.assertEqual(m.f(), 5)
        finally:
            sys.path[:] = [one for one in sys.path if not one.startswith(self.path('one')) and not one.startswith(self.path('two'))]

    def test_source_beside_an_extension(self):
        """What is loaded counts, not what lies beside it."""
        self.write(fast='X = 1\n')
        module = type(sys)('fast')
        module.__file__ = self.path('fast.so')
        sys.modules['fast'] = module
        try:
            self.write(fast='X = 2\n')
            self.assertEqual([one for one in self.reload()['modules'] if one['name'] == 'fast'], [])
            error = self.refused(self.attempt('fast'), 'no-source')
            self.assertIn('fast', error['message'])
        finally:
            del sys.modules['fast']

    def test_module_that_is_made_by_hand(self):
        """It has a loader that makes it, and the file of another module, such as bottle.ext: that one can be reloaded."""
        self.write(m='import sys, types\nclass Loader:\n    def exec_module(self, module): pass\next = sys.modules["m.ext"] = types.ModuleType("m.ext")\n'
                   'ext.__dict__.update(__file__=__file__, __path__=[], __loader__=Loader())\ndef f(): return 1\n')
        m = self.load('m')
        with open(m.__file__) as stream:
            text = stream.read()
        self.write(m=text.replace('return 1', 'return 2'))
        answer = self.reload()
        self.assertEqual((m.f(), self.entry(answer, 'm.ext')['state']), (2, 'skipped'))
        del sys.modules['m.ext']


if __name__ == '__main__':
    unittest.main()

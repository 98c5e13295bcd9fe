# SPDX-License-Identifier: MIT
"""The tests of frameworks.py, each in a process of its own; what is not installed for this CPython is skipped."""
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Frameworks(unittest.TestCase):
    def check(self, name):
        done = subprocess.run([sys.executable, '-B', '-m', 'unittest', 'frameworks.Frameworks.' + name], cwd=HERE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode('utf-8', 'replace')
        if done.returncode in (0, 5) and 'skipped=1' in text:    # 5 from 3.12 on
            self.skipTest('not installed for this CPython')
        self.assertEqual(done.returncode, 0, text)
        self.assertIn('Ran 1 test', text)


with open(os.path.join(HERE, 'frameworks.py'), encoding='utf-8') as source:
    for name in re.findall(r'def (test_\w+)', source.read()):
        setattr(Frameworks, name, lambda self, name=name: self.check(name))

if __name__ == '__main__':
    unittest.main()

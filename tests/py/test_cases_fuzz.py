# SPDX-License-Identifier: MIT
"""A few hundred random edits from a fixed seed; `make fuzz` goes on from there."""
import os
import subprocess
import sys
import unittest


class Fuzz(unittest.TestCase):
    def test_random_edits(self):
        here = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run([sys.executable, '-B', os.path.join(here, 'fuzz_reload.py'), '--seed', '1', '--runs', '100',
                               '--seconds', '60'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode('utf-8', 'replace'))


if __name__ == '__main__':
    unittest.main()

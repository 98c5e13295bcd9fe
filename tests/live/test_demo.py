# SPDX-License-Identifier: MIT
"""The demo, which is a test too: a service started with plain python3, fresh files, edits, three commands."""
import os
import subprocess
import sys
import unittest

from harness import DEFAULT, MR_ATTACH, TOP, LiveTest, environment


class Demo(LiveTest):
    def run_with(self, python):
        build = os.path.dirname(MR_ATTACH)
        env = dict(environment(), B=os.path.relpath(build, TOP), PYTHON=python)
        done = subprocess.run([os.path.join(TOP, 'tests', 'demo', 'demo.sh')], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_this_machines_python(self):
        self.run_with(sys.executable)

    @unittest.skipIf(DEFAULT.root, 'runs in a chroot')
    def test_the_default(self):
        self.run_with(DEFAULT.program)


if __name__ == '__main__':
    unittest.main()

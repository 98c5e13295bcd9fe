# SPDX-License-Identifier: MIT
"""What mr-attach says did not run does not run later either: the process is stopped while the request waits in its queue."""
import os
import signal
import subprocess
import tempfile
import time
import unittest

import harness

BUSY = '''
import sys, time
print('ready', flush=True)
n = 7 ** 5000000
print('free', flush=True)
time.sleep(0.5)
print('end', flush=True)
'''


class TakenBack(unittest.TestCase):
    def stop_while_queued(self, python, after):
        with tempfile.TemporaryDirectory() as folder, \
                subprocess.Popen(python.argv('-c', BUSY), stdout=subprocess.PIPE) as target:
            mark = os.path.join(folder, 'ran')
            try:
                target.stdout.readline()
                attach = subprocess.Popen([harness.MR_ATTACH, str(target.pid), 'exec', 'open(%r, "w").close()' % mark],
                                          stderr=subprocess.PIPE)
                time.sleep(after)
                os.kill(target.pid, signal.SIGSTOP)
                said = attach.communicate(timeout=harness.PATIENCE)[1].decode()
                os.kill(target.pid, signal.SIGCONT)
                rest = target.stdout.read().split()
                self.assertEqual(rest, [b'free', b'end'])
                self.assertEqual(target.wait(harness.PATIENCE), 0)
            finally:
                target.kill()
            self.assertEqual(os.path.exists(mark), attach.returncode == 0, said)

    def test_stopped_while_queued(self):
        for after in (0.03, 0.08, 0.15):
            with self.subTest(after=after):
                self.stop_while_queued(harness.DEFAULT, after)


if __name__ == '__main__':
    unittest.main()

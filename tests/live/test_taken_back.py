# SPDX-License-Identifier: MIT
"""What mr-attach says did not run does not run later either: the process is stopped while the request waits in its queue. And
what waits there for an mr-attach that was killed is taken back by the next one."""
import os
import signal
import struct
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

# No bytecode runs until the file is there; so what is queued waits.
IN_C = '''
import itertools, os, sys
ran = []
print('ready', flush=True)
any(map(os.access, itertools.repeat(sys.argv[1]), itertools.repeat(0)))
sys.stdin.read(1)
print(ran, flush=True)
'''
QUEUED = 48         # in struct request_block, payload/request.h


def is_queued(pid, text):
    """Whether a request with TEXT in its code is in the queue of the process."""
    with open('/proc/%d/mem' % pid, 'rb', 0) as memory:
        for start, end, perms, _ in harness.regions(pid):
            if perms.startswith('rw'):
                memory.seek(start)
                data = memory.read(min(end - start, 1 << 18))
                if text in data and struct.unpack_from('I', data, QUEUED)[0]:
                    return True
    return False


@harness.expand
class TakenBack(harness.LiveTest):
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

    @harness.each([(harness.label(p), p) for p in harness.REQUIRED])
    def test_killed_while_queued(self, python):
        """More often than there are places for regions."""
        with python.folder() as (inside, outside), \
                subprocess.Popen(python.argv('-c', IN_C, inside + '/go'), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE) as target:
            def start(name):
                code = 'import __main__; __main__.ran.append(%r)' % name
                return subprocess.Popen([harness.MR_ATTACH, str(target.pid), '--thread', 'main', 'exec', code],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                target.stdout.readline()
                before = harness.Snapshot(target.pid)
                for n in range(20):
                    killed = start('request %d.' % n)
                    harness.wait_until(lambda: is_queued(target.pid, b'request %d.' % n), 'it waits in the queue', 5)
                    killed.kill()
                    killed.communicate()
                last = start('request 20.')
                harness.wait_until(lambda: is_queued(target.pid, b'request 20.'), 'it waits in the queue', 5)
                with open(outside + '/go', 'w'):
                    pass
                said = last.communicate(timeout=harness.PATIENCE)[1].decode()
                self.assertEqual((last.returncode, said), (0, ''))
                self.assertEqual(harness.attach(target.pid, 'exec', '1').status, 0)
                self.assertEqual(harness.changes(before, target.pid), [])
                self.assertEqual(target.communicate(b'x')[0], b"['request 20.']\n")
            finally:
                target.kill()


if __name__ == '__main__':
    unittest.main()

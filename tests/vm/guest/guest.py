# SPDX-License-Identifier: MIT
"""What the tests in a virtual machine share: a program to attach to, and mr-attach."""
import os
import py_compile
import subprocess
import tempfile
import time
import unittest

MR_ATTACH = '/usr/local/bin/mr-attach'
PROGRAM = '''import sys, time
sys.path.insert(0, %r)
import work
%s
print("ready", flush=True)
rounds = 0
while True:
    time.sleep(0.05)
    rounds += 1
    assert sum(n / 7 for n in range(700)) == 34950.0, "the floating-point state"
'''
OLD, NEW = 'LIMIT = 1\ndef f(): return LIMIT\n', 'LIMIT = 25\ndef f(): return LIMIT + 1\n'


def as_user(uid):
    return ['setpriv', '--reuid=%d' % uid, '--regid=%d' % uid, '--clear-groups']


def write(path, text):
    with open(path, 'w') as out:
        out.write(text)


def write_old(folder):
    """With its .pyc, which not every program here may write."""
    write(folder + '/work.py', OLD)
    py_compile.compile(folder + '/work.py', doraise=True)


class GuestTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='mr-', dir='/srv')
        os.chmod(self.folder, 0o755)
        write_old(self.folder)

    def program(self, prefix=(), code='', folder=None):
        """A process that says when it waits; it is ended with the test."""
        process = subprocess.Popen(list(prefix) + ['python3', '-c', PROGRAM % (folder or self.folder, code)],
                                   stdout=subprocess.PIPE, cwd='/')
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        return process.pid

    def attach(self, *args, prefix=()):
        """(status, standard output, standard error)"""
        done = subprocess.run(list(prefix) + [MR_ATTACH] + [str(one) for one in args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def works(self, pid, prefix=()):
        """New code goes in and runs, and the program goes on."""
        self.assertEqual(self.attach(pid, 'exec', '6 * 7', prefix=prefix)[:2], (0, '42\n'))
        write(self.folder + '/work.py', NEW)
        status, said, errors = self.attach(pid, 'reload-stale', prefix=prefix)
        self.assertEqual((status, said.split()[:2]), (0, ['reloaded', 'work']), said + errors)
        self.assertEqual(self.attach(pid, 'exec', 'import work; work.f()', prefix=prefix)[:2], (0, '26\n'))
        self.goes_on(pid)

    def refused(self, pid, status, *words, prefix=()):
        found, said, errors = self.attach('-t', '2', pid, 'exec', '1', prefix=prefix)
        self.assertEqual((found, said), (status, ''), errors)
        for word in words:
            self.assertIn(word, errors)
        self.goes_on(pid)

    def goes_on(self, pid):
        def slept():
            with open('/proc/%d/status' % pid) as file:
                fields = dict(line.split(':\t', 1) for line in file.read().splitlines())
            self.assertEqual(fields['TracerPid'], '0')
            self.assertIn(fields['State'][0], 'SRD')
            return int(fields['voluntary_ctxt_switches'])
        before, end = slept(), time.monotonic() + 60
        while slept() == before:
            self.assertLess(time.monotonic(), end, 'it does not wake any more')
            time.sleep(0.01)

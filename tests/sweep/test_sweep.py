# SPDX-License-Identifier: MIT
"""mr-attach dies before its n-th call, or makes it late, or that call fails with each error of its manual, for n = 1, 2, 3, …
until a run completes.

After each: the target goes on unharmed, nobody holds it, and the next mr-attach works at once and leaves nothing.
"""
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))
from harness import (BY_NAME, HERE_NOW, MR_ATTACH, RUNS, SANITIZED, LiveTest, Target, attach, each, environment,  # noqa: E402
                     expand, status_of, wait_until)

SHIM = os.path.join(os.path.dirname(MR_ATTACH), 'sweep', 'shim.so')
MOST_CALLS = 5000
WAYS = ('longsleep', 'cpoll', 'loop', 'lock', 'read')
SHORT = [('longsleep', 'debian3.11'), ('cpoll', 'debian3.11'), ('loop', 'debian3.11'), ('lock', 'trixie3.13'),
         ('read', 'trixie3.13')]
FAILED = (3, 4, 5, 6, 7, 70)    # never 1, which is for what the code did
GONE = (errno.ESRCH, errno.ENOENT, errno.ECHILD, errno.EFAULT, -1)      # it may have ended; -1: the end of a file
EXPLAINED = (errno.EPERM, errno.EACCES, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESRCH)
MEMORY = ('process_vm_readv', 'process_vm_writev', 'pwrite')    # once the request is there, its memory may be anybody's
LATE = 0.1  # seconds by which a C-level poll may come late on a busy machine

# The main thread waits for ever; its handler says that it has run. The other thread takes signals in its place.
HEARS = '''
import os, signal, threading, time
signal.signal(signal.SIGUSR1, lambda *both: os.write(1, b'{"heard": true}\\n'))
threading.Thread(target=time.sleep, args=(10000,), daemon=True).start()
lock = threading.Lock()
lock.acquire()
os.write(1, b'{"ready": true}\\n')
lock.acquire()
'''


def combinations():
    if RUNS == 'check':
        return [('%s_%s' % (way, name.replace('.', '_')), BY_NAME[name], way) for way, name in SHORT if name in BY_NAME]
    return [('%s_%s' % (way, p.name.replace('.', '_')), p, way) for p in HERE_NOW for way in WAYS
            if not (way == 'cpoll' and p.name.startswith('musl'))]


@unittest.skipIf(SANITIZED, 'the library of a sanitizer must come before any preloaded one')
@expand
class Sweep(LiveTest):
    command, begin, late = ('exec', '1 + 1'), 0, LATE

    def one_run(self, target, mode, n, which=0):
        """Returns (result, what the shim noted: the name of the call, or 'end', and four numbers)."""
        with tempfile.NamedTemporaryFile(prefix='mr-sweep-') as log:
            result = attach(target.pid, '--timeout', '5', '-j', *self.command, preload=SHIM,
                            env={'SHIM_AT': str(n), 'SHIM_MODE': mode, 'SHIM_WHICH': str(which), 'SHIM_LOG': log.name})
            noted = log.read().decode().split()
        return result, noted or ['nothing', '0', '0', '0', '0']

    def first(self, target):
        """Where to begin: a short sweep leaves out what comes before the target is touched at all."""
        if RUNS == 'all' or self.begin:
            return self.begin or 1
        result, noted = self.one_run(target, 'count', 0)
        self.assertStatus(result, 0)
        self.assertGreater(int(noted[1]), 10, 'the shim saw too few calls to be in place')
        return max(1, int(noted[2]) - 10)

    def examine(self, target, result, mode, call, number):
        if mode == 'die':
            self.assertStatus(result, -signal.SIGKILL)
        elif mode == 'late' or result.status == 0:
            self.assertEqual((result.status, result.value), (0, '2'), str(result))
        else:
            self.assertIn(result.status, FAILED, str(result))
            self.assertTrue(result.json['error']['message'], str(result))
            code, why = result.json['error']['code'], '%s: %s' % (errno.errorcode.get(number), result)
            if number not in GONE:
                self.assertNotIn(code, ('no-such-process', 'not-python'), why)
            if number not in GONE and call not in MEMORY:
                self.assertNotEqual(code, 'ended', why)
            if number in EXPLAINED:
                self.assertNotEqual(code, 'bug', why)
        self.assertTrue(target.alive(), 'the target is dead')
        self.assertEqual(target.unchanged(leftover=1), [])
        again = target.attach('--timeout', '5', '-j', 'exec', '6 * 7')
        self.assertEqual(again.status, 0, 'the next mr-attach:\n%s' % again)
        self.assertEqual(again.value, '42')
        self.assertEqual(target.unchanged(), [], 'after the next mr-attach')

    def witness(self, target, way):
        if way == 'longsleep':
            self.assertTrue(target.alive())
            return
        report = target.stop()
        if way == 'cpoll':
            self.assertLess(max(report['lasted']), self.late, 'the C-level poll came late')

    def sweep(self, python, way, mode):
        harm, which = [], 0
        target = Target(way, python).__enter__()
        try:
            n = self.first(target)
            while n < MOST_CALLS and len(harm) < 5:
                result, noted = self.one_run(target, mode, n, which)
                if noted[0] == 'end':
                    self.assertStatus(result, 0)
                    break
                try:
                    self.examine(target, result, mode, noted[0], int(noted[4]))
                except AssertionError as error:
                    harm.append('call %d, %s, error %d, mode %s: %s' % (n, noted[0], which, mode, error))
                    target.kill()
                    target = Target(way, python).__enter__()
                more = mode == 'fail' and which + 1 < int(noted[3])
                n, which = (n, which + 1) if more else (n + 1, 0)
            self.assertEqual(harm, [], '\n' + '\n'.join(harm))
            self.assertLess(n, MOST_CALLS, 'no end')
            self.witness(target, way)
        finally:
            target.kill()

    @each(combinations())
    def test_die(self, python, way):
        self.sweep(python, way, 'die')

    @each([one for one in combinations() if RUNS == 'all' or one[0] == 'longsleep_debian3_11'])
    def test_die_while_the_engine_asks(self, python, way):
        """What comes before it asks is as in any command: this begins where an exec would be about to end."""
        with Target(way, python) as target:
            self.begin = int(self.one_run(target, 'count', 0)[1][1]) - 60
        self.command, self.late = ('stale',), LATE + 0.5         # so long the engine waits for one that died
        self.sweep(python, way, 'die')

    @each([one for one in combinations() if RUNS == 'all' or one[0] == 'longsleep_debian3_11'])
    def test_fail(self, python, way):
        self.sweep(python, way, 'fail')

    @each([one for one in combinations() if RUNS == 'all' or one[0] == 'loop_debian3_11'])
    def test_late(self, python, way):
        self.sweep(python, way, 'late')

    def signalled_run(self, target, n):
        """A run that is late at its n-th call, and a signal as soon as it holds the main thread for longer. Returns whether it is
        over, and whether there was a signal."""
        sent, done = [], []

        def strike():
            while not done and not sent:
                time.sleep(0.01)
                if status_of(target.pid)['TracerPid'] != '0':
                    os.kill(target.pid, signal.SIGUSR1)
                    sent.append(n)
        thread = threading.Thread(target=strike)
        thread.start()
        result, noted = self.one_run(target, 'late', n)
        done.append(n)
        thread.join()
        self.assertEqual((result.status, result.value), (0, '2'), str(result))
        return noted[0] == 'end', sent

    @each([(p.name.replace('.', '_'), p) for p in HERE_NOW
           if not p.name.startswith('musl') and (RUNS == 'all' or p.name in ('debian3.11', 'sid3.15'))])
    def test_a_signal_while_it_is_held(self, python):
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(HEARS)
            script.flush()
            with Target('program', python, script=script.name) as target:
                n, signals, over = self.first(target), 0, False
                while not over:
                    over, sent = self.signalled_run(target, n)
                    if sent:
                        self.assertEqual(target.hear(), {'heard': True}, 'call %d' % n)
                    n, signals = n + 1, signals + len(sent)
        self.assertGreater(signals, 5)

    def suspended_run(self, target, n):
        """A run that is late at its n-th call, and Ctrl-Z as soon as it holds the thread. Returns what the shim noted, and whether
        there was a Ctrl-Z."""
        log = tempfile.NamedTemporaryFile(prefix='mr-sweep-')
        env = dict(environment(), LD_PRELOAD=SHIM, SHIM_AT=str(n), SHIM_MODE='late', SHIM_LOG=log.name)
        with log, subprocess.Popen([MR_ATTACH, str(target.pid), 'exec', 'None'], env=env,
                                   preexec_fn=lambda: os.setpgid(0, 0)) as process:
            struck = False
            while process.poll() is None and not struck:
                time.sleep(0.01)
                if status_of(target.pid)['TracerPid'] != '0':
                    process.send_signal(signal.SIGTSTP)
                    struck = True
            try:
                if struck:
                    wait_until(lambda: status_of(process.pid)['State'][0] in 'TZ', 'mr-attach is stopped')
                    self.assertUnharmed(target, leftover=1)
            finally:
                process.send_signal(signal.SIGCONT)
            self.assertEqual(process.wait(), 0)
            return log.read().split()[:1], struck

    def test_it_is_suspended_while_it_holds(self):
        with Target('longsleep') as target:
            n, suspended, noted = self.first(target), 0, []
            while noted != [b'end']:
                noted, struck = self.suspended_run(target, n)
                n, suspended = n + 1, suspended + struck
            self.assertGreater(suspended, 5)
            self.assertUnharmed(target)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Every CPython x every way of waiting or running: our code runs, in the right place, and nothing else changes."""
import ast
import os
import socket
import unittest

from harness import (DEFAULT, FUTEX_WAITS, HERE_NOW, OPEN_WAITS, REQUIRED, RUNNING, RUNS, TIMED_WAITS, WAYS, LiveTest, Target,
                     attach, can, each, expand, label, read, wait_until)
from test_hostile import hostile

WHO = ('import os, sys, threading; (os.getpid(), threading.get_ident() == threading.main_thread().ident, '
       'sys.version_info[:2], __name__)')
EVERYWHERE = ('read', 'sleep', 'lock', 'loop')  # what `make check` tries on every CPython
MANY = 500


def combinations():
    for python in HERE_NOW:
        for way in WAYS:
            if can(python, way) and (RUNS == 'all' or python in REQUIRED or way in EVERYWHERE):
                yield python, way


@expand
class Ways(LiveTest):
    def one(self, python, way, threads):
        with Target(way, python, threads) as target:
            result = target.attach('-j', 'exec', WHO)
            self.assertStatus(result, 0)
            report = result.json
            self.assertReport(report)
            pid, is_main, version, name = ast.literal_eval(report['value'])
            self.assertEqual((pid, version, name), (target.pid, python.version, '__mr_attach__'))
            self.assertIn(report['delivery'], ('parked-main', 'pending-main', 'own-thread'))
            self.assertEqual(is_main, report['delivery'] != 'own-thread', report)
            if way not in RUNNING and not python.name.startswith('musl'):
                self.assertTrue(is_main, 'a waiting main thread is where the code belongs: %s' % report)
            self.assertUnharmed(target)
            said = target.stop()
            self.assertGreaterEqual(said['rounds'], 0)
            if way in TIMED_WAITS:
                self.assertLess(max(said['lasted'] or [0]), 0.25)

    @each([('%s_%s' % (label(p), way), p, way) for p, way in combinations()])
    def test_one_thread(self, python, way):
        self.one(python, way, 1)

    @each([('%s_%s' % (label(p), way), p, way) for p, way in combinations()
           if RUNS == 'all' or (p in REQUIRED and way in ('poll', 'queue', 'cpoll', 'loop', 'sha256')) or way == 'read'])
    def test_500_threads(self, python, way):
        self.one(python, way, MANY)

    @each([(label(p), p) for p in HERE_NOW])
    def test_busy_threads(self, python):
        with Target('busy4', python) as target:
            for _ in range(5):
                result = target.attach('-j', 'exec', 'import os; os.getpid()')
                self.assertStatus(result, 0)
                self.assertEqual(result.value, str(target.pid))
            self.assertUnharmed(target)
            target.stop()

    @each([('%s_%s' % (label(p), way), p, way) for p in HERE_NOW if p.name.startswith('musl') for way in FUTEX_WAITS[:2]])
    def test_no_turn(self, python, way):
        with Target(way, python) as target:
            self.assertStatus(target.attach('-t', '0.3', 'exec', 'import sys; sys.stderr.write("ran")'), 6)
            self.assertUnharmed(target)
            target.stop()

    @each([(label(p), p) for p in HERE_NOW])
    def test_info(self, python):
        with Target('read', python) as target:
            result = target.attach('info')
            self.assertStatus(result, 0)
            self.assertIn('.'.join(map(str, python.version)), result.stdout)
            report = target.attach('-j', 'info').json
            self.assertReport(report)
            self.assertTrue(report['python'].startswith('.'.join(map(str, python.version))), report)
            self.assertEqual(report['info']['interpreters'], 1)
            self.assertUnharmed(target)
            target.stop()


@expand
class Again(LiveTest):
    """200 runs, one after the other, against a waiting target: all of them where it waits. How fast: make bench."""

    @each([(way, way) for way in (OPEN_WAITS + ('sleep', 'cpoll') if RUNS == 'all' else ('longsleep', 'lock', 'epoll'))])
    def test_200_runs(self, way):
        with Target(way, DEFAULT) as target:
            for _ in range(200):
                result = target.attach('-j', 'exec', '1')
                self.assertStatus(result, 0)
                self.assertEqual(result.json['delivery'], 'parked-main')
            self.assertUnharmed(target)
            if way != 'longsleep':  # that one goes on for ever
                target.stop()


# Each does more in one call than its peer lets it at first, and says how much that was.
PARTLY = {
    'write': ('pipe', 'os.write(fd, bytes(1000000))'),
    'writev': ('pipe', 'os.writev(fd, [bytes(1000000)])'),
    'send': ('socket', 'socket.socket(fileno=fd).send(bytes(1000000))'),
    'sendmsg': ('socket', 'socket.socket(fileno=fd).sendmsg([bytes(1000000)])'),
    'waitall': ('socket', 'len(socket.socket(fileno=fd).recv(1000000, socket.MSG_WAITALL))'),
}


@expand
class Partly(LiveTest):
    def blocked(self, pid, fd):
        call = read('/proc/%d/syscall' % pid).split()
        return len(call) > 2 and call[1] == hex(fd)

    @each([(name, kind, call) for name, (kind, call) in PARTLY.items()])
    def test_it_is_not_cut_short(self, kind, call):
        ours, its = os.pipe() if kind == 'pipe' else [end.detach() for end in socket.socketpair()]
        code = 'import os, socket\nfd = %d\nready()\nprint(%s, flush=True)\nwait()' % (its, call)
        with open(ours, 'rb' if kind == 'pipe' else 'r+b', buffering=0) as peer:
            with hostile(code, pass_fds=[its]) as process:
                os.close(its)
                if 'WAITALL' in call:
                    peer.write(b'y' * 1000)
                wait_until(lambda: self.blocked(process.pid, its), 'it is in the call')
                result = attach(process.pid, '-t', '0.3', 'exec', '1')
                self.assertStatus(result, 6)
                self.assertIn('cut short', result.stderr)
                if 'WAITALL' in call:
                    peer.write(b'y' * 999000)
                done = 0
                while 'WAITALL' not in call and done < 1000000:
                    done += len(peer.read(65536))
                self.assertEqual(process.stdout.readline(), b'1000000\n')
                self.assertStatus(attach(process.pid, 'exec', '1'), 0)


if __name__ == '__main__':
    unittest.main()

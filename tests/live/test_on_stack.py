# SPDX-License-Identifier: MIT
"""--on-stack: what is done about functions that run while their code changes. And --dependents, from outside."""
import contextlib
import os
import signal
import subprocess
import unittest

from harness import HERE_NOW, MR_ATTACH, PATIENCE, REQUIRED, LiveTest, Target, each, environment, expand, label
from test_reload import ReloadTest, shop

MAIN = '''import os, signal, threading, time
import slow, tax
gates = {"worker": threading.Event(), "main": threading.Event()}
signal.signal(signal.SIGUSR1, lambda *unused: gates["main"].set())
done = []
first = threading.Thread(target=int)
first.start()
first.join()                                 # the end of a first thread loads libgcc_s
while os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1:
    time.sleep(0.001)                        # the kernel's own end of it comes later
worker = threading.Thread(target=lambda: done.append(slow.work(gates["worker"])), name="worker-7")
'''
SLOW = '''RATE = 1


def work(gate):
    gate.wait()
    return "old"
'''
LOOP = '''import json, sys
LIMIT = 1
%s
def work(n): return n + LIMIT
print(json.dumps({"ready": True}), flush=True)
for line in iter(sys.stdin.readline, ""):
    print(json.dumps({"answer": repr(work(1))}), flush=True)
'''
PYTHONS = [(label(p), p) for p in HERE_NOW if p in REQUIRED or p.name in ('pyenv3.6', 'pyenv3.8')]


@contextlib.contextmanager
def slow(python):
    with shop(python, files={'main.py': MAIN, 'slow.py': SLOW, 'tax.py': 'import slow\nTAX = slow.RATE * 2\n'}) as s:
        s.edit('slow.py', '"old"', '"new"')
        yield s


@contextlib.contextmanager
def waiting(s):
    """mr-attach, which has tried twice already and goes on."""
    command = [MR_ATTACH, '-vjt0', '--on-stack=wait', str(s.target.pid), 'reload-stale']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    try:
        tries = 0
        while tries < 2:
            line = process.stderr.readline()
            assert line, 'it ended: %s' % process.stdout.read()
            tries += b'the request has' in line
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


@expand
class OnStack(ReloadTest):
    @each(PYTHONS)
    def test_refuse(self, python):
        with slow(python) as s:
            s.ask('worker.start()')
            result = s.attach('--on-stack=refuse', 'reload-stale')
            self.assertStatus(result, 1)
            self.assertReport(result.json)
            self.assertEqual(result.json['error']['code'], 'on-stack')
            self.assertIn('slow.work is running in thread worker-7, line 5', result.json['error']['message'])
            self.assertIn('--on-stack wait', result.json['error']['hint'])
            running = self.module(result, 'slow')['running_old']
            self.assertEqual([(one['kind'], one['thread'], one['line']) for one in running], [('frame', 'worker-7', 5)])
            self.assertEqual(s.ask('slow.work.__code__.co_consts[-1]'), "'old'")
            self.assertEqual(s.ask('[gates["worker"].set(), worker.join(), done][2]'), "['old']")
            self.assertReloaded(s.attach('--on-stack=refuse', 'reload-stale'), 'slow')
            self.finish(s)

    @each(PYTHONS)
    def test_wait_in_vain(self, python):
        with slow(python) as s:
            s.ask('worker.start()')
            result = s.attach('--on-stack=wait', '-t', '2', 'reload-stale')
            self.assertStatus(result, 7)
            self.assertReport(result.json)
            self.assertEqual((result.json['status'], result.json['error']['code']), (7, 'on-stack'))
            self.assertIn('worker-7', result.json['error']['message'])
            self.assertEqual(s.ask('[gates["worker"].set(), worker.join(), done][2]'), "['old']")
            self.assertUnharmed(s.target)
            s.target.stop()

    @each(PYTHONS)
    def test_wait_for_another_thread(self, python):
        with slow(python) as s:
            s.ask('worker.start()')
            with waiting(s) as process:
                self.assertEqual(s.ask('[gates["worker"].set(), worker.join(), done][2]'), "['old']")
                self.assertEqual(process.wait(PATIENCE), 0)
                self.assertIn(b'"state":"reloaded"', process.stdout.read())
            self.assertEqual(s.ask('slow.work(gates["worker"])'), "'new'")
            self.finish(s)

    @each(PYTHONS)
    def test_wait_for_the_thread_that_it_runs_in(self, python):
        with slow(python) as s:
            os.write(s.target.process.stdin.fileno(), b'slow.work(gates["main"])\n')
            with waiting(s) as process:
                os.kill(s.target.pid, signal.SIGUSR1)
                self.assertEqual(s.target.hear()['answer'], "'old'")
                self.assertEqual(process.wait(PATIENCE), 0)
            self.assertEqual(s.ask('slow.work(gates["main"])'), "'new'")
            self.finish(s)

    def test_wait_until_a_signal(self):
        with slow(PYTHONS[0][1]) as s:
            s.ask('worker.start()')
            with waiting(s) as process:
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(PATIENCE), 128 + signal.SIGTERM)
                self.assertIn(b'ended by SIGTERM: nothing was done', process.stderr.read())
            s.ask('[gates["worker"].set(), worker.join()]')
            s.target.stop()


@expand
class Dependents(ReloadTest):
    @each(PYTHONS)
    def test_made_again(self, python):
        with slow(python) as s:
            s.edit('slow.py', 'RATE = 1', 'RATE = 10')
            result = s.attach('-n', '--dependents', 'reload', 'slow')
            self.assertStatus(result, 0)
            self.assertEqual(self.module(result, 'tax')['executed'], [{'line': 2, 'text': 'TAX = slow.RATE * 2'}])
            self.assertEqual(s.ask('tax.TAX'), '2')
            self.assertReloaded(s.attach('--dependents', 'reload', 'slow'), 'slow', 'tax')
            self.assertEqual(s.ask('tax.TAX'), '20')
            self.assertStatus(s.attach('undo'), 0)
            self.assertEqual(s.ask('(slow.RATE, tax.TAX)'), '(1, 2)')
            self.assertUnharmed(s.target)
            s.target.stop()


@expand
class MainLoop(LiveTest):
    """From 3.11 on the body that runs has a function of its own."""

    @each([(name + suffix, python, held) for name, python in PYTHONS
           for suffix, held in (('', ''), ('_held', 'here = globals()'))])
    def test_it_is_no_old_code(self, python, held):
        with python.folder() as (inside, outside):
            path = os.path.join(outside, 'app.py')
            write(path, LOOP % held)
            with Target('program', command=python.argv(inside + '/app.py')) as target:
                write(path, LOOP.replace('n + LIMIT', 'n - LIMIT').replace('LIMIT = 1', 'LIMIT = 5') % held)
                result = target.attach('-j', 'reload-stale')
                self.assertStatus(result, 0)
                self.assertEqual([(one['name'], one['kept_old']) for one in result.json['modules']], [('__main__', [])])
                self.assertEqual(bool(result.json['heap']), bool(held), 'walked')
                self.assertEqual(target.ask(''), '-4')
                self.assertUnharmed(target)


def write(path, text):
    with open(path, 'w') as out:
        out.write(text)


if __name__ == '__main__':
    unittest.main()

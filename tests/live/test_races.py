# SPDX-License-Identifier: MIT
"""What the process does at any moment of an attach: it ends, begins another program, forks, is stopped, is frozen, is killed,
closes its descriptors, loses its main thread, and its pid is given to another one."""
import os
import random
import signal
import subprocess
import time
import unittest

from harness import (HERE, HERE_NOW, MR_ATTACH, PATIENCE, REQUIRED, RUNS, LiveTest, Target, attach, each, environment, expand, label,
                     read, regions, status_of, wait_until)
from test_hostile import hostile

RACES = 40 if RUNS == 'check' else 400
LIFE = 0.012                                 # about as long as an attach lasts: the moments are spread over it
TIMEOUT = '3'
LIBRARY = os.path.join(os.path.dirname(MR_ATTACH), 'storm', 'helper.so')
CGROUPS = '/sys/fs/cgroup/unified' if os.path.isdir('/sys/fs/cgroup/unified') else '/sys/fs/cgroup'
CASES = [('%s_%s' % (label(p), way), p, way) for p in REQUIRED for way in ('wait', 'run')]

FORKS = '''
import gc, os, sys, threading, warnings
warnings.resetwarnings()
warnings.defaultaction = 'ignore'            # of forks in a process with threads
first, found, ending = sys.stdout, {}, []

def state():
    return gc.isenabled(), sys.stdout is first, sys.getswitchinterval(), sys.getrecursionlimit()

def forks():
    while not ending:
        reader, writer = os.pipe()
        if not os.fork():
            os.write(writer, repr(state()).encode())
            os._exit(0)
        os.close(writer)
        said = os.read(reader, 100)
        os.close(reader)
        os.wait()
        found[said] = found.get(said, 0) + 1

def end():
    ending.append(1)
    thread.join()
    return len(found), repr(state()).encode() in found

thread = threading.Thread(target=forks)
thread.start()
'''


def racer(way, python, act, *args, threads=1):
    script = os.path.join(HERE, 'racer.py')
    return Target(way, python, threads, script=script, args=(act,) + args, env={'RACER': read(script)})


@expand
class Races(LiveTest):
    def attach_while(self, target, strike, draw, allowed):
        """One attach, and STRIKE at a moment of it; mr-attach must end in time with a status that is right."""
        process = subprocess.Popen([MR_ATTACH, str(target.pid), '-t', TIMEOUT, 'exec', '1 + 1'], env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(draw.uniform(0, LIFE))
        strike(target)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, allowed, err.decode())
        if process.returncode == 0:
            self.assertEqual(out, b'2\n')
        return process.returncode

    def race(self, python, way, act, strike, allowed, *args):
        """Many attaches, each to a fresh target."""
        draw = random.Random('%s %s' % (way, act))
        for _ in range(RACES):
            with racer(way, python, act, *args) as target:
                self.attach_while(target, strike, draw, allowed)
                yield target

    def race_on(self, target, strike, allowed):
        """Many attaches to the same one, which is asked for its last words."""
        draw = random.Random(target.way)
        for _ in range(RACES):
            self.attach_while(target, strike, draw, allowed)
        self.assertStatus(target.attach('exec', '1'), 0)     # takes out what one that gave up had to leave
        self.assertUnharmed(target)
        return self.ends_well(target)

    def ends_well(self, target):
        """It says its last words, which are right, and ends with 0."""
        target.leave()
        said = target.hear()
        self.assertIsNotNone(said, target.process.stderr.read())
        self.assertEqual(said['report']['wrong'], 0)
        self.assertEqual(target.process.wait(PATIENCE), 0)
        self.assertEqual(target.process.stderr.read(), b'')
        return said['report']

    def signal_it(self, target):
        os.kill(target.pid, signal.SIGUSR1)

    @each(CASES)
    def test_it_ends(self, python, way):
        for target in self.race(python, way, 'nothing', Target.leave, (0, 3, 5, 6)):
            self.assertEqual(target.process.wait(PATIENCE), 0)
            self.assertEqual(target.process.stderr.read(), b'')

    @each(CASES)
    def test_it_exits_from_a_handler(self, python, way):
        for target in self.race(python, way, 'exit', self.signal_it, (0, 1, 3, 5, 6)):
            self.assertEqual(target.process.wait(PATIENCE), 0)
            self.assertEqual(target.process.stderr.read(), b'')

    @each(CASES)
    def test_it_is_killed(self, python, way):
        for target in self.race(python, way, 'nothing', lambda t: t.process.kill(), (0, 3)):
            self.assertEqual(target.process.wait(PATIENCE), -signal.SIGKILL)

    @each(CASES)
    def test_it_begins_another_program(self, python, way):
        for target in self.race(python, way, 'exec', self.signal_it, (0, 3, 5, 6)):
            target.until_ready()
            self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            self.ends_well(target)

    @each(CASES)
    def test_it_forks(self, python, way):
        with racer(way, python, 'fork') as target:
            children = self.race_on(target, self.signal_it, (0, 6))['children']
        self.assertEqual(set(children), {7})
        self.assertGreater(len(children), RACES // 2)

    @each([(label(p), p) for p in HERE_NOW])
    def test_another_thread_forks(self, python):
        """While we work collection is off, and output is ours: a child, in which our thread is not, has none of that."""
        with python.folder() as (inside, outside):
            with open(os.path.join(outside, 'main.py'), 'w') as file:
                file.write(FORKS)
            with Target('program', python, args=[inside + '/main.py']) as target:
                for _ in range(4):
                    self.assertStatus(target.attach('exec', 'sum(range(100000))'), 0)
                    if not python.free_threaded:
                        self.assertStatus(target.attach('stale', '--all'), 0)
                self.assertEqual(target.ask('end()'), '(1, True)')
                target.stop()

    @each(CASES)
    def test_it_is_stopped_and_continued(self, python, way):
        def strike(target):
            os.kill(target.pid, signal.SIGSTOP)
            time.sleep(0.02)
            os.kill(target.pid, signal.SIGCONT)
        with racer(way, python, 'nothing') as target:
            self.race_on(target, strike, (0, 6))

    @each(CASES)
    def test_it_closes_all_its_descriptors(self, python, way):
        for target in self.race(python, way, 'close', self.signal_it, (0, 6)):
            self.assertStatus(target.attach('exec', '1'), 0)
            target.leave()
            self.assertEqual(target.hear()['report']['wrong'], 0)
            self.assertEqual(target.process.wait(PATIENCE), 0)

    @each([case for case in CASES if not case[1].root])
    def test_it_loses_its_main_thread(self, python, way):
        for target in self.race(python, way, 'lose', self.signal_it, (0, 3, 5, 6), LIBRARY):
            wait_until(lambda: status_of(target.pid)['State'][0] == 'Z' and target.process.poll() is None,
                       'the main thread is gone')
            self.assertIn(target.attach('-t', '0.3', 'exec', '1').status, (0, 3, 5, 6))
            target.leave()
            self.assertEqual(target.hear()['report']['wrong'], 0)

    @each(CASES)
    def test_it_is_frozen(self, python, way):
        folder = os.path.join(CGROUPS, 'mr-attach-test-%d' % os.getpid())
        try:
            os.mkdir(folder)
        except OSError as error:
            self.skipTest('no control group can be made: %s' % error)
        if not os.path.exists(folder + '/cgroup.freeze'):
            os.rmdir(folder)
            self.skipTest('no control group of version 2')

        def put(name, text):
            with open(os.path.join(folder, name), 'w') as file:
                file.write(text)
        target = None

        def strike(target):
            put('cgroup.freeze', '1')
            time.sleep(0.03)
            put('cgroup.freeze', '0')
        try:
            with racer(way, python, 'nothing') as target:
                put('cgroup.procs', str(target.pid))
                draw = random.Random(way)
                for _ in range(RACES):
                    self.attach_while(target, strike, draw, (0, 6))
                put('cgroup.freeze', '1')
                self.assertStatus(target.attach('-t', '0.3', 'exec', '1'), 6)
                put('cgroup.freeze', '0')
                self.assertStatus(target.attach('exec', '1'), 0)
                self.assertUnharmed(target)
                self.ends_well(target)
        finally:
            wait_until(lambda: not read(folder + '/cgroup.procs'), 'the group is empty')
            os.rmdir(folder)

    @unittest.skipUnless(os.geteuid() == 0, 'needs root: a pid namespace')
    def test_its_pid_is_given_to_another_one(self):
        """In a pid namespace of our own, where the next pid can be chosen. The new process must not run the request."""
        program = ('import os, random, signal, subprocess, sys, time\n'
                   'draw, late = random.Random(1), 0\n'
                   'code = "import sys, time\\nran = False\\nsys.stdin.read(1)\\nsys.exit(1 if ran else 0)"\n'
                   'def seen(tool, pid):\n'         # it has opened the old one's memory: no other is meant
                   '    folder = "/proc/%%d/fd/" %% tool.pid\n'
                   '    try: return any(os.readlink(folder + fd) == "/proc/%%d/mem" %% pid for fd in os.listdir(folder))\n'
                   '    except OSError: return False\n'
                   'def start(): return subprocess.Popen([%r, "-c", code], stdin=subprocess.PIPE)\n'
                   'for _ in range(%d):\n'
                   '    old = start()\n'
                   '    time.sleep(0.03)\n'
                   '    tool = subprocess.Popen([%r, str(old.pid), "-t", "2", "exec", "import __main__; __main__.ran = True"],\n'
                   '                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n'
                   '    while tool.poll() is None and not seen(tool, old.pid): pass\n'
                   '    time.sleep(draw.uniform(0, %r))\n'
                   '    old.kill(); old.wait()\n'
                   '    open("/proc/sys/kernel/ns_last_pid", "w").write(str(old.pid - 1))\n'
                   '    new = start()\n'
                   '    status = tool.wait(30)\n'
                   '    late += new.pid == old.pid\n'
                   '    new.stdin.write(b"x"); new.stdin.close()\n'
                   '    ended = new.wait(30)\n'
                   '    assert (status, ended) in ((0, 0), (3, 0), (5, 0), (6, 0)), (status, ended, new.pid == old.pid)\n'
                   'print(late)\n' % (REQUIRED[0].program, RACES, MR_ATTACH, LIFE))
        done = subprocess.run(['unshare', '--pid', '--fork', '--mount-proc', 'python3', '-c', program], env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertGreater(int(done.stdout), RACES // 2, 'the pid was hardly ever given again')


class Doubt(LiveTest):
    def test_a_handler_may_have_interrupted_it_on_its_way(self):
        """The main thread was sent to a region and has not arrived; now it is in a handler, and may return into the region."""
        code = '''
map_at(REGION, 4096, 5); map_at(BLOCK, 65536, 3)
head = struct.pack('<QIIQ8I', MAGIC, 5, os.getpid(), 65536, 1, 0, 1, 1, 0, 0, 0, 0)  # READY, cancelled, sent once
ctypes.memmove(BLOCK, head, len(head))
ctypes.memmove(BLOCK + THREAD, struct.pack('<Q', os.getpid()), 8)
threading.Thread(target=wait, daemon=True).start()
libc.signal(10, libc.pause)
ready()
getattr(libc, 'raise')(10)
'''
        with hostile('MAGIC, THREAD = 0x686374612d726d00, 184      # payload/request.h' + code) as process:
            wait_until(lambda: status_of(process.pid)['SigBlk'].endswith('200'), 'its handler runs')
            self.assertEqual(len(regions(process.pid)), 2)
            result = attach('--timeout', '1', process.pid, 'exec', '1')
            self.assertStatus(result, 0)
            self.assertEqual(len(regions(process.pid)), 2)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Many attaches, two at once, and mr-attach killed at any moment: nothing piles up and nothing breaks."""
import os
import random
import signal
import subprocess
import time
import unittest

from harness import (MR_ATTACH, PATIENCE, REQUIRED, RUNS, LiveTest, Snapshot, Target, attach, each, environment,
                     expand, label, read, wait_until)

ATTACHES = 200
KILLS = 100 if RUNS == 'check' else 1000


def start(pid, *args):
    return subprocess.Popen([MR_ATTACH, str(pid)] + list(args), env=environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@expand
class Many(LiveTest):
    @each([('%s_%s' % (label(p), way), p, way) for p in REQUIRED for way in ('read', 'loop')])
    def test_nothing_grows(self, python, way):
        with Target(way, python, threads=4) as target:
            for _ in range(20):
                self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            early = Snapshot(target.pid)
            for _ in range(ATTACHES):
                self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            late = Snapshot(target.pid)
            self.assertLessEqual(len(late.maps), len(early.maps) + 1)
            self.assertEqual((late.fds, late.threads), (early.fds, early.threads))
            grown = int(late.status['VmRSS'].split()[0]) - int(early.status['VmRSS'].split()[0])
            self.assertLess(grown, 2048, 'kB')  # the interpreter's own cached heap settles after some hundred runs
            target.stop()

    @each([(label(p), p) for p in REQUIRED])
    def test_two_at_once(self, python):
        for way in ('read', 'loop'):
            with Target(way, python) as target:
                for _ in range(10):
                    both = [start(target.pid, 'exec', 'import time; time.sleep(0.05); %d' % n) for n in range(2)]
                    for n, process in enumerate(both):
                        out, err = process.communicate(timeout=PATIENCE)
                        self.assertEqual((process.returncode, out.decode().strip()), (0, str(n)), err.decode())
                self.assertUnharmed(target)
                target.stop()

    @unittest.skipUnless(os.geteuid() == 0, 'needs root: mounts of /proc')
    def test_from_other_mounts_of_proc(self):
        """Of which none sees the lock of another: each request that is said to be done ran once, all others never."""
        script = ('mount -t proc proc /proc; for n in $(seq %d); do "$0" "$1" -t 20 exec '
                  '"import __main__; __main__.__dict__.setdefault(\'ledger\', []).append(\'$2.$n\')"; echo $2.$n $?; done')
        if subprocess.run(['unshare', '-m', 'mount', '-t', 'proc', 'proc', '/proc'], stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no mounts here')
        for way in ('sleep', 'loop'):
            with Target(way) as target:
                tools = [subprocess.Popen(['unshare', '-m', 'sh', '-c', script % 30, MR_ATTACH, str(target.pid), str(n)],
                                          env=environment(), stdout=subprocess.PIPE) for n in range(3)]
                said = [line.split() for tool in tools for line in tool.communicate(timeout=120)[0].decode().splitlines()]
                ledger = target.attach('-j', 'exec', 'import __main__; __main__.ledger').json['value']
                self.assertEqual(sorted(eval(ledger)), sorted(name for name, status in said if status == '0'))
                self.assertLessEqual({status for _, status in said}, {'0', '4'})    # 4: found held for 100 ms
                self.assertUnharmed(target)
                target.stop()

    def test_eight_at_once(self):
        with Target('read') as target:
            all_of_them = [start(target.pid, 'exec', str(n)) for n in range(8)]
            for n, process in enumerate(all_of_them):
                out, err = process.communicate(timeout=PATIENCE)
                self.assertEqual((process.returncode, out.decode().strip()), (0, str(n)), err.decode())
            self.assertUnharmed(target)
            target.stop()

    @each([('%s_%s' % (label(p), way), p, way) for p in REQUIRED for way in ('read', 'loop', 'cpoll', 'lock', 'busy4')])
    def test_killed_at_random(self, python, way):
        draw = random.Random(way)
        with Target(way, python) as target:
            for n in range(KILLS):
                process = start(target.pid, 'exec', 'sum(range(1000))')
                time.sleep(draw.uniform(0, 0.015))
                process.kill()
                process.communicate()
                if n % 10 == 9:
                    self.assertTrue(target.alive(), 'dead after %d kills' % (n + 1))
                    self.assertStatus(target.attach('-t', '10', 'exec', '1'), 0)
            self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            target.stop()

    def test_killed_while_our_code_runs(self):
        with Target('read') as target:
            for _ in range(10):
                process = start(target.pid, '-t', '0', 'exec', 'import time; time.sleep(0.3)')
                time.sleep(0.1)
                process.kill()
                process.communicate()
                self.assertStatus(target.attach('exec', '1'), 0)
            time.sleep(0.5)  # until the last one's code has ended
            self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            target.stop()

    def test_the_target_ends_while_our_code_runs(self):
        for code in ('import os; os._exit(5)', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'):
            with Target('read') as target:
                result = target.attach('exec', code)
                self.assertStatus(result, 3)

    def test_the_target_execs_while_our_code_runs(self):
        with Target('read') as target:
            result = target.attach('-t', '2', 'exec', 'import os; os.execv("/bin/sleep", ["sleep", "1000"])')
            self.assertIn(result.status, (3, 5, 7), str(result))
            wait_until(lambda: read('/proc/%d/comm' % target.pid) == 'sleep\n', 'it is another program')

    def test_the_target_forks(self):
        with Target('read') as target:
            code = 'import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)[1]'
            result = target.attach('-j', 'exec', code)
            self.assertStatus(result, 0)
            self.assertEqual(result.value, '0')
            self.assertUnharmed(target)
            target.stop()

    def test_a_stop_and_a_continue_meanwhile(self):
        with Target('read') as target:
            process = start(target.pid, 'exec', 'import time; time.sleep(0.3); 5')
            time.sleep(0.1)
            os.kill(target.pid, signal.SIGSTOP)
            time.sleep(0.1)
            os.kill(target.pid, signal.SIGCONT)
            out, err = process.communicate(timeout=PATIENCE)
            self.assertEqual((process.returncode, out), (0, b'5\n'), err)
            self.assertUnharmed(target)
            target.stop()

    def test_many_targets_in_one_command(self):
        targets = [Target('read').__enter__() for _ in range(8)]
        try:
            result = attach(*([t.pid for t in targets] + ['-j', 'exec', '1']))
            self.assertStatus(result, 0)
            self.assertEqual(result.stdout.count('\n'), 8)
            for target in targets:
                self.assertUnharmed(target)
                target.stop()
        finally:
            for target in targets:
                target.kill()


if __name__ == '__main__':
    unittest.main()

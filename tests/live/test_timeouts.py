# SPDX-License-Identifier: MIT
"""Limits of time: what does not begin in time never runs, what does not end in time is interrupted, waits stay exact."""
import os
import signal
import subprocess
import time
import unittest

from harness import (MR_ATTACH, PATIENCE, REQUIRED, RUNS, HERE_NOW, LiveTest, Target, TIMED_WAITS, can, each,
                     each_python, environment, expand, label, wait_until)

FOREVER = 'while True: pass'


@expand
class Timeouts(LiveTest):
    @each_python(lambda p: can(p, 'cread') and can(p, 'cpoll') and not p.free_threaded)
    def test_no_safe_point(self, python):
        """A C call that keeps the GIL: exit 6 says where it was, and nothing runs later."""
        with Target('cread', python) as target:
            for thread in ('auto', 'main', 'any'):
                result = target.attach('-t', '0.4', '--thread', thread, 'exec', 'import __main__; __main__.ran_late = True')
                self.assertRefused(result, 6, 'safe point')
                self.assertLess(result.seconds, 3)
            report = target.attach('-j', '-t', '0.4', 'exec', 'import __main__; __main__.ran_late = True').json
            self.assertEqual((report['status'], report['error']['code']), (6, 'no-safe-point'))
            self.assertFalse(target.stop()['ran_late'])

    @each_python()
    def test_endless_code_is_interrupted(self, python):
        for way in ('read', 'loop'):
            with Target(way, python) as target:
                result = target.attach('-t', '0.4', '-j', 'exec', FOREVER)
                self.assertStatus(result, 7)
                self.assertLess(result.seconds, 3)
                self.assertReport(result.json)
                self.assertStatus(target.attach('exec', '1'), 0)
                self.assertUnharmed(target)
                target.stop()

    @each([(label(p), p) for p in REQUIRED])
    def test_endless_code_among_busy_threads_is_interrupted(self, python):
        """Where the interrupt comes, the thread mostly waits for the GIL."""
        with Target('busy4', python) as target:
            for _ in range(8):
                self.assertStatus(target.attach('-t', '2', 'exec', FOREVER), 7)
            self.assertUnharmed(target)
            target.stop()

    def test_endless_code_that_catches(self):
        code = 'import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end:\n' \
               '    try:\n        while time.monotonic() < end: pass\n    except BaseException: pass\n'
        with Target('read') as target:
            result = target.attach('-t', '0.4', 'exec', code)
            self.assertIn(result.status, (0, 7), str(result))
            wait_until(lambda: target.attach('-t', '1', 'exec', '1').status == 0, 'it answers again')
            self.assertUnharmed(target)
            target.stop()

    def test_code_that_blocks_in_c(self):
        with Target('read') as target:
            result = target.attach('-t', '0.4', 'exec', 'import time\ntime.sleep(4)\n')
            self.assertRefused(result, 7, 'thread %d still runs it, <exec>:2: waiting in' % target.pid)
            wait_until(lambda: target.attach('-t', '1', 'exec', '1').status == 0, 'it answers again')
            self.assertUnharmed(target)
            target.stop()

    def test_no_limit(self):
        with Target('read') as target:
            self.assertStatus(target.attach('-t', '0', 'exec', 'import time; time.sleep(0.5)'), 0)
            target.stop()

    @each([('SIGINT', signal.SIGINT), ('SIGTERM', signal.SIGTERM)])
    def test_a_signal_for_us(self, number):
        with Target('read') as target:
            process = subprocess.Popen([MR_ATTACH, str(target.pid), '-t', '0', 'exec', FOREVER], env=environment(),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            ticks = self.cpu(target.pid)
            wait_until(lambda: self.cpu(target.pid) > ticks + 5, 'the code runs')
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 128 + number, err)
            self.assertStatus(target.attach('-t', '3', 'exec', '1'), 0)
            self.assertUnharmed(target)
            target.stop()

    def cpu(self, pid):
        with open('/proc/%d/stat' % pid) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])


@expand
class Durations(LiveTest):
    """Waits with a known length, with many attaches inside: never early, never an EINTR, hardly late."""

    @each([('%s_%s' % (label(p), way), p, way) for p in (HERE_NOW if RUNS == 'all' else REQUIRED) for way in TIMED_WAITS
           if can(p, way)])
    def test_waits_keep_their_length(self, python, way):
        with Target(way, python) as target:
            end = time.monotonic() + 2.2
            attached = 0
            while time.monotonic() < end:
                self.assertStatus(target.attach('exec', '1'), 0)
                attached += 1
                time.sleep(0.01)
            self.assertUnharmed(target)
            lasted = target.stop()['lasted']
        self.assertGreater(attached, 10)
        self.assertGreater(min(lasted), -0.005)
        self.assertLess(sorted(lasted)[len(lasted) // 2], 0.15)

    def test_code_that_takes_its_time_does_not_shorten_a_sleep(self):
        with Target('sleep') as target:
            for _ in range(3):
                self.assertStatus(target.attach('exec', 'import time; time.sleep(0.4)'), 0)
            self.assertGreater(min(target.stop()['lasted']), -0.005)


@expand
class Signals(LiveTest):
    """The program's handlers run as if we were not there."""

    @each_python()
    def test_handlers_while_attaching(self, python):
        with Target('signals', python) as target:
            sent = 0
            for _ in range(10):
                process = subprocess.Popen([MR_ATTACH, str(target.pid), 'exec', 'import time; time.sleep(0.02)'],
                                           env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                while process.poll() is None:
                    os.kill(target.pid, signal.SIGUSR2)
                    sent += 1
                    time.sleep(0.002)
                self.assertEqual(process.returncode, 0)
            self.assertUnharmed(target)
            self.assertGreater(target.stop()['signals'], 0)

    @each([(label(p), p) for p in REQUIRED])
    def test_a_handler_that_raises(self, python):
        """An alarm during our code must interrupt the program's wait, as if we were not there."""
        script = ('import signal, time\n'
                  'def alarm(number, frame): raise TimeoutError("alarm")\n'
                  'signal.signal(signal.SIGALRM, alarm)\n'
                  'def nap(seconds):\n'
                  '    began = time.monotonic()\n'
                  '    try:\n        time.sleep(5)\n'
                  '    except TimeoutError: return time.monotonic() - began\n')
        with python.folder() as (inside, outside):
            with open(os.path.join(outside, 'main.py'), 'w') as out:
                out.write(script)
            with Target('program', python, args=[inside + '/main.py']) as target:
                os.write(target.process.stdin.fileno(), b'(signal.setitimer(signal.ITIMER_REAL, 0.5), nap(5))[1]\n')
                time.sleep(0.1)  # inside the nap
                result = target.attach('-j', 'exec', 'import time; time.sleep(0.8); "done"')
                # Our code went on, or ended for the sake of the program, and says so.
                self.assertIn((result.status, (result.json['error'] or {}).get('code')),
                              [(0, None), (1, 'interrupted-by-program')], str(result))
                napped = float(target.hear()['answer'])
                self.assertGreater(napped, 0.45)
                self.assertLess(napped, 1.5, 'the handler ran late')
                self.assertUnharmed(target)
                target.stop()


if __name__ == '__main__':
    unittest.main()

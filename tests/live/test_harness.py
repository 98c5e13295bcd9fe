# SPDX-License-Identifier: MIT
"""The harness itself: targets wait where they say they wait, bear witness, and a change is noticed."""
import os
import signal
import subprocess
import unittest

from harness import (DEFAULT, OPEN_WAITS, PATIENCE, REQUIRED, LiveTest, Snapshot, Target, can, differences, each, expand,
                     label, wait_until)


@expand
class Harness(LiveTest):
    @each([('%s_%s' % (way, label(p)), p, way) for p in REQUIRED for way in OPEN_WAITS if can(p, way)])
    def test_open_wait(self, python, way):
        with Target(way, python) as target:
            self.assertUnharmed(target)
            report = target.stop()
            self.assertEqual(report['rounds'], 1)

    @each([(way, way) for way in ('loop', 'cpoll', 'cnanosleep', 'busy4', 'tick')])
    def test_rounds(self, way):
        with Target(way, threads=20) as target:
            wait_until(lambda: target.alive(), 'it lives')
            self.assertEqual(target.stop()['wrong'], [])

    def test_a_stopped_target_is_noticed(self):
        with Target('longsleep') as target:
            os.kill(target.pid, signal.SIGSTOP)
            wait_until(lambda: Snapshot(target.pid).state == 'T', 'it is stopped')
            self.assertTrue(any('state' in d for d in target.unchanged(patience=0)))

    def test_a_tracer_is_noticed(self):
        with Target('longsleep') as target:
            tracer = subprocess.Popen(['strace', '-qq', '-o', '/dev/null', '-p', str(target.pid)]) \
                if os.path.exists('/usr/bin/strace') else self.skipTest('no strace')
            try:
                wait_until(lambda: any('traced' in d for d in target.unchanged(patience=0)), 'the tracer is seen')
            finally:
                tracer.terminate()
                tracer.wait(PATIENCE)

    def test_a_new_descriptor_is_noticed(self):
        with Target('longsleep') as target:
            after = Snapshot(target.pid)
            after.fds[99] = 'socket:[1]'
            self.assertTrue(differences(target.before, after))

    def test_a_region_is_noticed(self):
        with Target('longsleep') as target:
            after = Snapshot(target.pid)
            after.maps.append((0x6d7200001000, 0x6d7200002000, 'rw-p', ''))
            self.assertTrue(differences(target.before, after))
            self.assertEqual(differences(target.before, after, leftover=1), [])

    def test_the_default_is_there(self):
        self.assertTrue(DEFAULT.here)


if __name__ == '__main__':
    unittest.main()

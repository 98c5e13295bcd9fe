# SPDX-License-Identifier: MIT
"""The short form of the storm: every kind of target, a few attaches each, some of them killed."""
import os
import random
import time
import unittest

import storm
from cell import Program, can
from harness import HERE_NOW, REQUIRED, RUNS, LiveTest, attach, each, expand, label
from kinds import KINDS

SEED = int(os.environ.get('SEED') or time.time())
PLAN = storm.Plan(runs=12 if RUNS == 'check' else 100, seconds=0, kills=0.25, late=0.5, gdb=False)


def cells():
    """Each kind on one of the required CPythons, in turn; in the long form on each that there is."""
    for place, kind in enumerate(KINDS):
        pythons = [p for p in (HERE_NOW if RUNS != 'check' else REQUIRED) if not can(p, kind)]
        for python in pythons if RUNS != 'check' else pythons[place % max(1, len(pythons)):][:1]:
            yield '%s_%s' % (kind, label(python)), python, kind


@expand
class Storm(LiveTest):
    @each(cells())
    def test(self, python, kind):
        failures, _ = storm.one_target(python, kind, PLAN, random.Random('%d %s' % (SEED, kind)))
        self.assertEqual(failures, [], 'SEED=%d' % SEED)


@expand
class AfterInterrupts(LiveTest):
    """Work that was interrupted leaves no alarm on in the interpreter: a traced function of 3.11 would hang in it."""

    @each([(label(p), p) for p in (HERE_NOW if RUNS == 'all' else REQUIRED)])
    def test_it_goes_on(self, python):
        with python.folder() as folder, Program('traced', python, folder) as program:
            for _ in range(3):
                result = attach(program.pid, '-t', '2', 'exec', 'while True: pass')
                self.assertIn(result.status, (6, 7) if python.free_threaded else (7,), str(result))
                self.assertEqual(program.unharmed(), [])
            self.assertEqual(program.testimony()['wrong'], [])


if __name__ == '__main__':
    unittest.main()

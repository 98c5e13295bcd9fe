# SPDX-License-Identifier: MIT
"""The short form of the storm: every kind of target, a few attaches each, some of them killed."""
import os
import random
import time
import unittest

import storm
from cell import Program, can
from harness import DEFAULT, HERE_NOW, REQUIRED, RUNS, LiveTest, attach, each, expand, label
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


# What each request leaves over there: as much in 50 runs as a thousand that leave one, since no more than these are made here.
MANY = 28
KEEP = 'import sys; kept = sys.modules["__main__"].__dict__.setdefault("kept", []); '
PLANTS = (
    ('nothing', 'waits', '', None),
    ('an_object', 'waits', KEEP + 'kept.extend(object() for _ in range(%d)); ' % MANY, 'blocks grew'),
    ('a_block', 'waits', KEEP + 'kept.append(bytearray(4000 * %d)); ' % MANY, 'bytes grew'),
    ('a_page', 'waits', KEEP + 'import mmap; kept.append(mmap.mmap(-1, %d * 4096, flags=0x22)); ' % MANY, 'data grew'),
    ('a_descriptor', 'waits', 'import os; os.dup(0); ', 'descriptors grew'),
    ('a_thread', 'waits', 'import threading; threading.Thread(target=threading.Event().wait, daemon=True).start(); ',
     'threads grew'),
    # The kernel keeps one restart for a thread: a sleep takes that of the wait, which then ends with EINTR.
    ('one_in_a_hundred_waits', 'cpoll', 'import sys, time; len(sys.modules["__main__"].ledger) % 200 == 100 and time.sleep(1e-6); ',
     'poll: -4'),
)


@expand
class Notices(LiveTest):
    """Whether a storm would fail if each mr-attach left something behind, or broke something now and then."""

    @each(PLANTS)
    def test(self, kind, plant, wanted):
        plan = PLAN._replace(runs=115, kills=0, window=50, plant=plant)
        failures, _ = storm.one_target(DEFAULT, kind, plan, random.Random(SEED))
        if wanted is None:
            self.assertEqual(failures, [])
        self.assertIn(wanted or '', ' '.join(failures))


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

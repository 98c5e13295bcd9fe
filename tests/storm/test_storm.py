# SPDX-License-Identifier: MIT
"""The short form of the storm: every kind of target, a few attaches each, some of them killed."""
import os
import random
import time
import unittest

import storm
from cell import can
from harness import HERE_NOW, REQUIRED, RUNS, LiveTest, each, expand, label
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


if __name__ == '__main__':
    unittest.main()

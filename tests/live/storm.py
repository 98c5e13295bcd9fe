#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many attaches against targets under stress, a third of them killed midway. SECONDS and SEED may be set.

Each target checks its own sums all the time; in the end all must be alive, unharmed and right.
"""
import os
import random
import subprocess
import sys
import time

from harness import DEFAULT, HERE_NOW, MR_ATTACH, REQUIRED, Target, environment

LASTS = float(os.environ.get('SECONDS', '60'))
SEED = int(os.environ.get('SEED', str(int(time.time()))))
KINDS = ('loop', 'busy4', 'cpoll', 'sleep', 'signals', 'churn', 'read', 'tick')


def one(target, draw):
    """One attach; None when all is well, else what went wrong."""
    kill = draw.random() < 0.33
    process = subprocess.Popen([MR_ATTACH, str(target.pid), 'exec', '6 * 7'], env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if kill:
        time.sleep(draw.uniform(0, 0.01))
        process.kill()
    out, err = process.communicate(timeout=60)
    if not target.alive():
        return 'dead'
    if not kill and (process.returncode, out) != (0, b'42\n'):
        return 'status %s: %r %r' % (process.returncode, out, err)
    return None


def round_of(python, seconds, draw):
    targets = [Target(kind, python).__enter__() for kind in KINDS]
    failures, attached, end = [], 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            target = draw.choice(targets)
            attached += 1
            wrong = one(target, draw)
            if wrong:
                failures.append('%s %s: %s' % (python.name, target.way, wrong))
                targets.remove(target)
        for target in targets:
            try:
                target.attach('exec', '1')
                # Threads, descriptors and children of these come and go.
                failures += ['%s %s: %s' % (python.name, target.way, d) for d in target.unchanged()
                             if target.way != 'churn' or d.startswith(('regions', 'traced', 'state'))]
                target.stop()
            except AssertionError as error:
                failures.append('%s %s: %s' % (python.name, target.way, error))
    finally:
        for target in targets:
            target.kill()
    print('storm %-12s %5d attaches, %d failures' % (python.name, attached, len(failures)), flush=True)
    return failures


def main():
    draw = random.Random(SEED)
    chosen = HERE_NOW if LASTS >= 120 or os.environ.get('MR_ONLY') else (REQUIRED or [DEFAULT])
    print('storm: seed %d, %.0f s, on %s' % (SEED, LASTS, ' '.join(p.name for p in chosen)))
    failures = [f for python in chosen for f in round_of(python, LASTS / len(chosen), draw)]
    print('\n'.join(failures), end='\n' if failures else '')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The longest stop of each of many commands, in a process with many threads and many mapped libraries, on each CPython at hand.

RUNS=n      how many commands for each (default 200); THREADS=512, LIBRARIES=300; MR_ONLY chooses CPythons
WAY=name    what the main thread does (tests/live/target.py): longsleep (default), loop, lock, …

Prints a table and writes it as JSON to build/bench-tail.json. What else the machine does only adds: run it when it is calm.
"""
import json
import os
import sys

import bench
from harness import HERE_NOW, can

RUNS, THREADS, LIBRARIES = (int(os.environ.get(name) or default) for name, default in (
    ('RUNS', 200), ('THREADS', 512), ('LIBRARIES', 300)))
WAY = os.environ.get('WAY') or 'longsleep'
GOAL = 2.0  # ms, for the 99th of 100


def part(values, share):
    """The least value that is not exceeded in this share of the runs."""
    return sorted(values)[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]


def stops(python):
    """The longest stop of each command, in ms."""
    libraries = LIBRARIES if can(python, 'cpoll') else 0        # by ctypes
    with bench.Watched(WAY, python, THREADS, libraries, gap=False) as target:
        for _ in range(3):
            bench.mr_exec(target)
        found = [bench.mr_exec(target) for _ in range(RUNS)]
    return libraries, [stopped for _, stopped, worked in found if worked]


def main():
    bench.build_gap()
    print('%s, %d CPUs, load %.1f; longest stop in ms of %d commands; %d threads, %s; p99 is to be at most %.1f' % (
        os.uname().release, os.cpu_count(), os.getloadavg()[0], RUNS, THREADS, WAY, GOAL))
    print('%-13s %9s %7s %7s %7s %7s' % ('', 'libraries', 'runs', 'p50', 'p99', 'max'))
    rows = []
    for python in HERE_NOW:
        libraries, found = stops(python)
        row = {'python': python.name, 'libraries': libraries, 'runs': len(found), 'failed': RUNS - len(found)}
        row.update(p50=part(found, 0.5), p99=part(found, 0.99), max=max(found))
        print('%-13s %9d %7d %7.2f %7.2f %7.2f%s' % (python.name, libraries, len(found), row['p50'], row['p99'], row['max'],
                                                    '' if row['p99'] <= GOAL and not row['failed'] else '  NOT reached'), flush=True)
        rows.append(row)
    with open(os.path.join(bench.BUILD, 'bench-tail.json'), 'w') as out:
        json.dump(rows, out, indent=1)


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""The table of cases in a process to attach to: live_cases.py KIND..., classes of test_cases.

Nothing is prepared: each command goes out as a line of standard output, whoever reads it runs mr-attach with it, and its answer
comes as a line of standard input. After each case all that a reload left here is removed, by untrack.
"""
import json
import os
import sys
import unittest

import harness
import test_cases

MARK = '\x01'                                # cases may print


def outside(name, *targets, **options):
    """harness.command(), by mr-attach."""
    if set(options) - {'dry_run'}:
        raise ValueError(options)
    arguments = [name] + list(targets) + ['--dry-run'] * bool(options.get('dry_run'))
    os.write(1, (MARK + json.dumps(arguments) + '\n').encode())
    return json.loads(sys.stdin.readline())


def unprepared():
    """As before the case."""
    outside('untrack')
    if any(name.startswith('_mr_attach') for name in sys.modules):
        raise AssertionError('untrack left the engine')


if __name__ == '__main__':
    harness.command = test_cases.command = outside
    names = sys.argv[1:]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(getattr(test_cases, kind)) for kind in names)
    for one in [case for group in suite for case in group]:
        one.addCleanup(unprepared)
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())

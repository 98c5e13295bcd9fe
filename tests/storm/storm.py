#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many attaches against targets under stress, some of them killed midway.

    SECONDS=60      how long in all (divided among the targets), or
    RUNS=n          how many runs for each target
    SEED=n          what is drawn
    KINDS="a b"     which kinds of target (tests/storm/kinds.py); MR_ONLY chooses CPythons
    KILLS=0.25      the share of runs in which mr-attach is killed, interrupted, or left without memory
    LATE=0.02       seconds by which a wait may come later than the same waits of a twin that nobody attaches to
    FIGURES=path    gets one line of JSON for each target

Each target checks its own results all the time. After the runs all must be alive and right, with nothing left behind.
"""
import collections
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

from cell import MR_ATTACH, PATIENCE, TIMED, Program, can, grown, too_late
from harness import DEFAULT, HERE_NOW, REQUIRED, environment
from kinds import KINDS, WAITS

SECONDS = float(os.environ.get('SECONDS', '60'))
RUNS = int(os.environ.get('RUNS', '0'))
SEED = int(os.environ.get('SEED', str(int(time.time()))))
KILLS = float(os.environ.get('KILLS', '0.25'))
LATE = float(os.environ.get('LATE', '0.02'))
CHOSEN = os.environ.get('KINDS', '').split() or list(KINDS)
WARM_UP, WINDOW, SAMPLE, LOOK = 200, 1000, 20, 50
ENDINGS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE,
           'RLIMIT_AS', 'RLIMIT_DATA')

# Each number twice, by one bytecode, so that an interrupt cannot come between; and by two, where nothing may come between.
TWICE_AT_ONCE = 'import sys; sys.modules["__main__"].ledger.extend((%d, %d))'
TWICE = 'import sys; ledger = sys.modules["__main__"].ledger; ledger.append(%d); ledger.append(%d)'
TAKE = 'import sys; ledger = sys.modules["__main__"].ledger; taken = ledger[:]; del ledger[:]; taken'


class Run:
    """One mr-attach: what was asked, how it ended, what its work may have done."""

    def __init__(self, number, arguments, ending=None):
        self.number, self.arguments, self.ending = number, arguments, ending
        self.status = self.out = self.err = None
        self.seconds = 0.0

    def make(self, pid, delay):
        began = time.monotonic()
        process = subprocess.Popen([MR_ATTACH, str(pid)] + self.arguments, env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.ending:
            time.sleep(delay)
            self.end(process)
        try:
            self.out, self.err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            self.out, self.err = process.communicate()
            process.returncode = None
        self.status, self.seconds = process.returncode, time.monotonic() - began

    def end(self, process):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if isinstance(self.ending, str):
                resource.prlimit(process.pid, getattr(resource, self.ending), (1, 1))
            else:
                process.send_signal(self.ending)

    def wrong(self):
        """None, or what is not as it should be in how it ended."""
        if self.status is None:
            return 'did not end'
        if self.status < 0 and self.status != -int(self.ending if self.ending and not isinstance(self.ending, str) else 0):
            return 'died of signal %d' % -self.status
        passed_on = self.status == 1 and (b'handler of the program raised' in self.err or b'how far the work came' in self.err)
        if self.status not in (0, 6) and not self.ending and not passed_on:
            return 'status %d' % self.status
        loader = self.status == 127 and isinstance(self.ending, str)    # no memory for the libraries
        if self.status > 0 and b'mr-attach: ' not in self.err and not loader:
            return 'status %d without a word' % self.status
        return None

    def __str__(self):
        return 'mr-attach %s, %s, ended with %s: %r %r' % (
            ' '.join(self.arguments), self.ending or 'left alone', self.status, self.out[-300:], self.err[-600:])


class Ledger:
    """Which numbers the target must hold twice, may hold twice, must not hold."""

    def __init__(self):
        self.must, self.found = {}, collections.Counter()

    def note(self, run):
        nothing = run.status == 6 or (run.err and b'nothing ran' in run.err)
        self.must[run.number] = (2,) if run.status == 0 else (0,) if nothing else (0, 2)

    def wrong(self):
        bad = {n: (self.found[n], allowed) for n, allowed in self.must.items() if self.found[n] not in allowed}
        return ['request %d: did its work %d times of %s' % (n, had, allowed) for n, (had, allowed) in sorted(bad.items())[:5]]


class Storm:
    """The runs against one target."""

    def __init__(self, program, draw):
        self.program, self.draw, self.ledger, self.number = program, draw, Ledger(), 0
        self.failures, self.figures, self.windows, self.life = [], collections.Counter(), [], {}
        self.settled = 1            # the version of `work` that the target must have
        self.slowest = 0.0

    def fail(self, text):
        self.failures.append('%s %s, run %d: %s' % (self.program.python.name, self.program.way, self.number, text))

    def choose(self):
        kind = self.draw.choice(('exec',) * 6 + ('twice',) * 4 + ('info', 'reload', 'reload', 'stale'))
        ending = self.draw.choice(ENDINGS) if self.draw.random() < KILLS else None
        if kind == 'twice' and ending not in (None, signal.SIGKILL):
            kind = 'exec'
        if kind == 'reload':
            self.program.edit()
        arguments = {'exec': ['exec', TWICE_AT_ONCE % (self.number, self.number)], 'info': ['info'],
                     'twice': ['exec', TWICE % (self.number, self.number)]}.get(kind, ['reload-stale'])
        return kind, Run(self.number, arguments, ending)

    def one(self):
        self.number += 1
        kind, run = self.choose()
        life = self.life.get(kind, 0.01)
        run.make(self.program.pid, self.draw.uniform(0, 1.1 * life))
        self.figures['runs'] += 1
        self.figures['killed'] += bool(run.ending)
        if run.wrong():
            self.fail('%s: %s' % (run.wrong(), run))
        if kind in ('exec', 'twice'):
            self.ledger.note(run)
        if kind in ('reload', 'stale') and run.status == 0:
            self.settled = self.program.version
        if not run.ending:
            self.life[kind] = 0.9 * life + 0.1 * run.seconds
            self.figures['answered'] += run.status == 0
            self.figures['no moment'] += run.status == 6
            self.figures['in a second'] += run.status == 0 and run.seconds < 1
            self.slowest = max(self.slowest, run.seconds)

    def take(self):
        """What the ledger of the target holds, and which version its module has."""
        for code in (TAKE, 'import sys; sys.modules["work"].first()'):
            for _ in range(100):
                run = Run(0, ['-j', 'exec', code])
                run.make(self.program.pid, 0)
                if run.status == 0:
                    break
            else:
                self.fail(str(run))
                return
            value = json.loads(json.loads(run.out.decode())['value'])
            if isinstance(value, list):
                self.ledger.found.update(value)
            elif not self.settled <= value <= self.program.version:
                self.fail('module work has version %d, not %d' % (value, self.settled))

    def sample(self):
        at = max(0, self.number - WARM_UP)
        if self.number < WARM_UP:
            return
        if at // WINDOW >= len(self.windows):
            self.windows.append(self.program.sizes())
        else:
            now = self.program.sizes()
            self.windows[-1] = {what: min(size, now[what]) for what, size in self.windows[-1].items()}

    def blow(self, end):
        while not self.failures and (self.number < RUNS if RUNS else time.monotonic() < end):
            self.one()
            if self.number % SAMPLE == 0 and self.program.alive():
                self.sample()
            if self.number % LOOK == 0 or self.failures or not self.program.alive():
                for harm in self.program.unharmed():
                    self.fail(harm)
                if self.failures and os.environ.get('HOOK'):
                    os.system('%s %d' % (os.environ['HOOK'], self.program.pid))
            if self.number % (LOOK * 10) == 0 and not self.failures:
                self.take()

    def finish(self, twin):
        self.take()
        for harm in self.ledger.wrong() + self.program.left_behind() + grown(self.windows[:-1] or self.windows):
            self.fail(harm)
        said = self.program.testimony()
        for harm in said['wrong'] + (too_late(said, twin.testimony(), LATE) if twin else []):
            self.fail(harm)
        return said['counts']


def one_target(python, kind, seconds, draw):
    """(failures, figures)"""
    timed = kind in TIMED or kind in ['c' + name for name in WAITS]
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(Program(kind, python, stack.enter_context(python.folder())))
        twin = stack.enter_context(Program(kind, python, stack.enter_context(python.folder()))) if timed else None
        storm = Storm(program, draw)
        try:
            storm.blow(time.monotonic() + seconds)
            storm.figures.update(storm.finish(twin))
        except (AssertionError, FileNotFoundError, ProcessLookupError) as error:
            storm.fail('%s' % error)
        figures = dict(storm.figures, python=python.name, kind=kind, slowest=round(storm.slowest, 3),
                       failures=len(storm.failures))
    return storm.failures, figures


def tell(figures):
    share = 100.0 * figures.get('in a second', 0) / max(1, figures['runs'] - figures['killed'])
    print('%-12s %-11s %6d runs %5d killed %4d no moment %6.2f %% within a second, slowest %6.2f s%s' % (
        figures['python'], figures['kind'], figures['runs'], figures['killed'], figures.get('no moment', 0), share,
        figures['slowest'], '  FAILED' if figures['failures'] else ''), flush=True)
    if os.environ.get('FIGURES'):
        with open(os.environ['FIGURES'], 'a') as file:
            file.write(json.dumps(figures, sort_keys=True) + '\n')


def main():
    draw = random.Random(SEED)
    pythons = HERE_NOW if RUNS or SECONDS >= 600 or os.environ.get('MR_ONLY') else (REQUIRED or [DEFAULT])
    cells = [(python, kind) for kind in CHOSEN for python in pythons if not can(python, kind)]
    absent = sorted({'%s on %s (%s)' % (kind, python.name, can(python, kind)) for kind in CHOSEN for python in pythons
                     if can(python, kind)})
    draw.shuffle(cells)
    print('storm: seed %d, %d targets on %s%s' % (SEED, len(cells), ' '.join(p.name for p in pythons),
                                                 '; left out: ' + ', '.join(absent) if absent else ''), flush=True)
    failures, total = [], collections.Counter()
    for python, kind in cells:
        found, figures = one_target(python, kind, SECONDS / len(cells), random.Random('%d %s %s' % (SEED, python.name, kind)))
        tell(figures)
        failures += found
        total.update({what: n for what, n in figures.items() if what in ('runs', 'killed', 'no moment', 'in a second')})
    print('storm: %d runs, %d killed, %d without a safe moment, %d failures' % (
        total['runs'], total['killed'], total['no moment'], len(failures)))
    print('\n'.join(failures), end='\n' if failures else '')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

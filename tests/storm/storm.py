#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many attaches against targets under stress, some of them killed midway.

    SECONDS=60      how long in all (divided among the targets), or
    RUNS=n          how many runs for each target
    SEED=n          what is drawn
    KINDS="a b"     which kinds of target (tests/storm/kinds.py); MR_ONLY chooses CPythons
    KILLS=0.25      the share of runs in which mr-attach is killed, interrupted, or left without memory
    LATE=0.02       seconds by which a wait may come later than the same waits of a twin that nobody attaches to
    TURN=1          for how many seconds mr-attach looks for a moment where there is hardly any
    FIGURES=path    gets one line of JSON for each target
    TOOL=gdb        gdb's three calls instead of mr-attach, for comparison

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

from cell import MR_ATTACH, PATIENCE, SLACK, SLACKS, TIMED, UNTOUCHED, Program, can, grown, too_late
from harness import DEFAULT, HERE_NOW, REQUIRED, environment, read
from kinds import KINDS

LOOK, HISTORY = 50, 200          # runs between two looks; commands that a target remembers
ENDINGS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE,
           'RLIMIT_AS', 'RLIMIT_DATA')

# Each number twice: by one bytecode, so that an interrupt cannot come between; and by two, where nothing may come between.
TWICE_AT_ONCE = 'import sys; sys.modules["__main__"].ledger.extend((%d, %d))'
TWICE = 'import sys; ledger = sys.modules["__main__"].ledger; ledger.append(%d); ledger.append(%d)'
TAKE = 'import sys; sys.modules["__main__"].ledger[%d:%d]'
HELD = 'import sys; sys.modules["work"].first()'
STAYS = 'import sys; sys.modules["__main__"].held()'
GDB = ['gdb', '-batch', '-nx', '-iex', 'set debug-file-directory /nonexistent']

RAISE = ('alarmraise', 'alarmexit')          # kinds whose handlers raise, in our code too

# WINDOW: so many runs must leave no more than slack; PLANT: code that each request runs too; TURN: see above.
Plan = collections.namedtuple('Plan', 'runs seconds kills late gdb window plant turn', defaults=(1000, '', '1'))


class Run:
    """One mr-attach: what was asked, how it ended, what its work may have done."""

    def __init__(self, number, arguments, ending=None):
        self.number, self.arguments, self.ending = number, arguments, ending
        self.status = self.out = self.err = None
        self.seconds = 0.0

    def command(self, pid, gdb):
        if not gdb:
            return [MR_ATTACH, str(pid)] + self.arguments
        code = json.dumps(self.arguments[-1])
        return GDB + ['-p', str(pid), '-ex', 'set $gil = ((int(*)(void))PyGILState_Ensure)()', '-ex',
                      'call ((int(*)(const char *))PyRun_SimpleString)(%s)' % code, '-ex',
                      'call ((void(*)(int))PyGILState_Release)($gil)']

    def make(self, pid, delay, gdb=False):
        began = time.monotonic()
        process = subprocess.Popen(self.command(pid, gdb), env=environment(), stdin=subprocess.DEVNULL,
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
        with contextlib.suppress(OSError):
            if isinstance(self.ending, str):
                while process.poll() is None and '[heap]' not in read('/proc/%d/maps' % process.pid):
                    time.sleep(0.0002)      # before, it is the kernel's and the loader's to end
                resource.prlimit(process.pid, getattr(resource, self.ending), (1, 1))
            else:
                process.send_signal(self.ending)

    def ran(self):
        """For how many seconds our code was in the thread."""
        return json.loads(self.out.decode())['timing_us']['ran'] / 1e6

    def by_program(self):
        """A signal handler of the program ended the work: rightly answered."""
        return self.status == 1 and (b'handler of the program raised' in self.err or b'how far the work came' in self.err)

    def wrong(self):
        """None, or what is not as it should be in how it ended."""
        limited = isinstance(self.ending, str)
        if self.status is None:
            return 'did not end'
        if self.status < 0 and (limited or self.status != -int(self.ending or 0)):
            return 'died of signal %d' % -self.status
        if self.status not in (0, 6) and not self.ending and not self.by_program():
            return 'status %d' % self.status
        loader = self.status == 127 and limited                     # no memory for the libraries
        if self.status > 0 and b'mr-attach: ' not in self.err and not loader:
            return 'status %d without a word' % self.status
        return None

    def __str__(self):
        return 'mr-attach %s, %s, ended with %s: %r %r' % (
            ' '.join(self.arguments), self.ending or 'left alone', self.status, self.out[-300:], self.err[-600:])


class Ledger:
    """Which numbers the target must hold twice, may hold twice, must not hold."""

    def __init__(self):
        self.must, self.found, self.length = {}, collections.Counter(), 0

    def note(self, run, ended):
        """ENDED: handlers of the program may have ended its work, although nobody is left to say so."""
        nothing = run.status == 6 or (run.err and b'nothing ran' in run.err)
        self.must[run.number] = (2,) if run.status == 0 else (0,) if nothing else (0, 2)
        if run.by_program() or run.ending and ended:
            self.must[run.number] = (0, 1, 2)

    def take(self, numbers):
        self.found.update(numbers)
        self.length += len(numbers)

    def wrong(self):
        bad = {n: (self.found[n], allowed) for n, allowed in self.must.items() if self.found[n] not in allowed}
        return ['request %d: did its work %d times of %s' % (n, had, allowed) for n, (had, allowed) in sorted(bad.items())[:5]]


class Storm:
    """The runs against one target."""

    def __init__(self, program, draw, plan):
        self.program, self.draw, self.plan, self.ledger, self.number = program, draw, plan, Ledger(), 0
        self.failures, self.figures, self.windows, self.life = [], collections.Counter(), [], {}
        self.settled = 1            # the version of `work` that the target must have at least
        self.slowest = self.longest = 0.0       # seconds of a run, and of our code in the target
        self.reloads = () if program.timed or program.python.free_threaded else ('reload', 'reload', 'stale')
        self.remembered = 0 if self.reloads else HISTORY
        self.warm = None            # the number of the run after which nothing is to grow any more

    def fail(self, text):
        self.failures.append('%s %s, run %d: %s' % (self.program.python.name, self.program.way, self.number, text))

    def choose(self):
        kind = self.draw.choice(('exec',) * 6 + ('twice',) * 4 + ('info',) + self.reloads)
        if self.remembered < HISTORY and self.plan.runs > 2 * self.plan.window:
            kind = 'reload'         # first of all, so that its history is full soon
        ending = self.draw.choice(ENDINGS) if self.draw.random() < self.plan.kills else None
        if kind == 'twice' and ending not in (None, signal.SIGKILL) or self.plan.gdb:
            kind = 'exec'
        if kind == 'reload':
            self.program.edit()
        code = {'exec': TWICE_AT_ONCE, 'twice': TWICE}.get(kind)
        arguments = ['-j', 'exec', self.plan.plant + code % (self.number, self.number)] if code else \
            ['info'] if kind == 'info' else ['reload-stale']
        if self.program.way in UNTOUCHED:
            arguments = ['-t', self.plan.turn] + arguments
        return kind, Run(self.number, arguments, ending)

    def one(self):
        self.number += 1
        kind, run = self.choose()
        life = self.life.get(kind, 0.01)
        run.make(self.program.pid, self.draw.uniform(0, 1.1 * life), self.plan.gdb)
        self.figures['runs'] += 1
        self.figures['killed'] += bool(run.ending)
        if run.wrong() and not self.plan.gdb:
            self.fail('%s: %s' % (run.wrong(), run))
        if kind in ('exec', 'twice'):
            self.ledger.note(run, self.program.way in RAISE)
        if kind in ('reload', 'stale') and run.status == 0:
            self.settled = self.program.version
        self.remembered += kind == 'reload' and run.status == 0
        if not run.ending:
            self.life[kind] = 0.9 * life + 0.1 * run.seconds
            self.figures['answered'] += run.status in (0, 1)
            self.figures['no moment'] += run.status == 6
            self.figures['in a second'] += run.status in (0, 1) and run.seconds < 1
            self.slowest = max(self.slowest, run.seconds)
            if kind in ('exec', 'twice') and run.status == 0 and not self.plan.gdb:
                self.longest = max(self.longest, run.ran())

    def ask(self, code):
        """The value of an expression in the target; asked again while its signal handlers end our work."""
        missed = 0
        for _ in range(100):
            run = Run(0, ['-j', '-t', '3', 'exec', code])
            run.make(self.program.pid, 0)
            if run.status == 0:
                self.longest = max(self.longest, run.ran())
                return json.loads(json.loads(run.out.decode())['value'])
            missed += run.status == 6
            if missed == 3:
                return None         # no safe moment in this program
        raise AssertionError('no answer: %s' % run)

    def take(self):
        """What the ledger of the target holds, and which version its module has."""
        if self.plan.gdb:
            return
        while True:
            numbers = self.ask(TAKE % (self.ledger.length, self.ledger.length + 5000))
            self.ledger.take(numbers or [])
            if not numbers:
                break
        held = self.ask(HELD)
        if held is not None and not self.settled <= held <= self.program.version:
            self.fail('module work is of version %d, not %d' % (held, self.settled))
        return numbers is not None

    def sample(self):
        """Some fifty times in a window; what only the target knows, ten times."""
        window = self.plan.window
        if self.warm is None and self.remembered >= HISTORY and self.number >= window // 5:
            self.warm = self.number
        at = self.number - (self.warm or self.number)
        if at % (window // 50) or not at:
            return
        if at // window >= len(self.windows):
            self.windows.append({})
        now, least = self.program.sizes(), self.windows[-1]
        if at % (window // 10) == 0 and not self.plan.gdb:
            now.update(zip(('blocks', 'bytes'), self.ask(STAYS) or ()))
        least.update((what, min(size, least.get(what, size))) for what, size in now.items())

    def grown(self):
        short = (self.number - (self.warm or 0)) % self.plan.window < self.plan.window // 2
        return grown(self.windows[:-1] if short else self.windows, SLACKS.get(self.program.way, SLACK))

    def blow(self):
        end = time.monotonic() + self.plan.seconds
        while not self.failures and (self.number < self.plan.runs if self.plan.runs else time.monotonic() < end):
            self.one()
            if self.program.alive():
                self.sample()
            if self.number % LOOK == 0 or self.failures or not self.program.alive():
                for harm in self.program.unharmed():
                    self.fail(harm)

    def margin(self):
        """A wait may end late by as long as our code ran in its thread; and one that must be left alone, but began between
        the look and the stop, is begun anew."""
        return self.plan.late + self.longest + (0.25 if self.program.way in UNTOUCHED else 0)

    def left_behind(self):
        """A thread of ours that still waits for the GIL keeps its region; the next mr-attach takes it out, and may leave its own."""
        for _ in range(3):
            harm = self.program.left_behind(self.program.way in UNTOUCHED)
            if not harm or self.plan.gdb:
                break
            self.ask('1')
        return harm

    def finish(self, twin):
        if self.take():
            for harm in self.ledger.wrong():
                self.fail(harm)
        for harm in self.left_behind() + self.grown():
            self.fail(harm)
        said = self.program.testimony()
        for harm in said['wrong'] + (too_late(said, twin.testimony(), self.margin()) if twin else []):
            self.fail(harm)
        self.figures.update(said['counts'])


def one_target(python, kind, plan, draw):
    """(failures, figures)"""
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Program(kind, python, stack.enter_context(python.folder())))
                    for _ in range(2 if kind in TIMED else 1)]
        storm = Storm(programs[0], draw, plan)
        try:
            storm.blow()
            storm.finish(programs[1] if kind in TIMED else None)
        except (AssertionError, OSError) as error:
            storm.fail('%s: %s' % (type(error).__name__, error))
        for harm in programs[0].last_words() if storm.failures else ():
            storm.fail(harm)
        if storm.failures and os.environ.get('HOOK'):
            subprocess.run([os.environ['HOOK'], str(programs[0].pid)])
        figures = {'runs': 0, 'killed': 0, 'no moment': 0, 'in a second': 0}
        figures.update(storm.figures, python=python.name, kind=kind, slowest=round(storm.slowest, 3),
                       failures=len(storm.failures), windows=storm.windows)
    return storm.failures, figures


def tell(figures):
    share = 100.0 * figures['in a second'] / max(1, figures['runs'] - figures['killed'])
    print('%-12s %-11s %6d runs %5d killed %4d no moment %6.2f %% within a second, slowest %6.2f s%s' % (
        figures['python'], figures['kind'], figures['runs'], figures['killed'], figures['no moment'], share,
        figures['slowest'], '  FAILED' if figures['failures'] else ''), flush=True)
    if os.environ.get('FIGURES'):
        with open(os.environ['FIGURES'], 'a') as file:
            file.write(json.dumps(figures, sort_keys=True) + '\n')


def number(name, default):
    return float(os.environ.get(name) or default)


def main():
    gdb = os.environ.get('TOOL') == 'gdb'
    runs, seconds, seed = int(number('RUNS', 20 if gdb else 0)), number('SECONDS', 60), int(number('SEED', int(time.time())))
    draw = random.Random(seed)
    pythons = HERE_NOW if runs and not gdb or seconds >= 600 or os.environ.get('MR_ONLY') else (REQUIRED or [DEFAULT])
    kinds = os.environ.get('KINDS', '').split() or list(KINDS)
    cells = [(python, kind) for kind in kinds for python in pythons if not can(python, kind)]
    plan = Plan(runs, seconds / max(1, len(cells)), 0 if gdb else number('KILLS', 0.25), number('LATE', 0.02), gdb,
                turn=os.environ.get('TURN', '1'))
    absent = ['%s on %s (%s)' % (kind, python.name, can(python, kind)) for kind in kinds for python in pythons if can(python, kind)]
    draw.shuffle(cells)
    print('storm: seed %d, %d targets on %s%s' % (seed, len(cells), ' '.join(p.name for p in pythons),
                                                 '; left out: ' + ', '.join(absent) if absent else ''), flush=True)
    failures, total = [], collections.Counter()
    for python, kind in cells:
        found, figures = one_target(python, kind, plan, random.Random('%d %s %s' % (seed, python.name, kind)))
        tell(figures)
        for one in found:
            print('    ' + one, flush=True)
        failures += found
        total.update({what: figures[what] for what in ('runs', 'killed', 'no moment', 'in a second')})
    print('storm: %d runs, %d killed, %d without a safe moment, %d failures' % (
        total['runs'], total['killed'], total['no moment'], len(failures)))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

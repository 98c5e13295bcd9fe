# SPDX-License-Identifier: MIT
"""Differential fuzz: after a reload, a live program behaves as a fresh import of the same sources does.

    fuzz_reload.py [--seed N] [--seconds N] [--runs N] [--go-on]

Each run is a random program of three modules (fuzz_program.py) and a row of edits to it. After each reload, all public
names and what was held from before are told as data (fuzz_probe.py), and must be what a fresh import gives, save what
the report names and what depends on it by name. A reload that is refused, or that fails, leaves every object as it was;
so does a dry run, which tells what the reload then does; and after `undo` all is as before. A failure is printed with
its seed and the smallest program and edits that were found to show it.
"""
import argparse
import collections
import copy
import gc
import json
import os
import random
import re
import sys
import time
import types
import warnings

import fuzz_probe as probe
from fuzz_program import MODULES, Program
from harness import Program as Harness, command

KINDS = ('pyc', 'tracked', 'none')
ACTIONS = ['reload'] * 10 + ['named', 'dry', 'raise', 'undo', 'undo']
PLANNED = ('changed', 'added', 'removed', 'executed', 'rebound')


class Failure(Exception):
    pass


class Live(Harness):
    """The folder and the modules of one run."""

    def runTest(self):
        pass


def fresh(texts, folder):
    """The modules as an import makes them now, beside the live ones."""
    kept, made = {name: sys.modules.get(name) for name in MODULES}, {}
    try:
        for name in MODULES:
            made[name] = sys.modules[name] = types.ModuleType(name)
            made[name].__file__ = os.path.join(folder, name + '.py')
            exec(compile(texts[name], made[name].__file__, 'exec', 0, True), vars(made[name]))
        told = {name: probe.tell_module(made[name]) for name in MODULES}
        return made, told
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


class Run:
    """One program and its edits: [(program, action), ...]."""

    def __init__(self, steps, kind, counts):
        self.steps, self.kind, self.counts = steps, kind, counts
        self.excused, self.held = set(), []
        self.vague = kind == 'none'          # whether the engine may not know what ran before

    def go(self):
        """Failure if anything is not as it must be."""
        self.live = Live()
        self.live.setUp()
        try:
            sys.dont_write_bytecode = self.kind == 'none'
            if self.kind == 'tracked':
                command('track')
            self.program = self.steps[0][0]
            if self.fresh(self.program) is None:
                return
            self.live.write(**self.program.texts())
            self.modules = dict(zip(MODULES, self.live.load(*MODULES)))
            for module in self.modules.values():
                module._STATE['kept'] = True
            self.hold()
            for number, (program, action) in enumerate(self.steps[1:]):
                self.where = 'edit %d (%s)' % (number + 1, action)
                self.step(program, action)
        finally:
            self.live.tearDown()

    def fresh(self, program):
        """What a fresh import of the program gives, or None if it cannot be imported."""
        try:
            return fresh(program.texts(), self.live.folder)
        except Exception:
            return None

    def fail(self, text, *more):
        raise Failure('%s, baseline %s: %s' % (self.where, self.kind, text % more))

    def hold(self):
        for name, module in self.modules.items():
            names = {one.name for one in self.program.modules[name] if one.kind in (
                'func', 'deco', 'factory', 'class', 'lambda')}
            for key, value in probe.held_of(module, names).items():
                self.held.append((name,) + key + (value,))

    def told(self):
        return ({name: probe.tell_module(module) for name, module in self.modules.items()},
                [(one, probe.tell_held(*one[2:])) for one in self.held])

    def step(self, program, action):
        new = self.fresh(program)
        if new is None:
            return
        texts = program.texts()
        if action == 'raise':
            name = MODULES[program.count % len(MODULES)]
            texts[name] += 'raise ValueError("half")\n'
        before, told, self.last = probe.state_of(self.modules.values()), self.told(), self.newest()
        self.live.write(**texts)
        planned = None
        if action == 'dry':
            gc.collect()                     # what is garbage is there for the one and not for the other
            planned = self.ask('reload-stale', dry_run=True)
            self.same(before, 'a dry run')
        answer = self.ask('reload', *MODULES) if action == 'named' else self.ask('reload-stale')
        if answer['status']:
            self.counts['refused'] += 1
            self.refused(answer, action, before)
            self.live.write(**self.program.texts())
            return
        self.counts['reloads'] += 1
        if action == 'raise':
            if any(one['state'] == 'reloaded' and one['name'] == name for one in answer['modules']) and not self.vague:
                self.fail('the statement that raises was not run')
            if self.vague:                   # what the report names now is not told again
                old, self.program = self.program, program
                self.excuse(answer, old)
                self.program = old
            self.live.write(**self.program.texts())
            self.back(before, told)
            return
        if planned is not None:
            self.planned(planned, answer)
        old, self.program = self.program, program
        self.excuse(answer, old)
        self.compare(*new)
        if action == 'undo':
            self.program = old
            self.live.write(**old.texts())
            self.back(before, told)
        else:
            self.hold()
            del self.held[:-150]
        stale = [one['name'] for one in command('stale')['modules'] if one['state'] == 'stale']
        if stale and not self.vague:
            self.fail('still stale: %s', stale)

    def ask(self, *args, **options):
        try:
            return command(*args, **options)
        except Exception as error:
            self.fail('%s: %r', args, error)

    def newest(self):
        return len(command('history')['history'])

    def back(self, before, told):
        """Undo the newest command: everything is as it was."""
        if self.newest() == self.last:       # there was nothing to reload
            return
        self.counts['undone'] += 1
        answer = self.ask('undo')
        if answer['status']:
            self.fail('undo: %s', answer['error'])
        self.same(before, 'undo')
        for name in MODULES:
            self.equal(probe.tell_module(self.modules[name]), told[0][name], name, 'after undo')
        for (module, name, what, value), its in told[1]:
            if probe.tell_held(what, value) != its:
                self.fail('after undo, the held %s of %s.%s: %s', what, module, name,
                          difference(probe.tell_held(what, value), its))

    def same(self, before, what):
        found = probe.differences(before, probe.state_of(self.modules.values()))
        found = [one for one in found if '__builtins__' not in one and '__warningregistry__' not in one]
        if found:
            self.fail('%s changed %s', what, ', '.join(found[:5]))

    def refused(self, answer, action, before):
        error = answer['error']
        expected = {'refused'} | ({'exception'} if action == 'raise' else set()) | (
            {'undecided'} if self.vague else set())
        if error['code'] not in expected:
            self.fail('%s\n%s', error['message'], error['traceback'])
        self.counts[re.sub(r'[a-z_]*[A-Z]?\w*\d\w*(\.\w+)*', 'N', error['message'].split(';')[0])[:100]] += 1
        self.same(before, 'the refused reload')

    def planned(self, planned, answer):
        if planned['status']:
            self.fail('the dry run says %s, the reload succeeds', planned['error']['message'])
        plans = {one['name']: one for one in planned['modules']}
        for one in answer['modules']:
            for key in PLANNED:
                mine, its = ([name for name in entry[key] if '.__' not in name] for entry in (plans[one['name']], one))
                if key == 'rebound' and self.branches(answer):   # which branch runs, only running tells
                    mine = [name for name in mine if name in its]
                if sorted(map(str, mine)) != sorted(map(str, its)):
                    self.fail('the dry run says of %s %s %s, the reload %s', one['name'], key, mine, its)

    def branches(self, answer):
        return any(re.match(r'(if|try|for|while|with)\b', ran['text']) for one in answer['modules'] for ran in one['executed'])

    # --- what the report names need not be new, nor what depends on it

    def excuse(self, answer, old):
        edges = {}
        for program in (old, self.program):
            for here, (early, late) in program.dependencies().items():
                for there, one in zip(edges.setdefault(here, (set(), set())), (early, late)):
                    there.update(one)
        kept, seeds = set(), self.excused | self.program.too_early()     # an unchanged statement is not run again
        for entry in answer['modules']:
            name = entry['name']
            if name not in MODULES:          # a test's own file, edited meanwhile
                continue
            seeds.update((one['module'], one['name'].split('.')[0].split(',')[0]) for one in entry['derived'])
            kept.update((name, one['name'].split('.')[0]) for one in entry['kept_old'])
            for text in entry['warnings']:
                seeds.update((name, word) for word in re.findall(r'\w+', text))
                for line in re.findall(r'line (\d+)', text):
                    seeds.update((name, word) for word in self.at_line(name, int(line)))
        seeds.update(here for here, (early, _) in edges.items() if early & kept)
        stars = {(module, one.target[0]) for program in (old, self.program) for module, there in program.modules.items()
                 for one in there if one.kind == 'star'}
        self.excused, more = seeds, True
        while more:
            found = {here for here, (early, late) in edges.items() if (early | late) & self.excused}
            found |= {(module, name) for module, there in stars for where, name in self.excused if where == there}
            more = not found <= self.excused
            self.excused |= found
        self.kept = kept
        self.held = [one for one in self.held if one[:2] not in kept and one[:2] not in self.excused]

    def at_line(self, module, line):
        """The names on a line of the source, and on those around it, where a statement may begin or end."""
        lines = self.program.text(module).split('\n')
        return re.findall(r'\w+', ' '.join(lines[max(0, line - 3):line + 6]))

    def compare(self, made, told):
        defined = {(module, one.name): one.kind for module in MODULES for one in self.program.modules[module]}
        for name, module in self.modules.items():
            if not module._STATE.get('kept') or len(module._RUNS) != len(made[name]._RUNS):
                self.fail('%s lost its state', name)
            mine = dict(probe.tell_module(module), _STATE=None)
            self.equal(mine, dict(told[name], _STATE=None), name, 'after the reload')
        self.held = [one for one in self.held if one[:2] in defined]  # another of that name, later, has nothing to do with it
        gone = []
        for module, name, what, value in self.held:
            there = probe.held_of(made[module], [name]).get((name, what))
            if there is None:
                gone.append((module, name, what))    # one that comes later has nothing to do with it
                continue
            self.counts['held'] += 1
            mine, its = probe.tell_held(what, value), probe.tell_held(what, there)
            if what == 'instance' and isinstance(its, tuple):    # what __init__ sets is state
                mine, its = ([one for one in told if one[0] != 'state'] for told in (mine, its))
            if mine != its:
                self.fail('the held %s of %s.%s: %s', what, module, name, difference(mine, its))
        self.held = [one for one in self.held if one[:3] not in gone]

    def equal(self, mine, its, module, when):
        for name in sorted(set(mine) | set(its)):
            if (module, name) in self.excused:
                self.counts['excused'] += 1
                continue
            self.counts['names'] += 1
            if mine.get(name) != its.get(name) or (name in mine) != (name in its):
                self.fail('%s, %s.%s: %s', when, module, name, difference(mine.get(name), its.get(name)))


def difference(mine, its):
    """The innermost place where two told things differ."""
    if isinstance(mine, tuple) and isinstance(its, tuple) and len(mine) == len(its) and mine[:1] == its[:1]:
        for one, other in zip(mine, its):
            if one != other:
                return '%s … %s' % (mine[0], difference(one, other))
    return '%.300r, not %.300r' % (mine, its)


# --- making runs, and making them smaller


def make(seed):
    chance = random.Random(seed)
    program = Program(chance)
    for _ in range(chance.randint(3, 16)):
        program.new(chance.choice(MODULES))
    steps = [(program.clean(), None)]
    for _ in range(chance.randint(3, 7)):
        steps.append((steps[-1][0].edited(), chance.choice(ACTIONS)))
    return steps, KINDS[seed % len(KINDS)]


def fails(steps, kind):
    try:
        Run(steps, kind, collections.Counter()).go()
    except Failure as failure:
        return str(failure)
    return None


def without(steps, number):
    """The same edits to a program that has no definition NUMBER."""
    found = []
    for program, action in steps:
        program = copy.copy(program)
        program.modules = copy.deepcopy(program.modules)
        for there in program.modules.values():
            there[:] = [one for one in there if one.number != number]
            for one in there:
                one.members[:] = [member for member in one.members if member.number != number]
                for kept in (one.reads, one.decos, one.bases, one.metas):
                    kept[:] = [other for other in kept if (one.number, other) != number]
        found.append((program.clean(), action))
    return found


def smaller(steps):
    """Ways to make a run smaller by one thing."""
    for index in range(len(steps) - 1, 0, -1):
        yield steps[:index] + steps[index + 1:]
    if len(steps) > 2:
        yield [(steps[1][0], None)] + steps[2:]
    parts = {}
    for program, _ in steps:
        for there in program.modules.values():
            for one in there:
                parts[one.number] = 1
                parts.update(dict.fromkeys(member.number for member in one.members))
                parts.update(dict.fromkeys((one.number, other) for other in one.reads + one.decos + one.bases))
    for number in parts:
        yield without(steps, number)
    for index, (program, action) in enumerate(steps):
        if action not in (None, 'reload'):
            yield steps[:index] + [(program, 'reload')] + steps[index + 1:]


def minimise(steps, kind, seconds=20):
    end, again = time.monotonic() + seconds, True
    while again and time.monotonic() < end:
        again = False
        for other in smaller(steps):
            if time.monotonic() > end:
                break
            if fails(other, kind):
                steps, again = other, True
                break
    return steps


def show(steps, kind):
    for number, (program, action) in enumerate(steps):
        print('--- %s' % ('before, baseline ' + kind if not number else 'edit %d (%s)' % (number, action)))
        for module in MODULES:
            if program.modules[module]:
                print('# %s.py\n%s' % (module, program.text(module)))


def search(seed, seconds, runs, go_on):
    """Run after run, a seed each: the number of those that failed, and what was done."""
    counts, end, bad = collections.Counter(), time.monotonic() + seconds, 0
    for seed in range(seed, seed + runs):
        if time.monotonic() > end or bad and not go_on:
            break
        steps, kind = make(seed)
        counts['runs'] += 1
        try:
            Run(steps, kind, counts).go()
        except Failure as failure:
            bad += 1
            print('FAILED with --seed %d: %s' % (seed, failure), flush=True)
            steps = minimise(steps, kind)
            print('at its smallest: %s' % fails(steps, kind))
            show(steps, kind)
    return bad, counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--runs', type=int, default=10 ** 9)
    parser.add_argument('--go-on', action='store_true', help='after a failure')
    given = parser.parse_args()
    warnings.simplefilter('ignore')
    print('seed %d' % given.seed, flush=True)
    bad, counts = search(given.seed, given.seconds, given.runs, given.go_on)
    print('%d of %d runs failed; %s' % (bad, counts['runs'], json.dumps(counts)), flush=True)
    return 1 if bad or not counts['reloads'] else 0


if __name__ == '__main__':
    sys.exit(main())

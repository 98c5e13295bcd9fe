#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What reload-stale costs the target, over the number of its modules and of its objects, on each CPython at hand of CURVES.

Modules are generated, 100 lines each, and one of them is edited: the body of a method, in one line. `first` is the first
reload-stale in the process, `second` one that finds nothing changed, `body` the next edit. What is told of each, in ms:

    gil      what our thread ran in the target in all (/proc/PID/schedstat): all of it may have held the GIL
    stretch  the longest that a thread in Python, which wakes every half a millisecond, waited beyond that; the switch
             interval of CPython, 5 ms, is in it
    held     the longest single call that cannot let others in, as the report's gil_longest says
    wall     from start to end of the command

The names with a + are of an mr-attach that was built with that Python, too: what runs over there goes along compiled.

Of RUNS processes each the best is told, since all else that the machine does only adds.
"""
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))
from harness import BY_NAME, MR_ATTACH, Target, attach, read  # noqa: E402

CURVES = ('debian3.11', 'trixie3.13', 'trixie3.13+')
COMPILED = os.path.join(os.path.dirname(MR_ATTACH), 'bench', 'mr-attach')
MODULES, OBJECTS = (10, 100, 1000, 5000), (10000, 100000, 1000000)
RUNS = int(os.environ.get('CURVE_RUNS', '3'))
PER_PACKAGE = 100
STEPS = ('first', 'second', 'body')
FIGURES = ('gil', 'stretch', 'held', 'wall')

MAIN = '''import importlib, sys, threading, time
sys.path.insert(0, __file__.rpartition('/')[0])
for number in range(int(%(modules)d)):
    importlib.import_module('gen%%d.mod%%d' %% (number // %(per)d, number))
heap = [[number] for number in range(%(objects)d)]
worst = [0.0]
def watch():
    last = time.perf_counter()
    while True:
        time.sleep(0.0005)
        now = time.perf_counter()
        worst[0] = max(worst[0], now - last - 0.0005)
        last = now
threading.Thread(target=watch, daemon=True).start()
'''


def source(number):
    """A module of 100 lines: imports, constants, functions and a class."""
    lines = ['"""Module %d."""' % number, 'import os']
    lines += ['from gen%d.mod%d import LIMIT as EARLIER' % ((number - 1) // PER_PACKAGE, number - 1)] if number else []
    lines += ['LIMIT = %d' % number, 'STATE = {}']
    for one in range(6):
        lines += ['', '', 'def work%d(a, b=%d):' % (one, one), '    """Does %d."""' % one, '    total = LIMIT',
                  '    for i in range(a):', '        total += i * b', '        if total > 1000:', '            total -= 7',
                  '    return total + %d' % (number + one)]
    lines += ['', '', 'class Thing:', '    kind = "thing"']
    for one in range(5):
        lines += ['', '    def method%d(self, x):' % one, '        y = x + %d' % one, '        return [y, self.kind]']
    return '\n'.join(lines + ['# the end'] * (100 - len(lines))) + '\n'


@contextlib.contextmanager
def with_proc(python):
    """With /proc in the root of a CPython, which a bare chroot lacks: who starts when is read there."""
    mounted = python.root and os.geteuid() == 0 and not os.path.ismount(python.outside('/proc'))
    if mounted:
        subprocess.run(['mount', '-t', 'proc', 'proc', python.outside('/proc')], check=True)
    try:
        yield
    finally:
        if mounted:
            subprocess.run(['umount', '-l', python.outside('/proc')])


class Program:
    """A process with so many modules and objects, and one module to edit."""

    def __init__(self, python, modules, objects):
        self.stack = contextlib.ExitStack()
        inside, outside = self.stack.enter_context(python.folder())
        for number in range(modules):
            package = '%s/gen%d' % (outside, number // PER_PACKAGE)
            if number % PER_PACKAGE == 0:
                os.mkdir(package)
                self.write(package + '/__init__.py', '')
            self.write('%s/mod%d.py' % (package, number), source(number))
        self.write(outside + '/main.py', MAIN % {'modules': modules, 'per': PER_PACKAGE, 'objects': objects})
        self.edited, self.text, self.edits = outside + '/gen0/mod3.py', source(3), 0
        time.sleep(0.2)                      # the sources are older than the process
        self.target = self.stack.enter_context(Target('program', python, args=[inside + '/main.py']))

    def write(self, path, text):
        with open(path, 'w') as out:
            out.write(text)

    def edit(self):
        self.edits += 1
        self.write(self.edited, self.text.replace('y = x + 0', 'y = x + %d' % self.edits))

    def run_time(self):
        """ms that the main thread has run."""
        return int(read('/proc/%d/schedstat' % self.target.pid).split()[0]) / 1e6

    def step(self, name, program=MR_ATTACH):
        """The figures of one reload-stale."""
        if name != 'second':
            self.edit()
        self.target.ask('worst.__setitem__(0, 0.0)')
        before, began = self.run_time(), time.perf_counter()
        result = attach(self.target.pid, '-j', 'reload-stale', program=program)
        wall, after = (time.perf_counter() - began) * 1e3, self.run_time()
        reloaded = [one for one in result.json['modules'] if one['state'] == 'reloaded']
        if result.status != 0 or len(reloaded) != (name != 'second'):
            raise SystemExit('curves: %s: %s' % (name, result))
        return {'gil': after - before, 'stretch': float(self.target.ask('worst[0]')) * 1e3, 'wall': wall,
                'held': (result.json['timing_us']['gil_longest'] or 0) / 1e3}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()


def measure(label, modules, objects):
    """The best of RUNS processes: one row for each step."""
    best, python, program = {}, BY_NAME[label.rstrip('+')], COMPILED if label.endswith('+') else MR_ATTACH
    for _ in range(RUNS):
        with Program(python, modules, objects) as target:
            for name in STEPS:
                found = target.step(name, program)
                best[name] = {key: min(value, best.get(name, found)[key]) for key, value in found.items()}
    rows = [dict(best[name], python=label, modules=modules, objects=objects, step=name) for name in STEPS]
    for row in rows:
        print('%-12s %7d %9d %-8s' % (label, modules, objects, row['step']) + ''.join(' %9.2f' % row[key] for key in FIGURES),
              flush=True)
    return rows


def curves():
    """All rows, and what is to be reached: (name, value, at most)."""
    print('%-12s %7s %9s %-8s' % ('ms, best', 'modules', 'objects', 'step') + ''.join(' %9s' % key for key in FIGURES))
    rows, goals = [], []
    for label in [name for name in CURVES if name.rstrip('+') in BY_NAME]:
        with with_proc(BY_NAME[label.rstrip('+')]):
            for modules in MODULES:
                rows += measure(label, modules, 0)
            for objects in OBJECTS if not label.endswith('+') else ():
                rows += measure(label, MODULES[0], objects)
    for row in rows:
        name = '%s, %d modules, %s: ' % (row['python'], row['modules'], row['step'])
        if row['modules'] == MODULES[-1] and row['step'] != 'body':
            goals.append((name + 'the GIL in all', row['gil'], 50 if row['step'] == 'first' else 10))
            goals.append((name + 'longest stretch', row['stretch'], 10))
        if row['objects'] == OBJECTS[-1] and row['step'] == 'body':
            goals.append(('%s, %d objects: a body' % (row['python'], row['objects']), row['wall'], 100))
    return rows, goals


if __name__ == '__main__':
    found, wanted = curves()
    for name, value, most in wanted:
        print('%-52s %8.2f, at most %d: %s' % (name, value, most, 'reached' if value <= most else 'NOT reached'))
    if len(sys.argv) > 1:
        with open(sys.argv[1], 'w') as out:
            json.dump(found, out, indent=1)

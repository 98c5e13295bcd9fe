# SPDX-License-Identifier: MIT
"""One target of the storm on one CPython: started, looked after, and heard in the end."""
import itertools
import json
import mmap
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'live'))
import kinds  # noqa: E402
from harness import MR_ATTACH, PATIENCE, Snapshot, Target, differences, environment, status_of  # noqa: E402

LIBRARY = os.path.join(os.path.dirname(MR_ATTACH), 'storm', 'helper.so')
JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2'
GREENLET = '/usr/lib/python3/dist-packages/greenlet'
STUCK = 15.0                        # seconds without a step forward that count as a hang
# By how much each may grow by itself, less than one page or object for each of a thousand runs: an interpreter keeps the room
# of its highest peak, and its other threads allocate. Its blocks and bytes in use are known better than its memory.
SLACK = {'kB': 3500, 'data': 3500, 'blocks': 700, 'bytes': 1 << 19, 'mappings': 1}
# A reload that handlers end again and again has a peak of its own; a thread of ours leaves the C library one stack and one heap.
PEAKS = dict(SLACK, kB=16384, data=16384, mappings=3)
STACKS = dict(SLACK, kB=16384, data=1 << 17, mappings=40)      # threads that come and go: the C library keeps stacks and heaps
CROWDS = dict(STACKS, blocks=4000, bytes=1 << 21)              # and those that allocate all the time
SLACKS = dict(dict.fromkeys(('alarmraise', 'alarmexit', 'locks'), PEAKS), **dict.fromkeys(('threads', 'inhandler', 'traced'), STACKS))
SLACKS.update(dict.fromkeys(('malloc', 'cmalloc', 'jemalloc', 'fork', 'collect', 'imports', 'dlopen', 'busy'), CROWDS))

# What their programs do to themselves all the time.
LOADS = ('dlopen', 'imports')

# Whose waits have a known length; and of those what a stop would begin anew, so that they are left alone (exit 6).
TIMED = ('waits', 'aio') + tuple('c' + name for name in kinds.WAITS)
UNTOUCHED = ('cepoll', 'csignal', 'csysv', 'creceive')

WORK = 'VERSION = %d\n\n\ndef first():\n    return %d\n\n\ndef second():\n    return %d\n# %s\n'


def can(python, kind):
    """None, or why this CPython has no such target."""
    if python.name.startswith('musl'):
        return 'built without ctypes'
    if kind == 'jemalloc' and (python.root or not os.path.exists(JEMALLOC)):
        return 'no jemalloc there'
    if kind == 'greenlets' and not (python.name == 'debian3.11' and os.path.exists(GREENLET)):
        return 'no greenlet there'
    if kind in ('alarmraise', 'alarmexit') and python.name.endswith('d'):
        return 'its os.stat() aborts when a handler raises in it'
    return None


class Program(Target):
    """target.py in a folder of its own, with its library, its module `work`, and its counters."""

    def __init__(self, kind, python, folder):
        self.way, self.python, self.folder, self.timed = kind, python, folder[1], kind in TIMED
        self.version = 0
        for name in ('target.py', 'kinds.py'):
            shutil.copy(os.path.join(HERE, name), folder[1])
        for name in ('helper.so', 'helper.so.other'):
            shutil.copy(LIBRARY, os.path.join(folder[1], name))
        self.edit()
        with open(os.path.join(folder[1], 'progress'), 'wb') as file:
            file.write(bytes(4096))
        with open(os.path.join(folder[1], 'progress'), 'rb') as file:
            self.progress = memoryview(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)).cast('Q')
        env = dict(environment(), **({'LD_PRELOAD': JEMALLOC} if kind == 'jemalloc' else {}))
        inside = folder[0] + '/'
        self.process = subprocess.Popen(python.argv(inside + 'target.py', kind, inside + 'helper.so', inside + 'progress'),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.pid, self.buffer, self.port, self.before = self.process.pid, b'', None, None

    def edit(self):
        """The next version of the module `work`, in one step."""
        self.version += 1
        path = os.path.join(self.folder, 'work.py')
        with open(path + '.new', 'w') as file:
            file.write(WORK % ((self.version,) * 3 + ('x' * (self.version % 50),)))
        os.rename(path + '.new', path)

    def leave(self):
        os.write(self.process.stdin.fileno(), b'x')

    def testimony(self):
        """What it says in the end; raises where it does not end as it should."""
        self.leave()
        said = self.hear()
        if said is None:
            raise AssertionError('no testimony: status %s, %s' % (
                self.process.wait(PATIENCE), self.process.stderr.read().decode()[-1000:]))
        status, errors = self.process.wait(PATIENCE), self.process.stderr.read().decode()
        if status or errors:
            raise AssertionError('ended with %s: %s' % (status, errors[-1000:]))
        return said

    def last_words(self):
        """[] while it lives, else how it ended."""
        if self.alive() or self.process.stderr.closed or self.process.poll() == 0:
            return []
        return ['ended with %s: %s' % (self.process.wait(PATIENCE), self.process.stderr.read().decode()[-2000:])]

    # --- while it runs --------------------------------------------------------------------------------------------------

    def steps(self):
        return [n for n in self.progress[:64]]

    def moves(self):
        """[] when all of its threads take steps, else which do not."""
        first, end = self.steps(), time.monotonic() + STUCK
        while True:
            still = [slot for slot, (a, b) in enumerate(zip(first, self.steps())) if a and a == b]
            if not still or not self.alive():
                return []
            if time.monotonic() > end:
                return ['threads %s have not moved for %.0f s' % (still, STUCK)]
            time.sleep(0.005)

    def held(self):
        """The threads that are stopped or traced."""
        found = []
        for thread in os.listdir('/proc/%d/task' % self.pid):
            status = status_of('%d/task/%s' % (self.pid, thread))
            if status and (status['State'][0] in 'tT' or status['TracerPid'] != '0'):
                found.append('thread %s is %s, tracer %s' % (thread, status['State'], status['TracerPid']))
        return found

    def unharmed(self, patience=3.0):
        """[] or what is wrong right now. Who has just been let go, or is on the way home, gets a moment."""
        end = time.monotonic() + patience
        while True:
            try:
                found = self.held() if self.alive() else ['dead']
            except (FileNotFoundError, ProcessLookupError):
                found = ['gone']
            if not found or time.monotonic() > end or found == ['dead']:
                return found or self.moves()
            time.sleep(0.005)

    def sizes(self):
        status = status_of(self.pid)
        with open('/proc/%d/maps' % self.pid) as maps:
            lines = sum(1 for line in maps if len(line.split()) > 5 or ' rw-p ' not in line)     # not those of heaps
        return {'mappings': lines, 'descriptors': len(os.listdir('/proc/%d/fd' % self.pid)),
                'threads': int(status['Threads']), 'kB': int(status['RssAnon'].split()[0]),
                'data': int(status['VmData'].split()[0])}

    def left_behind(self, leftover):
        """[] or what of an attach can still be seen in it."""
        end = time.monotonic() + 3
        while True:
            found = [d for d in differences(self.before, Snapshot(self.pid), leftover) if d.startswith(
                ('regions', 'traced', 'state') + (() if self.way in LOADS else ('new executable',)))]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.01)


def grown(windows, slack):
    """[] or what grew by more than SLACK from one thousand runs to later ones. Of each window the smallest sizes count: what comes and goes
    is the program's own."""
    return ['%s grew from %d to %d' % (what, early[what], late[what])
            for early, late in itertools.combinations(windows, 2) for what in sorted(set(early) & set(late))
            if late[what] > early[what] + slack.get(what, 0)][:5]


def too_late(said, alone, margin):
    """[] or the wait that came later than any of the twin's that nobody attached to."""
    worst = [max([seconds for seconds, _ in one['late']] or [0.0]) for one in (said, alone)]
    if worst[0] > max(worst[1], 0.0) + margin:
        return ['a wait was %.1f ms late, %.1f ms where nobody attached: %s' % (
            worst[0] * 1e3, worst[1] * 1e3, json.dumps(said['late'][0]))]
    return []

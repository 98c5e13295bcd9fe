#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How long a command takes and how long the target stands still, beside gdb and sys.remote_exec, in one run.

Prints a table and writes it as JSON to build/bench.json. RUNS=n says how often (default 40). All tools take turns, so that
a noisy moment hits all of them. wall: from start to end of the command. stopped: for mr-attach the longest time that it
held a thread, as it reports; gap: the longest time that a thread of the target outside Python did not run, which is
what stopping the whole process looks like from inside (on a busy machine some of it is mere noise, see `nobody`).
Then curves.py: what a reload costs the target.
"""
import contextlib
import json
import mmap
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, 'tests', 'live'), os.path.join(TOP, 'tests', 'bench')]
os.environ.setdefault('MR_RUNS', 'all')
from harness import DEFAULT, HERE, HERE_NOW, MR_ATTACH, OPEN_WAITS, Target, environment, read  # noqa: E402
import curves  # noqa: E402

RUNS = int(os.environ.get('RUNS', '40'))
BUILD = os.path.dirname(MR_ATTACH)
GIVE_UP = 15.0  # seconds: gdb's calls can dead-lock a target with several threads


class Watched(Target):
    """A target with the thread that notes gaps, and a module to edit."""

    def __init__(self, way, python=DEFAULT, threads=1, libraries=0, gap=True):
        self.stack = contextlib.ExitStack()
        inside, outside = self.stack.enter_context(python.folder())
        self.module = os.path.join(outside, 'edited_module.py')
        self.version = 0
        self.edit()
        with open(os.path.join(outside, 'gap'), 'wb') as out:
            out.write(bytes(4096))
        self.gap_file = os.path.join(outside, 'gap')
        names = []
        for n in range(libraries):
            names.append('%s/lib%d.so' % (inside, n))
            shutil.copy(os.path.join(BUILD, 'bench', 'gap.so'), '%s/lib%d.so' % (outside, n))
        script = os.path.join(outside, 'script.py')
        with open(script, 'w') as out:
            out.write('import sys; sys.path.insert(0, %r)\nimport edited_module\n' % inside)
            if names:
                out.write('import ctypes; held = [ctypes.CDLL(name) for name in %r]\n' % names)
            out.write(read(os.path.join(HERE, 'target.py')))
        env = {}
        if gap:
            shutil.copy(os.path.join(BUILD, 'bench', 'gap.so'), os.path.join(outside, 'gap.so'))
            env = {'MR_GAP': inside + '/gap', 'LD_PRELOAD': inside + '/gap.so'}
        super().__init__(way, python, threads, script=script, env=env)

    def edit(self):
        self.version += 1
        with open(self.module, 'w') as out:
            out.write('STATE = {}\n\n\ndef answer():\n    return "version %d"\n' % self.version)

    def kill(self):
        super().kill()
        self.stack.close()

    @contextlib.contextmanager
    def gap(self):
        """Yields a function that tells the longest gap since, in ms."""
        with open(self.gap_file, 'r+b') as file, mmap.mmap(file.fileno(), 8) as shared:
            shared[:] = bytes(8)
            yield lambda: int.from_bytes(shared[:], 'little') / 1e6


def timed(command, **options):
    """(milliseconds, status, output); status None when it had to be given up."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=environment(), **options)
    try:
        out = process.communicate(timeout=GIVE_UP)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return GIVE_UP * 1e3, None, b''
    return (time.perf_counter() - began) * 1e3, process.returncode, out


# --- the tools: each does one thing to a target and returns (wall ms, stopped ms or None, whether it worked) -------------

def mr_exec(target, program=MR_ATTACH):
    wall, status, out = timed([program, str(target.pid), '-j', 'exec', '1'])
    return wall, json.loads(out.decode())['timing_us']['stopped'] / 1e3 if status == 0 else None, status == 0


def mr_compiled(target):
    """By an mr-attach that was built where the target's Python is the python3: the payload goes along compiled."""
    return mr_exec(target, os.path.join(BUILD, 'bench', 'mr-attach'))


def mr_reload(target):
    target.edit()
    wall, status, out = timed([MR_ATTACH, str(target.pid), '-j', 'reload-stale'])
    report = json.loads(out.decode()) if status == 0 else {}
    worked = [m['state'] for m in report.get('modules') or []].count('reloaded') == 1
    return wall, report['timing_us']['stopped'] / 1e3 if worked else None, worked


def gdb(target):
    command = ['gdb', '-nx', '-batch', '-iex', 'set debug-file-directory /nonexistent', '-iex', 'set auto-load no']
    if target.python.root:
        command += ['-iex', 'set sysroot /proc/%d/root' % target.pid]
    command += ['-p', str(target.pid), '-ex', 'set $state = (int)PyGILState_Ensure()',
                '-ex', 'call (int)PyRun_SimpleString("1")', '-ex', 'call (void)PyGILState_Release($state)']
    wall, status, out = timed(command)
    return wall, None, status == 0 and b'$1 = 0' in out


def remote_exec(target):
    """Until the code has run: the call returns before that, and has no answer; so the code leaves a file."""
    script, done = (os.path.join(os.path.dirname(target.module), name) for name in ('remote.py', 'done'))
    inside = len(target.python.root or '')
    with open(script, 'w') as out:
        out.write('open(%r, "w").close()\n' % done[inside:])
    wall, status, _ = timed(target.python.argv('-I', '-S', '-c', 'import sys; sys.remote_exec(%d, %r)'
                                               % (target.pid, script[inside:])))
    began = time.perf_counter()
    while not os.path.exists(done) and time.perf_counter() - began < GIVE_UP:
        time.sleep(0.0001)
    wall += (time.perf_counter() - began) * 1e3
    worked = status == 0 and os.path.exists(done)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(done)
    return wall, None, worked


def nobody(target):
    """What the gap looks like when nobody does anything."""
    time.sleep(0.02)
    return None, None, True


class Row:
    def __init__(self, where, tool):
        self.where, self.tool, self.wall, self.stopped, self.gaps, self.failed = where, tool.__name__, [], [], [], 0

    def add(self, wall, stopped, gap, worked):
        self.failed += not worked
        for value, values in ((wall, self.wall), (stopped, self.stopped), (gap, self.gaps)):
            if worked and value is not None:
                values.append(value)

    def summary(self):
        def two(values):
            return {'median': statistics.median(values), 'max': max(values)} if values else None
        return {'target': self.where, 'tool': self.tool, 'runs': len(self.gaps) + self.failed, 'failed': self.failed,
                'wall_ms': two(self.wall), 'stopped_ms': two(self.stopped), 'gap_ms': two(self.gaps)}

    def __str__(self):
        def two(values):
            return '%9.2f %9.2f' % (statistics.median(values), max(values)) if values else '%9s %9s' % ('-', '-')
        return '%-22s %-12s %s %s %s %6d' % (self.where, self.tool, two(self.wall), two(self.stopped), two(self.gaps), self.failed)


HEADER = '%-22s %-12s %19s %19s %19s %6s\n%-35s %s' % (
    'ms, median and max', '', 'wall', 'stopped', 'gap', 'failed', '', ' '.join(['%9s %9s' % ('median', 'max')] * 3))


def measure(where, make, tools, runs=RUNS):
    """All tools in turn; a target that a tool has hung or killed is replaced."""
    rows = {tool: Row(where, tool) for tool in tools}
    target = make().__enter__()
    try:
        for _ in range(3):
            mr_exec(target)
        for n in range(runs):
            for tool, row in rows.items():
                if row.failed >= 3 or (tool is gdb and n >= max(5, runs // 2)):
                    continue
                with target.gap() as gap:
                    wall, stopped, worked = tool(target)
                    row.add(wall, stopped, gap(), worked)
                if not worked:
                    target.kill()
                    target = make().__enter__()
    finally:
        target.kill()
    for row in rows.values():
        print(row, flush=True)
    return [row.summary() for row in rows.values()]


def ratio(one, other):
    return one['wall_ms']['median'] / other['wall_ms']['median'] if one['wall_ms'] and other['wall_ms'] else None


def find(rows, where, tool):
    return next(r for r in rows if (r['target'], r['tool']) == (where, tool))


def build_gap():
    os.makedirs(os.path.join(BUILD, 'bench'), exist_ok=True)
    subprocess.run(['gcc', '-O2', '-fPIC', '-shared', '-pthread', '-o', os.path.join(BUILD, 'bench', 'gap.so'),
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), 'gap.c')], check=True)


def main():
    build_gap()
    peers = [gdb] if shutil.which('gdb') else []
    print('%s, %d CPUs, load %.1f; targets: %s' % (os.uname().release, os.cpu_count(), os.getloadavg()[0], DEFAULT.name))
    print(HEADER)
    rows = []
    for where, way in (('idle', 'longsleep'), ('ticking', 'tick'), ('four busy threads', 'busy4')):
        rows += measure(where, lambda way=way: Watched(way), [mr_exec, mr_reload] + peers + [nobody])
    newest = [p for p in HERE_NOW if p.version >= (3, 14)]
    if newest and os.geteuid() == 0:
        with curves.with_proc(newest[0]):
            rows += measure('ticking ' + newest[0].name, lambda: Watched('tick', newest[0]),
                            [mr_exec, mr_compiled, mr_reload, remote_exec, nobody])
    for threads in (1, 500):
        rows += measure('%d threads' % threads, lambda n=threads: Watched('longsleep', threads=n, gap=False), [mr_exec])
    for libraries in (10, 300):
        rows += measure('%d libraries' % libraries, lambda n=libraries: Watched('longsleep', libraries=n, gap=False), [mr_exec])
    with Watched('longsleep', gap=False) as target, tempfile.TemporaryFile() as out:
        code = 'import resource, subprocess, sys; subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); ' \
               'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'
        target.edit()
        subprocess.run([sys.executable, '-c', code, MR_ATTACH, str(target.pid), 'reload-stale'], stdout=out, check=True)
        out.seek(0)
        peak = int(out.read())
    waits = []
    for way in OPEN_WAITS + ('longsleep',):
        waits += measure('waits: ' + way, lambda way=way: Watched(way, gap=False), [mr_exec], 5 * RUNS)
    curve, wanted = curves.curves()
    for what, most in (('median', 10), ('max', 50)):
        wanted.append(('waiting, worst %s of %d runs' % (what, 5 * RUNS), max(row['wall_ms'][what] for row in waits), most))
    goals = judge(rows, peak, wanted)
    with open(os.path.join(BUILD, 'bench.json'), 'w') as out:
        json.dump({'kernel': os.uname().release, 'cpus': os.cpu_count(), 'rows': rows + waits, 'curves': curve, 'goals': goals, 'peak_kb': peak}, out,
                  indent=1)
    print('written to ' + os.path.join(BUILD, 'bench.json'))


def judge(rows, peak, wanted):
    """What is to be reached, as (name, reached, wanted)."""
    found = []

    def goal(name, value, wanted):
        found.append({'name': name, 'value': value, 'at_most': wanted, 'met': value is not None and value <= wanted})
    with contextlib.suppress(StopIteration):
        goal('idle: wall, of gdb\'s', ratio(find(rows, 'idle', 'mr_exec'), find(rows, 'idle', 'gdb')), 1 / 30)
    with contextlib.suppress(StopIteration):
        where = next(r['target'] for r in rows if r['tool'] == 'remote_exec')
        for tool in ('mr_compiled', 'mr_exec'):
            goal('ticking: wall of %s, of remote_exec\'s' % tool, ratio(find(rows, where, tool), find(rows, where, 'remote_exec')), 0.25)
    stopped = find(rows, 'idle', 'mr_exec')['stopped_ms']
    goal('idle: stopped, ms', stopped and stopped['median'], 0.3)
    goal('500 threads against 1', ratio(find(rows, '500 threads', 'mr_exec'), find(rows, '1 threads', 'mr_exec')), 1.3)
    goal('300 libraries against 10', ratio(find(rows, '300 libraries', 'mr_exec'), find(rows, '10 libraries', 'mr_exec')), 2)
    goal('peak memory, MB', peak / 1024, 24)
    for name, value, most in wanted:
        goal(name + ', ms', value, most)
    for g in found:
        print('%-58s %8s, at most %6.3f: %s' % (g['name'], '-' if g['value'] is None else '%.3f' % g['value'], g['at_most'],
                                                'reached' if g['met'] else 'NOT reached'))
    return found


if __name__ == '__main__':
    sys.exit(main())

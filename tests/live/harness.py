# SPDX-License-Identifier: MIT
"""Starting targets, attaching to them, and comparing what they were with what they are.

A test asserts what the target says and does: Target.stop() returns its testimony and fails when anything in it is
wrong, and Target.unchanged() compares /proc before and after.
"""
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'pythons'))
import pythons  # noqa: E402

MR_ATTACH = os.environ.get('MR_ATTACH') or os.path.join(TOP, os.environ.get('B') or 'build', 'mr-attach')
SANITIZED = bool(os.environ.get('SAN'))
RUNS = os.environ.get('MR_RUNS', 'check')
PATIENCE = 30.0  # seconds until anything that must happen counts as not happening

# Whoever starts the tests in the background starts them with SIGINT ignored, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every key of a report in JSON, and of a module in it.
REPORT_KEYS = {'schema', 'pid', 'command', 'status', 'python', 'executable', 'interpreter', 'delivery', 'timing_us',
               'modules', 'excluded_stale', 'heap', 'output', 'value', 'error'}
TIMING_KEYS = {'total', 'stopped', 'stopped_sum', 'stops', 'queued', 'ran', 'gil_longest'}
MODULE_KEYS = {'name', 'path', 'state', 'why', 'baseline', 'changed', 'added', 'removed', 'rebound', 'executed', 'derived',
               'kept_old', 'running_old', 'warnings', 'ran_us', 'diff'}

HERE_NOW = [p for p in pythons.chosen(RUNS) if p.here]
BY_NAME = {p.name: p for p in HERE_NOW}
if not HERE_NOW:
    raise SystemExit('harness: no CPython to test on')
REQUIRED = [p for p in HERE_NOW if p.need == 'required']
DEFAULT = BY_NAME.get('debian3.11') or HERE_NOW[0]


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(('PYTHON', 'LD_')) and k != 'NO_COLOR'}
    env.update(LC_ALL='C.UTF-8', TERM='dumb', ASAN_OPTIONS='detect_leaks=0', UBSAN_OPTIONS='halt_on_error=1')
    return env


class Result:
    """What one mr-attach said."""

    def __init__(self, args, status, stdout, stderr, seconds):
        self.args, self.status, self.stdout, self.stderr, self.seconds = args, status, stdout, stderr, seconds

    def __str__(self):
        return 'mr-attach %s -> %s in %.3f s\n--- stdout\n%s\n--- stderr\n%s' % (
            ' '.join(map(repr, self.args)), self.status, self.seconds, self.stdout[:4000], self.stderr[:4000])

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def value(self):
        return self.json['value']


def attach(*args, timeout=PATIENCE, stdin=b'', preload=None, env=None, prefix=(), program=MR_ATTACH, **options):
    """Runs mr-attach and waits for it. Arguments may be bytes. A hang counts as status None."""
    args = [a if isinstance(a, bytes) else str(a) for a in args]
    env = dict(environment(), **(env or {}))
    if preload:
        env['LD_PRELOAD'] = preload
    began = time.monotonic()
    process = subprocess.Popen(list(prefix) + [program] + args, stdin=subprocess.PIPE, env=env,
                               stdout=options.pop('stdout', subprocess.PIPE), stderr=subprocess.PIPE, **options)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        status = None
    return Result(args, status, (out or b'').decode('utf-8', 'surrogateescape'),
                  err.decode('utf-8', 'surrogateescape'), time.monotonic() - began)


# --- what /proc says -------------------------------------------------------------------------------------------------

def read(path):
    with open(path) as file:
        return file.read()


def status_of(pid):
    """The fields of /proc/PID/status as a dict of texts; {} when it is gone."""
    try:
        return dict(line.split(':\t', 1) for line in read('/proc/%s/status' % pid).splitlines() if ':\t' in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def mappings(pid):
    """[(start, end, permissions, path)]"""
    rows = []
    for line in read('/proc/%d/maps' % pid).splitlines():
        span, perms, _, _, _, *path = line.split(None, 5)
        start, end = (int(x, 16) for x in span.split('-'))
        rows.append((start, end, perms, path[0] if path else ''))
    return rows


def regions(pid):
    return [row for row in mappings(pid) if is_ours(row)]


def is_ours(row):
    """Our own mappings: sixteen places from 0x6d7200000000 ("mr") on, see payload/request.h."""
    return 0 <= (row[0] >> 32) - 0x6d72 < 16 and not row[3]


def descriptors(pid):
    found = {}
    for fd in os.listdir('/proc/%d/fd' % pid):
        try:
            found[int(fd)] = os.readlink('/proc/%d/fd/%s' % (pid, fd))
        except FileNotFoundError:
            pass
    return found


LIBC_SIGNALS = 3 << 31  # 32 and 33: glibc catches them from the first pthread_create on, no program can


class Snapshot:
    """All of a process that must be the same before and after."""

    def __init__(self, pid):
        self.status = status_of(pid)
        self.maps = mappings(pid)
        self.fds = descriptors(pid)
        self.threads = sorted(map(int, os.listdir('/proc/%d/task' % pid)))
        self.masks = {}
        for thread in self.threads:
            fields = status_of('%d/task/%d' % (pid, thread))
            self.masks[thread] = {k: int(fields.get(k, '0'), 16) & ~LIBC_SIGNALS for k in ('SigBlk', 'SigIgn', 'SigCgt')}
        self.tracers = {t: status_of('%d/task/%d' % (pid, t)).get('TracerPid') for t in self.threads}
        self.state = self.status.get('State', 'gone')[:1]

    def executable(self):
        return {row for row in self.maps if 'x' in row[2]}


def differences(before, after, leftover=0):
    """In words. `leftover`: how many idle regions of ours may stay (after a kill)."""
    found = []
    ours = [row for row in after.maps if is_ours(row)]
    if len({row[0] >> 32 for row in ours}) > leftover:
        found.append('regions of ours remain: %s' % [hex(r[0]) + ' ' + r[2] for r in ours])
    new = {row for row in after.executable() - before.executable() if not is_ours(row)}
    # The page of the vdso keeps a private copy; the kernel may show its mapping as split.
    new = {row for row in new if row[3] not in ('[vdso]', '[vsyscall]')}
    if new:
        found.append('new executable mappings: %s' % sorted(new))
    for what in ('fds', 'threads', 'masks'):
        if getattr(before, what) != getattr(after, what):
            found.append('%s: %r became %r' % (what, getattr(before, what), getattr(after, what)))
    if set(after.tracers.values()) - {'0', None}:
        found.append('traced by %r' % after.tracers)
    if after.state not in 'RSD':
        found.append('state is %s' % after.status.get('State'))
    return found


def changes(before, pid, leftover=0, patience=2.0):
    """The differences of the process PID now. A thread that is just going home, after the answer, gets a moment."""
    end = time.monotonic() + patience
    while True:
        try:
            found = differences(before, Snapshot(pid), leftover)
        except (FileNotFoundError, ProcessLookupError) as error:
            found = ['gone while we looked: %s' % error]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.005)


def wait_until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('waited %.0f s in vain until %s' % (patience, what))
        time.sleep(0.001)


# --- targets ---------------------------------------------------------------------------------------------------------

OPEN_WAITS = ('select', 'poll', 'epoll', 'accept', 'read', 'lock', 'event', 'join', 'queue', 'simplequeue', 'waitpid',
              'cepoll')
TIMED_WAITS = ('sleep', 'select_timed', 'poll_timed', 'event_timed', 'cpoll', 'cnanosleep')
RUNNING = ('loop', 'sort', 'sha256')
WAYS = OPEN_WAITS + TIMED_WAITS + RUNNING
IN_C = ('cpoll', 'cnanosleep', 'cepoll')  # through ctypes
FUTEX_WAITS = ('lock', 'event', 'join', 'queue', 'simplequeue', 'event_timed')
BY_SIGNAL = ('lock', 'event', 'queue', 'simplequeue')


class Target:
    """One process running target.py, or another program, in one of its ways. Use as a context manager."""

    def __init__(self, way, python=None, threads=1, folder=None, args=(), options=(), env=None, script=None, prefix=(),
                 command=None):
        self.way, self.python, self.threads = way, python or DEFAULT, threads
        self.port = None
        self.reported = None
        self.buffer = b''
        source = read(script or os.path.join(HERE, 'target.py'))
        command = command or list(prefix) + self.python.argv(*options, '-c', source, way, str(threads), *args)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=dict(environment(), **(env or {})), cwd=folder)
        self.pid = self.process.pid
        self.before = None

    def __enter__(self):
        try:
            self.until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *exception):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except OSError:
                pass

    def hear(self, patience=PATIENCE):
        """The next thing that the target says, or None when it ends."""
        end = time.monotonic() + patience
        while b'\n' not in self.buffer:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                raise AssertionError('the target said nothing for %.0f s (state %s)' % (
                    patience, status_of(self.pid).get('State')))
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return None
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line.decode())

    def until_ready(self):
        while True:
            said = self.hear()
            if said is None:
                raise AssertionError('the target ended early: ' + self.process.stderr.read().decode())
            self.port = said.get('port', self.port)
            if said.get('ready'):
                break
        if self.way in OPEN_WAITS or self.way in ('longsleep', 'cread', 'program'):
            wait_until(self.is_waiting, 'the target waits in ' + self.way)
        self.before = Snapshot(self.pid)

    def is_waiting(self):
        """Whether the main thread is blocked in a system call, and stays so for two looks."""
        def look():
            return read('/proc/%d/task/%d/syscall' % (self.pid, self.pid)).split()[0]
        first = look()
        return first not in ('running', '-1') and first == look()

    def attach(self, *args, **options):
        return attach(self.pid, *args, **options)

    def ask(self, expression):
        """The repr of an expression, evaluated by the target itself. Only for way_program."""
        os.write(self.process.stdin.fileno(), expression.encode() + b'\n')
        return self.hear()['answer']

    def leave(self):
        """Ends the wait, or asks to end the rounds, and never waits for it."""
        if self.way in BY_SIGNAL:
            os.kill(self.pid, signal.SIGUSR1)
        elif self.way == 'accept':
            with socket.create_connection(('127.0.0.1', self.port)) as connection:
                connection.sendall(b'hello')
        else:
            os.write(self.process.stdin.fileno(), b'x')

    def stop(self):
        """Ends the target in good order and returns its testimony; raises when something in it is wrong."""
        self.leave()
        said = self.hear()
        assert said is not None and 'report' in said, 'no testimony: status %s, %s' % (
            self.process.wait(PATIENCE), self.process.stderr.read().decode()[-2000:])
        self.reported = said['report']
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        errors = self.process.stderr.read().decode()
        assert status == 0, 'the target ended with %s: %s' % (status, errors[-2000:])
        assert not errors, 'the target wrote on its standard error: ' + errors[-2000:]
        assert not self.reported['wrong'], 'the target came to wrong results: %s' % self.reported['wrong'][:3]
        return self.reported

    def alive(self):
        return self.process.poll() is None and status_of(self.pid).get('State', 'Z')[0] not in 'ZX'

    def unchanged(self, leftover=0, patience=2.0):
        """[] or what is different from before."""
        found = changes(self.before, self.pid, leftover, patience) if self.alive() else []
        if not self.alive():
            return ['the target is dead (%s): %s' % (self.process.poll(), self.process.stderr.read()[-1000:])]
        return found


class LiveTest(unittest.TestCase):
    longMessage = True
    maxDiff = None

    def assertStatus(self, result, status):
        self.assertEqual(result.status, status, '\n' + str(result))

    def assertUnharmed(self, target, leftover=0):
        self.assertEqual(target.unchanged(leftover), [])

    def assertReport(self, report):
        self.assertLessEqual(REPORT_KEYS, set(report))
        self.assertEqual(report['schema'], 1)
        if report['timing_us'] is not None:
            self.assertLessEqual(TIMING_KEYS, set(report['timing_us']))
        for module in report['modules'] or []:
            self.assertLessEqual(MODULE_KEYS, set(module))
            self.assertLessEqual(set(module), MODULE_KEYS | {'loaded_at', 'exact'})
        if report['error'] is not None:
            self.assertLessEqual({'code', 'message', 'module', 'file', 'line', 'traceback'}, set(report['error']))

    def assertRefused(self, result, status, *patterns):
        """The right status, nothing on stdout, one line that names the thing, and a cure where there is one."""
        self.assertStatus(result, status)
        self.assertEqual(result.stdout, '')
        for pattern in patterns:
            self.assertRegex(result.stderr, re.compile(pattern, re.I))
        self.assertNotIn('Traceback', result.stderr)


def each_python(pick=lambda p: True):
    """each() for every CPython at hand."""
    return each([(label(p), p) for p in HERE_NOW if pick(p)])


def label(python):
    return python.name.replace('.', '_')


def can(python, way):
    """Whether this CPython has what this way of waiting needs."""
    if way in IN_C + FUTEX_WAITS and python.name.startswith('musl'):
        return False  # built without ctypes; and there a wait for a lock looks like one for the GIL
    return way != 'simplequeue' or python.version >= (3, 7)


def each(cases):
    """Marks a method to be run once for every (name, arguments...) of cases; see Expand."""
    def mark(method):
        method.cases = list(cases)
        return method
    return mark


def expand(cls):
    """Class decorator: methods marked by each() become one method a case, so that each is counted and can be chosen."""
    for name, method in list(vars(cls).items()):
        if hasattr(method, 'cases'):
            delattr(cls, name)
            for case, *args in method.cases:
                def run(self, method=method, args=args):
                    return method(self, *args)
                run.__doc__ = None
                setattr(cls, '%s_%s' % (name, case), run)
    return cls

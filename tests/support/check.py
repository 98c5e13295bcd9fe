#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests and ends with one line of totals.

    check.py check|all [unit] [fuzz] [judge] [py] [live] [storm] [sweep]

unit: the Criterion programs. fuzz: the corpora of the fuzzers, under sanitizers. judge: what is said of moments, beside symbol tables. py: the Python package, on each
CPython at hand. live: mr-attach against processes. storm: many attaches to programs under stress. sweep: mr-attach killed
before each of its calls. MR_TESTS=pattern chooses live tests by name; MR_ONLY="name name" chooses CPythons.
"""
import concurrent.futures
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tests', 'pythons'))
import pythons  # noqa: E402

BUILD = os.path.join(TOP, os.environ.get('B') or 'build')
PART_LIMIT = 6 * 3600 if 'all' in sys.argv[1:2] else 1800     # seconds; the sweep of every CPython takes two hours
OLDEST, NEWEST = (3, 6), (3, 15)


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, what, passed, failed, skipped, seconds):
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped
        print('%-24s %4d passed %3d failed %3d skipped  %5.1f s' % (what, passed, failed, skipped, seconds),
              flush=True)


totals = Totals()


def run(command, log, **options):
    """(the command's output, status). The output goes to a file under build/: a pipe would be held open by whatever
    the command left behind. What it left behind is ended, and told."""
    path = os.path.join(BUILD, 'log', log)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True, **options)
        try:
            status = process.wait(PART_LIMIT)
        except subprocess.TimeoutExpired:
            status = 1
            out.write(b'\nnot done after %d s\n' % PART_LIMIT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
            print('%s: left processes behind' % log)
    with open(path, errors='replace') as out:
        return out.read(), status


def check_unit():
    for program in sorted(glob.glob(os.path.join(BUILD, 'unit', '*'))):
        if not os.access(program, os.X_OK):
            continue
        began, name = time.monotonic(), 'unit ' + os.path.basename(program)
        # Leaks are looked for by stopping all threads, which a child of a fork and a tracer do not stand.
        env = dict(os.environ, ASAN_OPTIONS=os.environ.get('ASAN_OPTIONS', 'detect_leaks=0'))
        output, status = run([program], name.replace(' ', '-') + '.log', cwd=TOP, env=env)
        found = re.search(r'Tested: .*?(\d+).*?Passing: .*?(\d+).*?Failing: .*?(\d+).*?Crashing: .*?(\d+)',
                          re.sub(r'\x1b\[[\d;]*m', '', output))
        if found:
            _, passing, failing, crashing = map(int, found.groups())
            failed = failing + crashing or (1 if status else 0)
        else:
            passing, failed = 0, 1
        totals.add(name, passing, failed, 0, time.monotonic() - began)
        if failed:
            print(output)


def check_fuzz():
    env = dict(os.environ, ASAN_OPTIONS='allocator_may_return_null=1', UBSAN_OPTIONS='halt_on_error=1:print_stacktrace=1')
    for program in sorted(glob.glob(os.path.join(TOP, 'build', 'san-address-undefined', 'fuzz', '*'))):
        began, name = time.monotonic(), os.path.basename(program)
        output, status = run([program, os.path.join(TOP, 'tests', 'fuzz', 'corpus', name)], 'fuzz-%s.log' % name, env=env)
        done = re.search(r'^replayed: (\d+)$', output, re.M)
        totals.add('fuzz ' + name, int(done.group(1)) if done else 0, 0 if done and not status else 1, 0, time.monotonic() - began)
        if status or not done:
            print(output[-8000:])


def unittest_counts(output, status):
    ran = sum(map(int, re.findall(r'^Ran (\d+) tests?', output, re.M)))
    bad = {key: sum(map(int, re.findall(key + r'=(\d+)', output))) for key in ('failures', 'errors', 'skipped')}
    failed = bad['failures'] + bad['errors']
    if status and not failed:
        failed = 1  # it could not even be loaded
    return max(0, ran - failed - bad['skipped']), failed, bad['skipped']


# Each file in a process of its own: what a reload costs follows what lives in the process.
PY_CODE = """if 1:
    import glob, os, subprocess, sys
    os.chdir(%r + '/tests/py')
    names = sorted(name[:-3] for pattern in %r for name in glob.glob('test_' + pattern + '.py'))
    sys.exit(any([subprocess.call([sys.executable, '-B', '-m', 'unittest', name]) for name in names]))
"""
# What `make check` runs on every CPython, on the oldest and the newest, and on the required ones.
SOME = 'boot', 'ended', 'engine', 'rules', 'running', 'trampolines'
MOST, WHOLE = SOME + ('cases', 'document', 'guest', 'hooks', 'lazy', 'living', 'remake'), ('*',)


def run_py(python, runs):
    """The package and its tests, copied to where this CPython can see them."""
    files = WHOLE if runs == 'all' or python.need == 'required' else MOST if python.version in (OLDEST, NEWEST) else SOME
    began = time.monotonic()
    with python.folder() as (inside, outside):
        for part in ('payload', 'docs', os.path.join('tests', 'py')):
            shutil.copytree(os.path.join(TOP, part), os.path.join(outside, part),
                            ignore=shutil.ignore_patterns('__pycache__'))
        code = PY_CODE % (inside, files)
        env = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
        output, status = run(python.argv('-B', '-c', code, proc=True), 'py-%s.log' % python.name,
                             env=dict(env, LC_ALL='C.UTF-8', TMPDIR='/tmp'))
        return output, status, time.monotonic() - began


def check_py(runs):
    here = [p for p in pythons.chosen(runs) if p.here and p.need != 'extra']  # on those, info and exec work: live tests
    if not glob.glob(os.path.join(TOP, 'tests', 'py', 'test_*.py')):
        return
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for python, (output, status, seconds) in zip(here, pool.map(run_py, here, [runs] * len(here))):
            counts = unittest_counts(output, status)
            totals.add('py ' + python.name, *counts, seconds)
            if counts[1]:
                print(failures_of(output))


def failures_of(output):
    """Of unittest's output the failures, without the dots before them."""
    parts = output.split('=' * 70, 1)
    return '=' * 70 + parts[1] if len(parts) > 1 else output


def run_live(path, name, runs):
    began = time.monotonic()
    command = [sys.executable, '-B', '-m', 'unittest', 'discover', '-v', '-s', os.path.dirname(path), '-p', os.path.basename(path)]
    if os.environ.get('MR_TESTS'):
        command += ['-k', os.environ['MR_TESTS']]
    env = dict(os.environ, MR_RUNS=runs, B=os.path.relpath(BUILD, TOP))
    output, status = run(command, name.replace(' ', '-') + '.log', env=env, cwd=TOP)
    return output, 0 if status == 5 else status, time.monotonic() - began


def check_live(runs, part='live'):
    """Two files at a time: most of a live test is waiting."""
    paths = sorted(glob.glob(os.path.join(TOP, 'tests', part, 'test_*.py')))
    names = ['%s %s' % (part, os.path.basename(path)[5:-3]) for path in paths]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, (output, status, seconds) in zip(names, pool.map(run_live, paths, names, [runs] * len(paths))):
            counts = unittest_counts(output, status)
            totals.add(name, *counts, seconds)
            if counts[1]:
                print(failures_of(output))


def main(args):
    runs, parts = args[0], args[1:] or ['unit', 'fuzz', 'judge', 'py', 'live', 'storm', 'sweep']
    if pythons.fetch(runs):
        totals.failed += 1
    began = time.monotonic()
    for part in parts:
        if part == 'unit':
            check_unit()
        elif part == 'fuzz':
            check_fuzz()
        elif part == 'py':
            check_py(runs)
        elif part == 'sweep' and os.environ.get('SAN'):
            print('sweep: not under a sanitizer, whose library must come first')
        else:
            check_live(runs, part)
    absent = [p.name for p in pythons.chosen(runs) if not p.here and p.need != 'required']
    print('total: %d passed, %d failed, %d skipped in %.0f s; optional CPythons absent: %d%s' % (
        totals.passed, totals.failed, totals.skipped, time.monotonic() - began, len(absent),
        ' (%s)' % ', '.join(absent) if absent else ''))
    if totals.passed == 0:
        print('nothing was tested', file=sys.stderr)
    return 1 if totals.failed or not totals.passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

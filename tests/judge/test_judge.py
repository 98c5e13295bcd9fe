# SPDX-License-Identifier: MIT
"""What inject/ says of a moment, against what the full symbol tables say.

inject/ knows only what a stripped binary keeps. On CPythons that have their symbol tables, a sampled main thread must
never be called parked while it waits for the GIL, nor be let queue a call while it may hold the lock of the queue: also
while threads fight for the GIL, and while the main thread does nothing but take that lock.
"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'pythons'))
import pythons  # noqa: E402

JUDGE = os.path.join(TOP, os.environ.get('B') or 'build', 'judge', 'judge')
BETWEEN = os.path.join(os.path.dirname(JUDGE), 'between.so')
RUNS = os.environ.get('MR_RUNS', 'check')
SAMPLES = 150 if RUNS == 'check' else 1200
ONLY_IN_CHECK = ('3.8', '3.11', '3.13')

GIL = {'take_gil', 'drop_gil', 'create_gil'}
MUTEX = {'PyMutex_Lock', '_PyMutex_LockSlow', '_PyRWMutex_Lock', '_PyRWMutex_RLock', '_PyCriticalSection_BeginSlow',
         '_PyOnceFlag_CallOnceSlow'}
QUEUE = {'Py_AddPendingCall', 'Py_MakePendingCalls', 'make_pending_calls', '_make_pending_calls', '_PyEval_AddPendingCall',
         '_push_pending_call', '_pop_pending_call', 'PyThread_acquire_lock', 'PyThread_acquire_lock_timed',
         'PyThread_release_lock', 'PyMutex_Unlock', '_PyMutex_UnlockSlow', '_PyMutex_LockTimed', 'PyThread_allocate_lock',
         } | MUTEX
EVAL = '_PyEval_EvalFrameDefault'

FIGHT = '''
import os, sys, threading, time
def spin():
    n = 0
    while True:
        n += 1
for _ in range(3):
    threading.Thread(target=spin, daemon=True).start()
read, write = os.pipe()
lock = threading.Lock()
lock.acquire()
print('ready', flush=True)
while True:
    %s
'''
HOT = '''
import ctypes
api, libc = ctypes.pythonapi, ctypes.CDLL(None)
call = ctypes.cast(libc.abs, ctypes.c_void_p)
add, none = api.Py_AddPendingCall, ctypes.c_void_p(0)
print('ready', flush=True)
while True:
    add(call, none); add(call, none); add(call, none)
'''
TARGETS = {
    'fight_cpu': FIGHT % 'sum(range(50))',
    'fight_sleep': FIGHT % 'time.sleep(0.0002)',
    'fight_lock': FIGHT % 'lock.acquire(timeout=0.0005)',
    'fight_read': FIGHT % 'os.write(write, b"x"); os.read(read, 1)',
    'fight_with_a_library_between': FIGHT % 'lock.acquire(timeout=0.0005)',
    'hot_queue': HOT,
    'json': 'import json\ntext = json.dumps([{"a": list(range(50)), "b": "x" * 100}] * 200)\nprint("ready", flush=True)\n'
            'while True: json.loads(text)\n',
    'sort': 'import random\nl = [random.random() for _ in range(200000)]\nprint("ready", flush=True)\nwhile True: sorted(l)\n',
}


def stem(name):
    """take_gil.constprop.0 is take_gil."""
    return name.split('.')[0].split('@')[0]


def sample(python, code, between=False):
    """[(words of the judgement, names from the innermost on)]"""
    env = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    if between:
        env['LD_PRELOAD'] = BETWEEN
    with subprocess.Popen(python.argv('-c', code), stdout=subprocess.PIPE, env=env) as target:
        try:
            target.stdout.readline()
            done = subprocess.run([JUDGE, str(target.pid), str(SAMPLES)], stdout=subprocess.PIPE, timeout=300, check=True)
            if target.poll() is not None:
                raise AssertionError('the target ended with %s' % target.returncode)
        finally:
            target.kill()
    lines = done.stdout.decode().splitlines()
    if lines == ['stripped']:
        raise unittest.SkipTest('it has no symbol table')
    return [(set(a.split()), [stem(n) for n in b.split()]) for a, _, b in (line.partition(':') for line in lines)]


def until_eval(names):
    return names[:names.index(EVAL)] if EVAL in names else names


class Judge(unittest.TestCase):
    def judge(self, python, kind):
        samples = sample(python, TARGETS[kind], 'between' in kind)
        self.assertEqual(len(samples), SAMPLES)
        for words, names in samples:
            if 'parked' in words:
                self.assertFalse(set(names) & GIL, 'parked: %s' % names)
                self.assertFalse(set(until_eval(names)) & MUTEX, 'parked: %s' % names)
            if 'queue' in words:
                self.assertFalse(set(until_eval(names)) & QUEUE, 'queue: %s' % names)
        found = sum(1 for words, _ in samples if words & {'parked', 'queue'})
        self.assertTrue(found or TARGETS[kind] == TARGETS['fight_lock'], 'never a moment')
        if kind == 'hot_queue':
            self.assertTrue(any(set(names) & QUEUE for _, names in samples), 'the lock was never seen to be taken')
        elif kind.startswith('fight') and not python.name.startswith('free'):
            self.assertTrue(any('take_gil' in names for _, names in samples), 'no wait for the GIL was seen')


def add(python, kind):
    def method(self):
        self.judge(python, kind)
    setattr(Judge, 'test_%s_%s' % (kind, python.name.replace('.', '_')), method)


for candidate in pythons.chosen(RUNS):
    # musl has no unwind tables: nothing could be named.
    if candidate.here and candidate.root is None and not candidate.name.startswith('musl') and \
            (RUNS != 'check' or any(candidate.name.endswith(only) for only in ONLY_IN_CHECK)):
        for what in TARGETS:
            add(candidate, what)

if __name__ == '__main__':
    unittest.main()

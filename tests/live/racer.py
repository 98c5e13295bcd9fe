# SPDX-License-Identifier: MIT
"""A program that changes its life at SIGUSR1. Runs on CPython 3.6 and later; knows nothing of mr-attach.

    racer.py WAY THREADS ACT [LIBRARY]

It waits or runs until a byte arrives on standard input, and then ends in good order with one line of JSON.
"""
import json
import os
import select
import signal
import sys
import threading
import time


def say(**what):
    os.write(1, (json.dumps(what) + '\n').encode())


def leave():
    sys.exit(0)


def another_program():
    os.execv(sys.executable, [sys.executable, '-c', PROGRAM, sys.argv[1], sys.argv[2], 'nothing'])


def fork():
    child = os.fork()
    if child == 0:
        time.sleep(0.02)                     # with all that it took along
        os._exit(7 if sum(range(1000)) == 499500 else 8)
    state['children'].append(os.waitpid(child, 0)[1] >> 8)


def close_all():
    """All descriptors but the two that it needs for its end."""
    for fd in range(2, 256):
        try:
            os.close(fd)
        except OSError:
            pass


def lose_main():
    """The main thread ends, and the process goes on."""
    import ctypes
    threading.Thread(target=finish).start()
    ctypes.CDLL(sys.argv[4]).storm_leave_main()


state = {'sums': 0, 'wrong': 0, 'children': []}
ACTS = {'exit': leave, 'exec': another_program, 'fork': fork, 'close': close_all, 'lose': lose_main, 'nothing': lambda: None}
PROGRAM = os.environ['RACER']               # this text


def finish():
    while not select.select([0], [], [], 0 if sys.argv[1] == 'run' else 0.05)[0]:
        if sys.argv[1] == 'run':
            state['sums'] += 1
            state['wrong'] += sum(range(5000)) != 12497500
    say(report=state)


for _ in range(int(sys.argv[2]) - 1):
    threading.Thread(target=lambda: [time.sleep(0.002) for _ in iter(int, 1)], daemon=True).start()
signal.signal(signal.SIGUSR1, lambda number, frame: ACTS[sys.argv[3]]())
say(ready=True)
finish()

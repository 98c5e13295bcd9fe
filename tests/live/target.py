# SPDX-License-Identifier: MIT
"""A program to attach to. Runs on CPython 3.6 and later; nothing in it knows of mr-attach.

    target.py WAY [THREADS]

It brings its main thread into one way of waiting or running, and stays there until told to stop. No thread of its own
controls it: open waits are ended by what they wait for (a byte on standard input, a connection, a signal), all others
look at standard input between two rounds. In the end it bears witness, as one line of JSON: what its waits returned,
how long they lasted, and whether its sums came out right.
"""
import array
import hashlib
import json
import os
import queue
import select
import signal
import socket
import sys
import threading
import time
import warnings

STDIN = 0
report = {'rounds': 0, 'wrong': [], 'lasted': [], 'errors': []}


def say(**what):
    os.write(1, (json.dumps(what) + '\n').encode())


def told_to_stop():
    return bool(select.select([STDIN], [], [], 0)[0])


def expect(what, got, wanted):
    if got != wanted:
        report['wrong'].append('%s: %r instead of %r' % (what, got, wanted))


def rounds(one_round, known_length=None):
    """One round after another until a byte arrives on standard input."""
    say(ready=True)
    while not told_to_stop():
        began = time.monotonic()
        one_round()
        if known_length is not None:
            report['lasted'].append(time.monotonic() - began - known_length)
        report['rounds'] += 1


# --- running ---------------------------------------------------------------------------------------------------------

def way_loop():
    def one_round():
        total = 0
        for i in range(200000):
            total += i * i % 7
        expect('loop', total, 399999)
    rounds(one_round)


def way_sort():
    # A sequence without order that is the same on every version.
    numbers, state = [], 1
    for _ in range(400000):
        state = (state * 1103515245 + 12345) % 2147483648
        numbers.append(float(state))
    total = sum(numbers)

    def one_round():
        ordered = sorted(numbers)
        expect('sort', (len(ordered), sum(ordered) == total, ordered[0] <= ordered[-1]), (400000, True, True))
    rounds(one_round)


def way_sha256():
    data = bytes(64 << 20)
    digest = '3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351'
    rounds(lambda: expect('sha256', hashlib.sha256(data).hexdigest(), digest))


def way_busy4():
    stop = []

    def work():
        while not stop:
            total = 0
            for i in range(200000):
                total += i * i % 7
            expect('busy', total, 399999)
    others = [threading.Thread(target=work) for _ in range(3)]
    for thread in others:
        thread.start()
    way_loop()
    stop.append(True)
    for thread in others:
        thread.join()


def way_tick():
    rounds(lambda: time.sleep(0.01))


def way_churn():
    """What disturbs most: allocating, forking, threads that come and go, imports, collections, descriptors."""
    import gc
    import importlib
    import types

    def one_round():
        lists = [[bytes(n % 5000)] * 3 for n in range(500)]
        lists.append(lists)
        del lists
        thread = threading.Thread(target=lambda: [object() for _ in range(1000)])
        thread.start()
        child = os.fork()
        if child == 0:
            os._exit(5)
        expect('child', os.waitpid(child, 0)[1], 5 << 8)
        thread.join()
        importlib.reload(types)
        gc.collect()
        reader, writer = os.pipe()
        os.write(writer, b'through')
        expect('pipe', os.read(reader, 100), b'through')
        os.close(reader)
        os.close(writer)
    rounds(one_round)


def way_forever():
    say(ready=True)
    while True:
        pass


# --- waiting ---------------------------------------------------------------------------------------------------------

def way_sleep():
    rounds(lambda: time.sleep(1.0), 1.0)


def way_longsleep():
    say(ready=True)
    time.sleep(1000)


def timed(wait):
    """One open wait that the harness ends."""
    say(ready=True)
    began = time.monotonic()
    got = wait()
    report['lasted'].append(time.monotonic() - began)
    report['rounds'] += 1
    return got


def way_select():
    expect('select', timed(lambda: select.select([STDIN], [], [])), ([STDIN], [], []))


def way_select_timed():
    rounds(lambda: expect('select', select.select([], [], [], 0.5), ([], [], [])), 0.5)


def way_poll():
    poll = select.poll()
    poll.register(STDIN, select.POLLIN)
    expect('poll', timed(poll.poll), [(STDIN, select.POLLIN)])


def way_poll_timed():
    poll = select.poll()
    rounds(lambda: expect('poll', poll.poll(500), []), 0.5)


def way_epoll():
    import asyncio

    async def main():
        loop = asyncio.get_event_loop()
        arrived = loop.create_future()
        loop.add_reader(STDIN, arrived.set_result, 'byte')
        say(ready=True)
        began = time.monotonic()
        got = await arrived
        loop.remove_reader(STDIN)
        report['lasted'].append(time.monotonic() - began)
        report['rounds'] += 1
        return got
    loop = asyncio.new_event_loop()
    expect('epoll', loop.run_until_complete(main()), 'byte')
    loop.close()


def way_accept():
    server = socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen(5)
    say(port=server.getsockname()[1])
    connection, _ = timed(server.accept)
    expect('accept', connection.recv(10), b'hello')
    connection.close()
    server.close()


def way_read():
    expect('read', timed(lambda: os.read(STDIN, 10)), b'x')


def released_by_signal(release):
    """Python's own locks are let go by a signal handler: that needs no second thread."""
    signal.signal(signal.SIGUSR1, lambda number, frame: release())


def way_lock():
    lock = threading.Lock()
    lock.acquire()
    released_by_signal(lock.release)
    expect('lock', timed(lock.acquire), True)


def way_event():
    event = threading.Event()
    released_by_signal(event.set)
    expect('event', timed(event.wait), True)


def way_event_timed():
    event = threading.Event()
    rounds(lambda: expect('event', event.wait(0.5), False), 0.5)


def way_join():
    other = threading.Thread(target=os.read, args=(STDIN, 1))
    other.start()
    expect('join', timed(other.join), None)


def way_queue():
    q = queue.Queue()
    released_by_signal(lambda: q.put('item'))
    expect('queue', timed(q.get), 'item')


def way_simplequeue():
    q = queue.SimpleQueue()
    released_by_signal(lambda: q.put('item'))
    expect('simplequeue', timed(q.get), 'item')


def way_waitpid():
    warnings.simplefilter('ignore', DeprecationWarning)  # of a fork beside threads: the child makes two system calls
    child = os.fork()
    if child == 0:
        os.read(STDIN, 1)
        os._exit(7)
    say(child=child)
    expect('waitpid', timed(lambda: os.waitpid(child, 0)), (child, 7 << 8))


def way_cpoll():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)

    def one_round():
        ctypes.set_errno(0)
        expect('poll in C', (libc.poll(None, 0, 300), ctypes.get_errno()), (0, 0))
    rounds(one_round, 0.3)


def way_cnanosleep():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    length = (ctypes.c_long * 2)(0, 300000000)
    rounds(lambda: expect('nanosleep in C', libc.nanosleep(length, None), 0), 0.3)


def way_cepoll():
    """Waits without limit in C: a bare stop alone turns this wait into EINTR."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    epoll = select.epoll()
    epoll.register(STDIN, select.EPOLLIN)
    events = ctypes.create_string_buffer(12)
    expect('epoll_wait in C', (timed(lambda: libc.epoll_wait(epoll.fileno(), events, 1, -1)), ctypes.get_errno()), (1, 0))


def way_cread():
    """A C call that holds the GIL and blocks: no safe point until it returns."""
    import ctypes
    libc = ctypes.PyDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(10)
    expect('read in C', timed(lambda: libc.read(STDIN, buffer, 10)), 1)
    report['ran_late'] = getattr(sys.modules['__main__'], 'ran_late', False)
    time.sleep(0.3)
    report['ran_late'] = report['ran_late'] or getattr(sys.modules['__main__'], 'ran_late', False)


def way_signals():
    """A handler that counts, and a pile of signals while somebody attaches."""
    counted = []
    signal.signal(signal.SIGUSR2, lambda number, frame: counted.append(threading.get_ident()))
    rounds(lambda: time.sleep(0.05))
    report['signals'] = len(counted)
    expect('handlers run in the main thread', set(counted) - {threading.main_thread().ident}, set())


class Late:
    def __del__(self, read=os.read, write=os.write):
        write(1, b'{"ready": true}\n')
        read(STDIN, 10)


def way_finalizing():
    """Blocks in a finalizer while the interpreter takes its modules apart."""
    globals()['late'] = Late()


def way_program():
    """Runs a program's main file (the third argument), then answers questions about it: one expression a line."""
    path = sys.argv[3]
    sys.path.insert(0, os.path.dirname(path))
    with open(path) as source:
        code = compile(source.read(), path, 'exec')
    program = sys.modules['__main__'].__dict__
    program['__file__'] = path
    exec(code, program)
    say(ready=True)
    pending = b''
    while True:
        pending += os.read(STDIN, 65536)
        while b'\n' in pending:
            line, pending = pending.split(b'\n', 1)
            try:
                say(answer=repr(eval(line.decode(), program)))
            except BaseException as error:
                say(answer='%s: %s' % (type(error).__name__, error))
        if pending == b'x':
            return


WAYS = {name[4:]: function for name, function in list(globals().items()) if name.startswith('way_')}


def main():
    way, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    gate = threading.Lock()
    gate.acquire()
    idle = []
    if threads > 1:
        threading.stack_size(256 << 10)
        idle = [threading.Thread(target=lambda: gate.acquire() and gate.release()) for _ in range(threads - 1)]
        for thread in idle:
            thread.start()
    numbers = array.array('d', range(1000))
    mask = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    modules = set(sys.modules)
    WAYS[way]()
    gate.release()
    for thread in idle:
        thread.join()
    expect('sum', sum(numbers), 499500.0)
    expect('signal mask', sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), mask)
    expect('threads', threading.active_count(), 1)
    expect('main thread', threading.current_thread(), threading.main_thread())
    report['modules'] = sorted(set(sys.modules) - modules)
    say(report=report)


if __name__ == '__main__':
    main()

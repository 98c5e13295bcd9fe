# SPDX-License-Identifier: MIT
"""The kinds of stress. Each is a function of the program that starts what it needs and returns one round of the main thread;
a round's attribute `end`, if it has one, looks at what can only be known in the end.
"""
import array
import ctypes
import gc
import hashlib
import importlib
import itertools
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import weakref

KINDS = {}
WAITS = ('poll', 'ppoll', 'select', 'pselect', 'nanosleep', 'clock', 'semaphore', 'condition', 'mutex', 'epoll', 'signal',
         'receive', 'sysv')


def kind(function):
    KINDS[function.__name__.strip('_')] = function
    return function


# --- memory ------------------------------------------------------------------------------------------------------------

def allocate(program):
    def one_round():
        things = [[bytes([n % 251]) * (n % 3000), {n: str(n)}, (n, [n])] for n in range(150)]
        program.expect('allocated', sum(len(b) + len(d) + t[0] for b, d, t in things), 22500)
        program.expect('filled', all(b == bytes([n % 251]) * (n % 3000) for n, (b, _, _) in enumerate(things)), True)
    return one_round


@kind
def malloc(program):
    for _ in range(3):
        program.beside(allocate(program))
    return allocate(program)


@kind
def cmalloc(program):
    helper = program.load()
    seeds = itertools.count(1)

    def one_round():
        program.expect('malloc in C', helper.storm_malloc(next(seeds), 2000), 0)
    for _ in range(2):
        program.beside(one_round)
    return one_round


KINDS['jemalloc'] = cmalloc         # with it preloaded


@kind
def collect(program):
    class Node:
        def __del__(self):
            ended.append(1)
    ended = []

    def one_round():
        del ended[:]
        nodes = [Node() for _ in range(200)]
        for one, other in zip(nodes, nodes[1:] + nodes[:1]):
            one.other = other
        seen = [weakref.ref(node) for node in nodes]
        del nodes, one, other
        gc.collect()
        program.expect('collected', (len(ended), sum(ref() is None for ref in seen)), (200, 200))
    gc.set_threshold(50, 5, 5)
    return one_round


# --- processes and threads ---------------------------------------------------------------------------------------------

@kind
def fork(program):
    numbers = itertools.count()

    def one_round():
        number = next(numbers) % 200
        child = os.fork()
        if child == 0:
            os._exit(number if sum(range(100)) == 4950 else 255)
        program.expect('child', os.waitpid(child, 0), (child, number << 8))
    program.beside(allocate(program))
    return one_round


@kind
def _exec(program):
    def one_round():
        said = subprocess.check_output([sys.executable, '-V'], stderr=subprocess.STDOUT)
        program.expect('another program', said.startswith(b'Python 3'), True)
    return one_round


@kind
def threads(program):
    def one_round():
        found = []
        started = [threading.Thread(target=lambda n=n: found.append(sum(range(n)))) for n in range(20)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        program.expect('threads', sorted(found), [n * (n - 1) // 2 for n in range(20)])
    return one_round


def count_up(program):
    wanted = sum(i * i % 7 for i in range(20000))

    def one_round():
        total = 0
        for i in range(20000):
            total += i * i % 7
        program.expect('sum', total, wanted)
    return one_round


@kind
def busy(program):
    for _ in range(7):
        program.beside(count_up(program))
    return count_up(program)


@kind
def idle(program):
    for _ in range(30):
        program.beside(lambda: time.sleep(0.5))
    return lambda: time.sleep(0.05)


# --- modules and libraries ------------------------------------------------------------------------------------------------

@kind
def imports(program):
    def of(*names):
        def one_round():
            for name in names:
                sys.modules.pop(name, None)
                try:
                    found = importlib.import_module(name).__name__
                except ImportError:
                    found = 'this_is_not_there'
                program.expect('import', found, name)
        return one_round
    program.beside(of('shlex', 'fileinput', 'bisect'))
    return of('colorsys', 'quopri', 'this_is_not_there', 'textwrap', 'stat')


@kind
def dlopen(program):
    helper = program.load()
    other = (program.library + '.other').encode()

    def one_round():
        program.expect('dlopen', helper.storm_dlopen(other, 3), 0)
    program.beside(one_round)
    return one_round


# --- signals ---------------------------------------------------------------------------------------------------------------

class Alarm(TimeoutError):                   # which is an OSError: not one of ours, of a file
    pass


def ours(frame):
    """Whether a handler runs inside code that is not the program's own."""
    while frame:
        if frame.f_code.co_filename.startswith('<mr-attach'):
            return True
        frame = frame.f_back
    return False


def alarms(program, raise_it):
    """SIGALRM a thousand times a second. What its handler raises must arrive, each time, in the program."""
    counts = program.counts
    counts.update(handled=0, raised=0, caught=0, inside=0)
    armed = []

    def handler(number, frame):
        counts['handled'] += 1
        program.expect('handler in the main thread', threading.current_thread(), threading.main_thread())
        if armed and raise_it:
            if ours(frame):
                counts['inside'] += 1
            else:
                armed.clear()
                counts['raised'] += 1
            raise_it()

    def one_round():
        if int(time.monotonic() * 10) % 2:   # else nothing could ever be done here
            sum(range(20000))
            return
        try:
            armed.append(True)
            sum(range(20000))
            time.sleep(0.002)
            armed.clear()
        except (Alarm, SystemExit):
            counts['caught'] += 1
        sum(range(5000))

    def end():
        signal.setitimer(signal.ITIMER_REAL, 0)
        program.expect('handler ran', counts['handled'] > 0, True)
        program.expect('all that was raised was caught', counts['caught'], counts['raised'])
    one_round.end = end
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    program.beside(lambda: time.sleep(0.01))
    return one_round


@kind
def alarm(program):
    return alarms(program, None)


@kind
def alarmraise(program):
    def raise_it():
        raise Alarm
    return alarms(program, raise_it)


@kind
def alarmexit(program):
    return alarms(program, lambda: sys.exit(3))


@kind
def smallstack(program):
    helper = program.load()
    program.expect('sigaltstack', helper.storm_small_stack(10000, 3000), 0)
    work = count_up(program)

    def one_round():
        work()
        time.sleep(0.004)
        program.expect('handler on the small stack', helper.storm_small_stack_check(), 0)
    return one_round


@kind
def inhandler(program):
    """Nearly always in that handler, asleep."""
    helper = program.load()
    program.expect('sigaltstack', helper.storm_small_stack(60000, 45000), 0)
    return lambda: program.expect('handler on the small stack', helper.storm_small_stack_check(), 0)


@kind
def seccomp(program):
    helper = program.load()
    work = allocate(program)
    program.expect('seccomp', helper.storm_seccomp(), 0)

    def one_round():
        work()
        time.sleep(0.001)
    return one_round


# --- inside the interpreter ---------------------------------------------------------------------------------------------------

@kind
def pending(program):
    helper = program.load(holding=True)
    add = ctypes.cast(ctypes.pythonapi.Py_AddPendingCall, ctypes.c_void_p)

    def one_round():
        for _ in range(50):
            helper.storm_queue(add, 5)

    def end():
        for _ in range(100000):
            if not helper.storm_queue_left():
                break
        program.expect('calls that were queued and not made', helper.storm_queue_left(), 0)
    one_round.end = end
    return one_round


@kind
def greenlets(program):
    sys.path.append('/usr/lib/python3/dist-packages')
    import greenlet

    def down(n, to):
        return to.switch(n) if n == 0 else down(n - 1, to) + 1

    def one_round():
        here = greenlet.getcurrent()
        others = [greenlet.greenlet(down) for _ in range(10)]
        program.expect('switched to', [other.switch(n, here) for n, other in enumerate(others)], [0] * 10)
        program.expect('switched back', [other.switch(n) for n, other in enumerate(others)],
                       [n + n for n in range(10)])
    return one_round


@kind
def traced(program):
    lines = []

    def tracer(frame, event, arg):
        lines.append(frame.f_code.co_name)
        return tracer

    def function():
        a = 1
        b = a + 1
        return b

    def one_round():
        """From 3.13 on CPython has numbers for 2**24 calls of sys.settrace in a process, and then raises OverflowError."""
        del lines[:]
        sys.settrace(tracer)
        for _ in range(500):
            function()
        sys.settrace(None)
        program.expect('trace', lines == ['function'] * 2500, True)
    return one_round


# --- registers -------------------------------------------------------------------------------------------------------------------

@kind
def registers(program):
    free, holding = program.load(), program.load(holding=True)

    def one_round():
        program.expect('registers', (free.storm_registers(300000), holding.storm_registers(300000)), (0, 0))
    return one_round


@kind
def sums(program):
    helper = program.load()
    numbers = array.array('d', (n * 0.37 for n in range(1000)))
    address = numbers.buffer_info()[0]
    wanted_c, wanted = helper.storm_sum(address, 1000, 200), sum(numbers)

    def one_round():
        program.expect('sum in C', helper.storm_sum(address, 1000, 200), wanted_c)
        program.expect('sum', sum(numbers), wanted)
    program.beside(one_round)
    return one_round


# --- waits -----------------------------------------------------------------------------------------------------------------------

def wait_in_c(name):
    def of(program):
        helper = program.load()
        lengths = itertools.cycle((30, 100, 250))

        def one_round():
            ms = next(lengths)
            lasted = helper.storm_wait(name.encode(), ms * 1000000)
            if lasted < 0:
                program.expect(name, lasted, 'a time')
            else:
                program.lasted(name, lasted / 1e9, ms / 1e3)
        return one_round
    return of


KINDS.update({'c' + name: wait_in_c(name) for name in WAITS})


@kind
def waits(program):
    """Python's own, one after the other."""
    lock, never, empty = threading.Lock(), threading.Event(), queue.Queue()
    lock.acquire()
    poll = select.poll()
    epoll = select.epoll()
    condition = threading.Condition()

    def get():
        try:
            empty.get(timeout=0.05)
        except queue.Empty:
            pass

    def in_condition():
        with condition:
            condition.wait(0.05)
    each = itertools.cycle([
        ('sleep', lambda: time.sleep(0.05)), ('select', lambda: select.select([], [], [], 0.05)),
        ('poll', lambda: poll.poll(50)), ('epoll', lambda: epoll.poll(0.05)), ('lock', lambda: lock.acquire(timeout=0.05)),
        ('event', lambda: never.wait(0.05)), ('queue', get), ('condition', in_condition),
        ('sigtimedwait', lambda: signal.sigtimedwait([signal.SIGUSR2], 0.05))])

    def one_round():
        name, wait = next(each)
        began = time.monotonic()
        wait()
        program.lasted(name, time.monotonic() - began, 0.05)
    return one_round


# --- handing over ------------------------------------------------------------------------------------------------------------------

@kind
def locks(program):
    """Four threads in a ring, each lets the next one go; the main thread is one of them."""
    ring = [threading.Semaphore(0) for _ in range(4)]
    hands = [0] * 4

    def pass_on(n):
        def one_round():
            if ring[n].acquire(timeout=0.2):
                hands[n] += 1
                ring[(n + 1) % 4].release()
        return one_round
    for n in (1, 2, 3):
        program.beside(pass_on(n))
    main_round = pass_on(0)

    def one_round():
        main_round()
        program.expect('hands differ by one at most', max(hands) - min(hands) <= 1, True)
    ring[0].release()
    return one_round


@kind
def clocks(program):
    """The same in C, with a mutex and a condition."""
    helper = program.load()

    def one_round():
        program.expect('relay', helper.storm_relay(200), 0)
    return one_round


@kind
def pipe(program):
    reader, writer = os.pipe()
    sent, got = hashlib.sha1(), hashlib.sha1()
    block = bytes(range(256)) * 64
    pieces = itertools.count()

    def write():
        piece = block[next(pieces) % 200:]
        while piece and not program.ending:
            if select.select([], [writer], [], 0.1)[1]:
                size = os.write(writer, piece[:4096])
                sent.update(piece[:size])
                piece = piece[size:]

    def one_round():
        got.update(os.read(reader, 5000))

    def end():
        os.set_blocking(reader, False)
        try:
            while True:
                got.update(os.read(reader, 65536))
        except BlockingIOError:
            pass
        program.expect('what came through the pipe', got.hexdigest(), sent.hexdigest())
    one_round.end = end
    program.beside(write)
    return one_round


@kind
def aio(program):
    """An event loop with timers, callbacks from another thread, and a pipe."""
    import asyncio
    loop = asyncio.new_event_loop()
    reader, writer = os.pipe()

    async def rounds():
        arrived = loop.create_future()
        loop.add_reader(reader, lambda: arrived.done() or arrived.set_result(os.read(reader, 10)))
        began = time.monotonic()
        loop.call_later(0.01, os.write, writer, b'piece')
        program.expect('arrived', await arrived, b'piece')
        program.lasted('event loop', time.monotonic() - began, 0.01 - 0.002)
        loop.remove_reader(reader)
    return lambda: loop.run_until_complete(rounds())

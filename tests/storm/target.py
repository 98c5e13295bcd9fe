# SPDX-License-Identifier: MIT
"""A program under stress that checks its own results. Runs on CPython 3.6 and later; knows nothing of mr-attach.

    target.py KIND LIBRARY PROGRESS

Its main thread makes one round of its kind after another until a byte arrives on standard input; other threads, if the
kind has any, go on with theirs. PROGRESS is a file of counters that tells whoever looks that all of them move. In the
end it says what was wrong, as one line of JSON, with the latest of its waits.
"""
import ctypes
import gc
import glob
import json
import mmap
import os
import select
import signal
import sys
import threading
import time

import kinds
import work

ledger = []                         # what requests write: each number twice, or not at all


class MallInfo(ctypes.Structure):
    """struct mallinfo2 of malloc.h"""
    _fields_ = [(name, ctypes.c_size_t) for name in (
        'arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost')]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = MallInfo


def held():
    """[blocks of the interpreter, bytes of the C library] that stay: what waits for the next full collection, holes in the
    heap, and the ledger, are no leak."""
    gc.collect()
    libc.malloc_trim(0)
    info = libc.mallinfo2()
    numbers = len({id(number) for number in ledger if number > 256})     # smaller ones are there anyway
    return [sys.getallocatedblocks() - numbers, info.uordblks + info.hblkhd - sys.getsizeof(ledger)]


class Program:
    """What the kinds use: their threads, their counters, what they find wrong."""

    def __init__(self, library, progress):
        self.library, self.wrong, self.late, self.counts, self.ending = library, [], [], {}, False
        with open(progress, 'r+b') as file:
            self.progress = memoryview(mmap.mmap(file.fileno(), 4096)).cast('Q')
        self.threads = []

    def load(self, holding=False):
        """The C helper; with `holding` its functions keep the GIL."""
        helper = (ctypes.PyDLL if holding else ctypes.CDLL)(self.library)
        helper.storm_sum.restype = ctypes.c_double
        helper.storm_sum.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        helper.storm_wait.restype = ctypes.c_int64
        helper.storm_wait.argtypes = (ctypes.c_char_p, ctypes.c_uint64)
        helper.storm_registers.argtypes = (ctypes.c_uint64,)
        helper.storm_queue.argtypes = (ctypes.c_void_p, ctypes.c_int)
        helper.storm_queue_left.restype = ctypes.c_long
        return helper

    def expect(self, what, got, wanted):
        if got != wanted and len(self.wrong) < 10:
            self.wrong.append('%s: %.200r instead of %.200r' % (what, got, wanted))

    def lasted(self, what, seconds, wanted):
        """A wait that ended by its time-out: early is wrong, and the latest are remembered."""
        if seconds < wanted - 0.0005:
            self.expect(what + ' ended early', seconds, wanted)
        self.late.append((round(seconds - wanted, 5), what))
        if len(self.late) > 200:
            self.late = sorted(self.late, reverse=True)[:100]

    def beside(self, one_round):
        """A thread that makes rounds of its own."""
        slot = len(self.threads) + 1

        def run():
            while not self.ending:
                try:
                    one_round()
                except BaseException as error:
                    self.expect('thread %d raised' % slot, repr(error), None)
                    raise
                self.progress[slot] += 1
        self.threads.append(threading.Thread(target=run))

    def main(self, one_round):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        ended = threading.Thread(target=int)     # the first that ends makes CPythons up to 3.8 load libgcc_s
        ended.start()
        ended.join()
        while len(glob.glob('/proc/self/task/*')) > 1:      # a chroot has none, and no such CPython
            time.sleep(0.001)
        for thread in self.threads:
            thread.start()
        os.write(1, b'{"ready": true}\n')
        while not select.select([0], [], [], 0)[0]:
            one_round()
            before, between, after = work.first(), work.second(), work.first()
            self.expect('work is of one version', between if before == after else before, before)
            self.progress[0] += 1
        self.ending = True
        for thread in self.threads:
            thread.join()
        self.expect('signal mask', signal.pthread_sigmask(signal.SIG_BLOCK, []), mask)
        self.expect('current thread', threading.current_thread(), threading.main_thread())


def main():
    kind, library, progress = sys.argv[1:]
    program = Program(library, progress)
    one_round = kinds.KINDS[kind](program)
    program.main(one_round)
    if hasattr(one_round, 'end'):
        one_round.end()
    late = sorted(program.late, reverse=True)[:5]
    os.write(1, (json.dumps({'wrong': program.wrong, 'late': late, 'counts': program.counts}) + '\n').encode())


if __name__ == '__main__':
    main()

# SPDX-License-Identifier: MIT
"""Processes that are no targets: a tracer, a program for 32 bits, a zombie, a kernel thread."""
import contextlib
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile

from harness import PATIENCE, read, status_of, wait_until

TRACER = '''
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT, DETACH, CONT, WALL = 0x4206, 0x4207, 17, 7, 0x40000000
pid, seconds = int(sys.argv[1]), float(sys.argv[2])
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
assert libc.ptrace(SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
print('held', flush=True)
time.sleep(seconds)
'''


@contextlib.contextmanager
def tracer(pid, seconds=1000.0):
    """Another program that traces the process; leaving the block, or the seconds, end it."""
    process = subprocess.Popen([sys.executable, '-c', TRACER, str(pid), str(seconds)], stdout=subprocess.PIPE)
    try:
        assert select.select([process.stdout], [], [], PATIENCE)[0] and process.stdout.readline() == b'held\n'
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def running(*command, **options):
    """Any program, until the end of the block."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    try:
        name = os.path.basename(os.path.realpath(shutil.which(command[0]) or command[0]))
        wait_until(lambda: os.path.basename(os.path.realpath('/proc/%d/exe' % process.pid)) == name, 'it runs ' + name)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def elf32():
    """A whole i386 program: pause(2) for ever. Machines rarely have a 32-bit compiler."""
    code = b'\xb8\x1d\x00\x00\x00' b'\xcd\x80' b'\xeb\xf7'  # mov eax, 29; int 0x80; jmp back
    base, headers = 0x08048000, 52 + 32
    header = b'\x7fELF\x01\x01\x01' + bytes(9) + struct.pack('<HHIIIIIHHHHHH', 2, 3, 1, base + headers, 52, 0, 0, 52, 32,
                                                             1, 0, 0, 0)
    segment = struct.pack('<8I', 1, 0, base, base, headers + len(code), headers + len(code), 5, 4096)
    return header + segment + code


@contextlib.contextmanager
def program32():
    """The process, or None where the kernel runs no 32-bit programs."""
    with tempfile.TemporaryDirectory(prefix='mr-32-') as folder:
        path = os.path.join(folder, 'python3')
        with open(path, 'wb') as out:
            out.write(elf32())
        os.chmod(path, 0o755)
        try:
            with running(path) as process:
                yield process
        except (OSError, AssertionError):
            yield None


@contextlib.contextmanager
def zombie():
    process = subprocess.Popen(['true'])
    try:
        wait_until(lambda: status_of(process.pid).get('State', 'Z')[0] == 'Z', 'it has ended')
        yield process.pid
    finally:
        process.wait()


def kernel_thread():
    """Any kernel thread's pid, or None in a namespace without."""
    for name in os.listdir('/proc'):
        with contextlib.suppress(OSError, ValueError, IndexError):
            flags = int(read('/proc/%d/stat' % int(name)).rsplit(')', 1)[1].split()[6])
            if flags & 0x00200000:  # PF_KTHREAD
                return int(name)
    return None

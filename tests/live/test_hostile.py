# SPDX-License-Identifier: MIT
"""Processes that do what they can to harm whoever attaches. mr-attach ends in time, with a status of its own, prints nothing
that a terminal acts on, and leaves every other process alone."""
import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import (DEFAULT, MR_ATTACH, PATIENCE, LiveTest, Target, attach, each, environment, expand, read,
                     status_of)

PRELUDE = '''
import ctypes, fcntl, os, random, select, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
REGION, BLOCK = 0x6d7200000000, 0x6d7200001000
random.seed(1)
def mapped(at):
    found = [line for line in open('/proc/self/maps') if line.startswith('%x-' % at)]
    return found[0] if found else None
def map_at(at, size, prot):
    assert libc.mmap(at, size, prot, 0x100022, -1, 0) == at, os.strerror(ctypes.get_errno())
def ready():
    os.write(1, b'ready\\n')
def wait():
    os.read(0, 1)
'''

ENDINGS = (0, 1, 3, 4, 5, 6, 7, 70)     # every status that one process can have; never one of a signal
ESCAPE = '\x1b]0;owned\x07\x1b[31m\u202e'
RAW = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]')


@contextlib.contextmanager
def hostile(code, python=None, prefix=(), **options):
    """A process that runs CODE, and waits; it is killed in the end, as it may be in any state."""
    command = list(prefix) + (python or DEFAULT).argv('-c', PRELUDE + code)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=environment(), **options)
    try:
        if not select.select([process.stdout], [], [], PATIENCE)[0] or process.stdout.readline() != b'ready\n':
            raise AssertionError('it did not get ready: status %s' % process.poll())
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def on_terminal(*args):
    """What mr-attach shows on a terminal, as text."""
    master, slave = pty.openpty()
    process = subprocess.Popen([MR_ATTACH] + [str(a) for a in args], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env=environment())
    os.close(slave)
    shown = b''
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    return process.wait(), shown.decode('utf-8', 'surrogateescape').replace('\r\n', '\n')


@expand
class Hostile(LiveTest):
    def survived(self, result, limit, statuses=ENDINGS):
        self.assertIn(result.status, statuses, '\n' + str(result))
        self.assertLess(result.seconds, limit, '\n' + str(result))
        self.assertNotRegex(result.stderr, RAW)

    # --- memory that does not come ------------------------------------------------------------------------------------

    UFFD = '''
fd = libc.syscall(323, 0)
if fd < 0:
    os.write(1, b'no\\n'); sys.exit()
fcntl.ioctl(fd, 0xc018aa3f, bytearray(struct.pack('<QQQ', 0xaa, 0, 0)))
def never(at, size):
    fcntl.ioctl(fd, 0xc020aa00, bytearray(struct.pack('<QQQQ', at, size, 1, 0)))
'''

    @unittest.skipUnless(os.geteuid() == 0, 'userfaultfd is for root')
    def test_a_region_that_never_answers(self):
        code = self.UFFD + ('map_at(REGION, 4096, 5); map_at(BLOCK, 65536, 3)\n'
                            'never(REGION, 4096); never(BLOCK, 65536); ready(); wait()')
        with hostile(code) as process, Target('read') as other:
            result = attach('--timeout', '0.5', process.pid, other.pid, 'exec', '6 * 7')
            self.survived(result, 15, (8,))
            self.assertIn('42', result.stdout)
            self.assertRegex(result.stderr, r'pid %d: the kernel does not come back' % process.pid)
            self.assertUnharmed(other)
            other.stop()
            self.assertEqual(status_of(process.pid)['TracerPid'], '0')
            report = attach('-j', '--timeout', '0.5', process.pid, 'exec', '1')
            self.survived(report, 15, (6,))
            self.assertEqual(report.json['error']['code'], 'stuck')
            self.assertStatus(attach('--timeout', '0.5', process.pid, 'info'), 6)

    @unittest.skipUnless(os.geteuid() == 0, 'userfaultfd is for root')
    def test_a_library_that_never_answers(self):
        """As if on a file system that hangs: the page where the headers should be does not come."""
        code = self.UFFD + ('at = libc.mmap(None, 8192, 1, 0x22, -1, 0); never(at, 8192); os.memfd_create\n'
                            'map_at(BLOCK, 4096, 3); map_at(REGION, 4096, 5); never(BLOCK, 4096); ready(); wait()')
        with hostile(code) as process:
            began = time.monotonic()
            command = subprocess.Popen([MR_ATTACH, '--timeout', '600', str(process.pid), 'exec', '1'], env=environment(),
                                       stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            time.sleep(0.3)
            command.send_signal(signal.SIGINT)
            self.assertEqual(command.wait(PATIENCE), 130)
            self.assertLess(time.monotonic() - began, 12)
            self.assertIn(b'ended by SIGINT', command.communicate()[1])

    # --- words that lie -----------------------------------------------------------------------------------------------

    SCRIBBLER = '''
def scribble():
    while True:
        while not mapped(BLOCK):
            time.sleep(0.001)
        try:
            LIE
        except Exception:
            pass
threading.Thread(target=scribble, daemon=True).start()
ready()
wait()
'''
    LIES = {
        'done': 'put(24, "I", 5)',
        'done_long_answer': 'put(112, "Q", 2**64 - 1); put(24, "I", 5)',
        'done_no_answer': 'put(112, "Q", 0); put(24, "I", 5)',
        'answer_of_nothing': 'put(112, "Q", 8 << 20); put(24, "I", 5)',
        'answer_deep': 'answer(b"[" * 1000000)',
        'answer_no_json': 'answer(bytes(range(256)) * 100)',
        'answer_escapes': 'answer(b\'{"status":1,"error":{"code":"\\\\u001b[2J","message":"\\\\u001b[2J","hint":"\\\\u001b]0;x"},'
                          '"notes":["\\\\u001b[1m\\\\r"],"output":7}\')',
        'answer_numbers': 'answer(b\'{"status":-9223372036854775808,"gil_longest":-9223372036854775808}\')',
        'phase_unknown': 'put(24, "I", 77)',
        'phase_none': 'put(24, "I", 0)',
        'claimed_for_ever': 'put(24, "I", 2)',
        'running_for_ever': 'put(24, "I", 4)',
        'cancelled': 'put(24, "I", 3)',
        'refusals': 'put(28, "I", 3)',
        'counts': 'put(36, "I", 2**32 - 1); put(44, "I", 2**32 - 1)',
        'queued_and_spawned': 'put(48, "II", 1, 1)',
        'magic': 'put(0, "Q", 0x4141414141414141)',
        'times': 'put(184, "QQQ", 2**64 - 1, 2**64 - 1, 0)',
        'thread': 'put(208, "Q", 2**64 - 1)',
        'everything': 'os.pwrite(memory, os.urandom(512), BLOCK)',
        'unmapped': 'libc.munmap(ctypes.c_void_p(REGION), ctypes.c_size_t(1 << 24))',
        'code': 'os.pwrite(memory, b"\\xc3" * 4096, REGION)',
        'read_only': 'libc.mprotect(BLOCK, 4096, 1)',
        'asks': 'question(b"/etc/shadow\\0/proc/1/root/etc/passwd\\0/" + b"../" * 300 + b"etc\\0")',
        'asks_nothing': 'question(b"")',
        'asks_without_end': 'question(bytes(1 << 20)); put(256, "Q", 2**64 - 1); put(232, "Q", 1)',
        'asks_much': 'question(b"/a\\0" * 100000)',
    }
    # Through a file, so that the liar does not fall over when his region is taken away from under him.
    HELPERS = '''
memory = os.open('/proc/self/mem', os.O_RDWR)
def put(offset, form, *values):
    os.pwrite(memory, struct.pack('<' + form, *values), BLOCK + offset)
def get(offset):
    return struct.unpack('<Q', os.pread(memory, 8, BLOCK + offset))[0]
def question(data):
    os.pwrite(memory, data, BLOCK + get(240)); put(256, 'Q', len(data)); put(232, 'Q', 1)
def answer(data):
    os.pwrite(memory, data, BLOCK + get(96)); put(112, 'Q', len(data)); put(24, 'I', 5)
'''

    @each(sorted(LIES.items()))
    def test_lie(self, lie):
        with hostile(self.HELPERS + self.SCRIBBLER.replace('LIE', lie)) as process:
            for options, command in (['-j'], ['exec', 'import time; time.sleep(0.1); 1']), (['-v'], ['reload-stale']):
                result = attach('--timeout', '0.3', *options, process.pid, *command)
                self.survived(result, 8)
                if options == ['-j']:
                    self.assertReport(result.json)
                self.assertIn(status_of(process.pid).get('TracerPid', '0'), '0')
                if process.poll() is not None:      # it has harmed itself
                    break

    def test_regions_that_were_there_before(self):
        """All places taken by blocks of every kind, none of them ours."""
        code = '''
for slot in range(16):
    map_at(REGION + (slot << 32), 4096, 5); map_at(BLOCK + (slot << 32), 65536, 3)
    ctypes.memmove(BLOCK + (slot << 32), struct.pack('<QIIQ8I', 0x686374612d726d00, 1, os.getpid(), 65536,
                   *[random.choice([0, 1, 2, 3, 4, 5, 6, 2**32 - 1]) for _ in range(8)]), 56)
ready(); wait()
'''
        with hostile(code) as process:
            result = attach('--timeout', '0.7', process.pid, 'exec', '1')
            self.survived(result, 8)
            self.survived(attach(process.pid, 'info'), 8, (0,))

    @each([('filled', '%s'), ('chained', 'TAIL')])
    def test_a_vdso_of_ones_own(self, how):
        """The hole where the stage should go is full, or is a chain of trailers that lie about their sizes."""
        code = '''
vdso = [line.split('-') for line in open('/proc/self/maps') if '[vdso]' in line][0]
start, end = int(vdso[0], 16), int(vdso[1].split()[0], 16)
assert libc.mprotect(start, end - start, 7) == 0
tail = struct.pack('<QQQQ', 2**64 - 1, 0, 0x006567617473726d, SIZE) * 64
ctypes.memmove(end - 2048, tail, 2048)
assert libc.mprotect(start, end - start, 5) == 0
ready(); wait()
'''
        for size in ('32', '0', '1', '33', '4096', '2**64 - 32'):
            with self.subTest(size), hostile(code.replace('SIZE', size)) as process:
                result = attach('--timeout', '1', process.pid, 'exec', '6 * 7')
                self.survived(result, 8)
                if result.status == 0:
                    self.assertEqual(result.stdout, '42\n')
                self.assertIsNone(process.poll())

    def test_the_lock_is_taken(self):
        code = 'lock = os.open("/proc/self/mem", os.O_RDWR); fcntl.flock(lock, fcntl.LOCK_EX); ready(); wait()'
        with hostile(code) as process:
            self.survived(attach('--timeout', '0.5', process.pid, 'exec', '1'), 5, (6,))

    # --- files and maps that lie --------------------------------------------------------------------------------------

    def test_a_file_that_shrinks(self):
        """A library that is mapped whole, and empty when somebody looks: reading there is SIGBUS to its owner."""
        with tempfile.TemporaryDirectory(prefix='mr-hostile-') as folder:
            path = os.path.join(folder, 'libpython3.99.so')
            code = '''
import mmap
file = open(%r, 'r+b')
view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
other = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
file.truncate(%d)
ready(); wait()
'''
            for size in (0, 4096, 65536):
                shutil.copy(os.path.realpath('/proc/self/exe'), path)
                with self.subTest(size), hostile(code % (path, size)) as process:
                    self.survived(attach('--timeout', '1', process.pid, 'exec', '1'), 8)
                    self.survived(attach('--timeout', '1', process.pid, 'info'), 8)
                    self.assertIsNone(process.poll())

    def test_images_without_number(self):
        """As many mapped files as the kernel grants, each with headers that promise a gigabyte and tables without end."""
        code = '''
import mmap, resource
name = os.path.join(FOLDER, 'libpython3.77.so')
phdr = lambda kind, flags, offset, vaddr, size: struct.pack('<IIQQQQQQ', kind, flags, offset, vaddr, vaddr, size, size, 8)
head = b'\\x7fELF\\x02\\x01\\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
tables = {5: 0x800, 6: 0x900, 10: 1 << 40, 0x6ffffef5: 0xa00, 7: 0x800, 8: 1 << 60, 23: 0x800, 2: 1 << 60, 14: 1}
dynamic = b''.join(struct.pack('<QQ', *row) for row in tables.items()) + bytes(16)
body = bytearray(16384)
segments = phdr(1, 5, 0, 0, (1 << 30) - 4096) + phdr(2, 6, 0x400, 0x400, 0x200) + phdr(0x6474e550, 4, 0xc00, 0xc00, 1 << 29)
body[:len(head)] = head
body[64:64 + 224] = segments + bytes(56)
body[0x400:0x400 + len(dynamic)] = dynamic
body[0xa00:0xa10] = struct.pack('<IIII', 1, 0, 1, 0)
with open(name, 'wb') as out:
    out.write(body)
fd = os.open(name, os.O_RDONLY)
count = 0
while count < COUNT:
    at = libc.mmap(0x100000000 + count * 0x10000, 16384, 1 + 4 * (count % 2), 0x100002, fd, 0)     # apart from each other
    if at == 2**64 - 1:
        break
    count += 1
ready(); wait()
'''
        for count, limit in ((300, 20), (70000, 30)):
            with self.subTest(count), tempfile.TemporaryDirectory(prefix='mr-hostile-') as folder:
                with hostile(code.replace('FOLDER', repr(folder)).replace('COUNT', str(count))) as process:
                    for command in (['exec', '1'], ['info']):
                        result = attach('--timeout', '2', process.pid, *command)
                        self.survived(result, limit)
                    self.assertIsNone(process.poll())

    def test_65000_mappings(self):
        code = '''
for i in range(70000):
    if libc.mmap(None, 4096, 1 + 2 * (i % 2), 0x22, -1, 0) == 2**64 - 1:
        break
ready(); wait()
'''
        with hostile(code) as process:
            result = attach('--timeout', '5', process.pid, 'exec', '6 * 7')
            self.survived(result, 15)
            self.assertIsNone(process.poll())

    # --- what is shown ------------------------------------------------------------------------------------------------

    def test_nothing_raw_on_a_terminal(self):
        with tempfile.TemporaryDirectory(prefix='mr-hostile-') as folder:
            evil = os.path.join(folder, ESCAPE.replace('/', '_') + '\n')
            os.mkdir(evil)
            os.symlink(os.path.realpath('/proc/self/exe'), os.path.join(evil, 'py\x1b[2J'))
            module = os.path.join(evil, 'm\x1b[5m.py')
            with open(module, 'w') as out:
                out.write('def f():\n    pass\n')
            code = '''
import importlib.machinery, mmap
name = 'm' + %r
loader = importlib.machinery.SourceFileLoader(name, %r)
spec = importlib.machinery.ModuleSpec(name, loader, origin=%r)
import importlib.util
sys.modules[name] = module = importlib.util.module_from_spec(spec)
module.__file__ = %r
loader.exec_module(module)
sys.modules[name + '.x'] = type(sys)(name)
libc.prctl(15, b'\\x1b[31mcomm', 0, 0, 0)
file = open(%r, 'rb')
view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
threading.current_thread().name = %r
sys.argv[0] = %r
ready(); wait()
''' % (ESCAPE, module, module, module, module, ESCAPE, ESCAPE)
            with hostile(code) as process:
                with open(module, 'w') as out:
                    out.write('def f():\n    raise ValueError(%r)\n}\n' % ESCAPE)
                for command in (['list', '--all'], ['stale'], ['info'], ['reload-stale'], ['reload', module], ['-v', 'list'],
                                ['exec', 'print(%r); 1' % ESCAPE], ['exec', repr(ESCAPE)], ['history'],
                                ['exec', 'class E(Exception): pass\nE.__name__ = %r\nraise E(%r)' % (ESCAPE, ESCAPE)],
                                ['exec', 'import sys; sys.stderr.write(%r); [][0]' % ESCAPE],
                                ['exec', 'import sys; sys.version = sys.executable = %r' % ESCAPE], ['list']):
                    options = [command.pop(0)] if command[0] == '-v' else []
                    status, shown = on_terminal(*options, process.pid, *command)
                    self.assertIn(status, (0, 1), shown)
                    plain = re.sub('\x1b\\[[0-9]*m', '', shown)      # our own colours
                    self.assertNotRegex(plain, RAW, command)
                    self.assertNotIn('\x1b[5m', shown)

    def test_output_without_end(self):
        with Target('read') as target:
            result = target.attach('--timeout', '1', 'exec', 'while True: print("x" * 10000)')
            self.survived(result, 10, (7,))
            self.assertLess(len(result.stdout) + len(result.stderr), 5 << 20)
            self.assertUnharmed(target)
            target.stop()

    # --- what is opened -----------------------------------------------------------------------------------------------

    def test_opens_nothing_of_the_target(self):
        """Not its libraries, not its sources, not what a link or a device of that name leads to: all is read from memory.
        O_PATH, which opens nothing, is how dates are looked at."""
        if not shutil.which('strace'):
            self.skipTest('no strace here')
        with tempfile.TemporaryDirectory(prefix='mr-hostile-') as folder:
            log = os.path.join(folder, 'log')
            path = os.path.join(folder, 'mod.py')
            with open(path, 'w') as out:
                out.write('x = 1\n')
            with hostile('sys.path.insert(0, %r)\nimport mod\nready(); wait()' % folder) as process:
                for command in (['reload-stale'], ['reload', 'mod'], ['list'], ['info'], ['exec', '1']):
                    result = attach(process.pid, *command, prefix=['strace', '-f', '-y', '-o', log, '-e', 'trace=%file,%desc'])
                    self.assertStatus(result, 0)
                    lines = [line for line in read(log).splitlines() if 'O_PATH' not in line]
                    opened = re.findall(r'open(?:at2?)?\([^"]*"([^"]*)".*= \d', '\n'.join(lines))
                    self.assertTrue(opened)
                    allowed = re.compile(r'/proc/|/sys/|/etc/|/lib|/usr/lib|/usr/share/zoneinfo|/dev/null$|/dev/log$|/dev/urandom$')
                    self.assertEqual([name for name in opened if not allowed.match(name) or name.startswith(folder) or
                                      'root' in name.split('/') or 'cwd' in name.split('/') or 'python' in name], [])


if __name__ == '__main__':
    unittest.main()

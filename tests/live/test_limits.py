# SPDX-License-Identifier: MIT
"""Processes that the kernel holds on a short rein: seccomp filters, memory that may not be written and executed, threads that
cannot be stopped."""
import os
import resource
import tempfile
import unittest

from harness import DEFAULT, LiveTest, Snapshot, Target, attach, each, expand, read, regions, status_of, wait_until
from test_hostile import hostile

KILL, ERRNO, ALLOW = 0x80000000, 0x50001, 0x7fff0000
NUMBERS = {'mmap': 9, 'mprotect': 10, 'munmap': 11, 'rt_sigaction': 13, 'rt_sigprocmask': 14, 'getpid': 39, 'gettid': 186,
           'rt_sigpending': 127, 'clock_gettime': 228, 'pkey_mprotect': 329, 'shmat': 30}

INSTALL = '''
def install(*insns):
    code = ctypes.create_string_buffer(b''.join(struct.pack('<HBBI', *i) for i in insns))
    prog = ctypes.create_string_buffer(struct.pack('<HxxxxxxQ', len(insns), ctypes.addressof(code)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, prog) == 0
'''


def deny(name, action, argument=None, bits=0):
    """A filter: ACTION for the call NAME, with ARGUMENT only where it has all of BITS."""
    insns = [(0x20, 0, 0, 0)]
    if argument is None:
        insns += [(0x15, 0, 1, NUMBERS[name])]
    else:
        insns += [(0x15, 0, 4, NUMBERS[name]), (0x20, 0, 0, 16 + 8 * argument), (0x54, 0, 0, bits), (0x15, 0, 1, bits)]
    return insns + [(6, 0, 0, action), (6, 0, 0, ALLOW)]


def filtered(*filters):
    """Code of a process that has these filters, and then waits in a call that a stop interrupts."""
    return INSTALL + ''.join('install(*%r)\n' % (insns,) for insns in filters) + 'ready(); wait()'


@expand
class Seccomp(LiveTest):
    def lives(self, process):
        self.assertIsNone(process.poll())
        wait_until(lambda: status_of(process.pid)['State'][0] == 'S', 'it waits as before')

    @each([('%s_%s' % (how, name), name, action) for name in ('rt_sigpending',)
           for how, action in (('kill', KILL), ('errno', ERRNO))])
    def test_can_be_done_without(self, name, action):
        with hostile(filtered(deny(name, action))) as process:
            self.assertStatus(attach(process.pid, 'exec', '6 * 7'), 0)
            self.assertStatus(attach(process.pid, 'reload-stale'), 0)
            self.lives(process)

    @unittest.skipUnless(os.geteuid() == 0, 'only root may read filters')
    @each([('%s_%s' % (how, name), name, action) for name in ('mmap', 'munmap', 'gettid', 'clock_gettime')
           for how, action in (('kill', KILL), ('errno', ERRNO), ('trap', 0x30000))])
    def test_refused(self, name, action):
        """Where executable memory is what is denied for mmap: without mmap at all no Python goes far."""
        insns = deny(name, action, 2, 4) if name == 'mmap' else deny(name, action)
        with hostile(filtered(deny('shmat', KILL), insns)) as process:
            result = attach('-j', process.pid, 'exec', '1')
            self.assertStatus(result, 4)
            self.assertEqual(result.json['error']['code'], 'seccomp')
            self.assertIn(name, result.json['error']['message'])
            self.lives(process)
            self.assertEqual([line for line in read('/proc/%d/maps' % process.pid).splitlines() if line.startswith('6d7')], [])

    def test_as_systemd_denies_write_and_execute(self):
        """MemoryDenyWriteExecute= in its version with filters: systemd.exec(5)."""
        filters = [deny('mmap', ERRNO, 2, 6), deny('mprotect', ERRNO, 2, 4), deny('pkey_mprotect', ERRNO, 2, 4),
                   deny('shmat', ERRNO, 2, 0o100000)]
        with hostile(filtered(*filters)) as process:
            self.assertStatus(attach(process.pid, 'exec', '6 * 7'), 0)
            self.lives(process)

    def test_the_kernels_own_denial_of_write_and_execute(self):
        """PR_SET_MDWE, Linux 6.3."""
        code = 'assert libc.prctl(65, 1, 0, 0, 0) == 0\nready(); wait()'
        try:
            with hostile(code) as process:
                self.assertStatus(attach(process.pid, 'exec', '6 * 7'), 0)
                self.assertStatus(attach(process.pid, 'reload-stale'), 0)
                self.lives(process)
        except AssertionError as error:
            if 'did not get ready' not in str(error):
                raise
            self.skipTest('this kernel has no PR_SET_MDWE')

    def test_strict(self):
        """Mode 1: but for read, write and exit every call is death."""
        code = 'read = libc.read; buffer = ctypes.create_string_buffer(1); ready(); libc.prctl(22, 1); read(0, buffer, 1)'
        with hostile(code) as process:
            wait_until(lambda: status_of(process.pid)['Seccomp'] == '1', 'it is in the strict mode')
            self.assertRefused(attach(process.pid, 'exec', '1'), 4, 'strict')
            self.assertIsNone(process.poll())

    @unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
    def test_a_filter_that_cannot_be_read(self):
        """By the user of the process: it goes on, and says so."""
        become = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        with hostile(filtered(deny('rt_sigpending', KILL)), prefix=become, cwd='/') as process:
            result = attach(process.pid, 'exec', '6 * 7', prefix=become, cwd='/')
            self.assertStatus(result, 0)
            self.assertEqual(result.stdout, '42\n')
            self.assertIn('seccomp filter', result.stderr)
            self.lives(process)

    @unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
    def test_executable_memory_is_denied_where_nobody_saw_it_coming(self):
        """A filter that cannot be read does it here; SELinux does it (execmem) where there is none."""
        become = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        with hostile(filtered(deny('mmap', ERRNO, 2, 4)), prefix=become, cwd='/') as process:
            for _ in range(2):
                result = attach('-j', process.pid, '-t', '5', 'exec', '1', prefix=become, cwd='/')
                self.assertStatus(result, 4)
                self.assertEqual(result.json['error']['code'], 'seccomp')
                self.assertIn('executable', result.json['error']['message'])
                self.assertEqual(regions(process.pid), [])
            self.lives(process)

    @unittest.skipUnless(os.geteuid() == 0, 'only root may read filters')
    @each([('kill', KILL), ('trap', 0x30000)])
    def test_a_filter_of_one_thread(self, action):
        """The main thread has none, and no turn for us; the other one may not be sent."""
        code = INSTALL + """
import threading
def other():
    install(*%r)
    ready()
    libc.poll(None, 0, -1)
threading.Thread(target=other).start()
wait()
""" % (deny('getpid', action),)
        with hostile(code) as process:
            result = attach(process.pid, '-t', '1', '--thread', 'any', 'exec', '6 * 7')
            self.assertIn(result.status, (0, 6), result)
            self.lives(process)
            self.assertEqual(len(os.listdir('/proc/%d/task' % process.pid)), 2)


class Dispatched(LiveTest):
    def test_calls_that_become_signals(self):
        """PR_SET_SYSCALL_USER_DISPATCH, Linux 5.11: with all signals blocked, as on our way, a call of ours would be death."""
        code = '''
low, high = (int(end, 16) for end in [line for line in open('/proc/self/maps')
                                       if 'r-xp' in line and '/libc' in line][0].split()[0].split('-'))
block = ctypes.create_string_buffer(b'\\1')
ready()
libc.prctl(59, 1, ctypes.c_ulong(low), ctypes.c_ulong(high - low), block)
wait()
'''
        with hostile(code) as process:
            wait_until(lambda: status_of(process.pid)['State'][0] == 'S', 'it waits')
            for command in ('exec', '1'), ('reload-stale',):
                self.assertRefused(attach('--timeout', '1', process.pid, *command), 4, 'SYSCALL_USER_DISPATCH')
                self.assertIsNone(process.poll())
            process.stdin.write(b'x')
            process.stdin.flush()
            self.assertEqual(process.wait(30), 0)


@expand
class Stuck(LiveTest):
    VFORK = '''
import os
fifo = sys.argv[3]
say(ready=True)
child = os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)])
expect('child', os.waitpid(child, 0), (child, 0))
'''

    def test_in_vfork(self):
        """The main thread waits, uninterruptibly, for a child that blocks between vfork and exec."""
        if DEFAULT.version < (3, 8):
            self.skipTest('no posix_spawn')
        with tempfile.TemporaryDirectory(prefix='mr-vfork-') as folder:
            fifo = os.path.join(folder, 'fifo')
            script = os.path.join(folder, 'script.py')
            os.mkfifo(fifo)
            here = os.path.dirname(os.path.abspath(__file__))
            with open(script, 'w') as out:
                out.write(read(os.path.join(here, 'target.py')).replace(
                    "WAYS = {", 'def way_vfork():\n' + self.VFORK.replace('\n', '\n    ') + '\n\nWAYS = {', 1))
            with Target('vfork', script=script, args=[fifo]) as target:
                wait_until(lambda: status_of(target.pid)['State'][0] == 'D', 'it waits for its child')
                target.before = Snapshot(target.pid)
                for options in ([], ['--thread', 'main'], ['--thread', 'any']):
                    result = attach('--timeout', '0.5', *options, target.pid, 'exec', '1')
                    self.assertStatus(result, 6)
                    self.assertLess(result.seconds, 3)
                    self.assertUnharmed(target)
                self.assertStatus(attach('--timeout', '0.5', target.pid, 'info'), 0)
                with open(fifo, 'w'):
                    pass
                self.assertEqual(target.hear()['report']['wrong'], [])
                self.assertEqual(target.process.wait(30), 0)


class NoRoom(LiveTest):
    def test_a_limited_address_space(self):
        """It is told at once, not when the time is over."""
        code = ('import resource\n'
                'size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()\n'
                'resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 20), resource.RLIM_INFINITY)); ready(); wait()')
        with hostile(code) as process:
            result = attach('--timeout', '20', process.pid, 'exec', '1')
            self.assertRefused(result, 6, 'no room for the request', r'/proc/%d/limits' % process.pid)
            self.assertLess(result.seconds, 5)
            self.assertEqual(regions(process.pid), [])
            resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.assertStatus(attach(process.pid, 'exec', '1'), 0)


class OurOwn(LiveTest):
    def test_descriptors(self):
        """Too few of them do not mean that the process has ended."""
        with Target('read') as target:
            codes = []
            for limit in range(4, 9):
                result = target.attach('-j', 'exec', '1', preexec_fn=lambda limit=limit: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (limit, limit)))
                codes.append(result.json['error'] and result.json['error']['code'])
                self.assertStatus(result, 70 if codes[-1] else 0)
                self.assertUnharmed(target)
            self.assertEqual(set(codes), {'files', None})
            target.stop()

    def test_a_small_stack(self):
        with Target('read') as target:
            for arguments in (['exec', '1'], ['reload-stale'], ['list']):
                self.assertStatus(target.attach(*arguments, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_STACK, (1 << 16, 1 << 16))), 0)
                self.assertUnharmed(target)
            target.stop()

    def test_a_stack_too_small_for_us(self):
        with Target('select', prefix=['prlimit', '--stack=131072']) as target:
            self.assertRefused(target.attach('-t', '1', 'exec', '1'), 6, 'no room for the request: the stack of the main thread',
                               r'/proc/%d/limits' % target.pid)
            self.assertUnharmed(target)
            target.stop()


if __name__ == '__main__':
    unittest.main()

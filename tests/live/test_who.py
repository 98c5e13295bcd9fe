# SPDX-License-Identifier: MIT
"""Who may attach to what: users, rights, namespaces, roots, binaries that are gone. Real ones; needs root and util-linux."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import (DEFAULT, MR_ATTACH, PATIENCE, REQUIRED, LiveTest, Snapshot, attach, changes, each, environment,
                     expand, read, regions)
from test_hostile import hostile

NOBODY, DAEMON = 65534, 1
WORKS = (['exec', '6 * 7'], ['reload-stale'])


MAPPED = '''
import ctypes, os, sys
pid, (ready, tell) = os.getpid(), os.pipe()
if os.fork() == 0:
    os.read(ready, 1)
    for what in ('uid_map', 'gid_map'):
        with open('/proc/%%d/%%s' %% (pid, what), 'w') as file:
            file.write('0 %d 1000')
    os._exit(0)
sys.exit('no user namespaces') if ctypes.CDLL(None).unshare(0x10000000) else os.write(tell, b'x')
os.wait()
os.setgroups([])
os.setgid(0)
os.setuid(0)
os.execvp(sys.argv[1], sys.argv[1:])
'''


LANDLOCK = '''
import ctypes, os, struct, sys
call = ctypes.CDLL(None).syscall
rules = call(444, struct.pack('Q', 1 << 11), 8, 0)      # of making block devices, which nobody here does
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
sys.exit(99) if rules < 0 or call(446, rules, 0) else os.execvp(sys.argv[1], sys.argv[1:])
'''


def as_user(uid, gid=None):
    return ['setpriv', '--reuid=%d' % uid, '--regid=%d' % (uid if gid is None else gid), '--clear-groups']


def unshare(*options):
    """A prefix that runs a command in namespaces of its own, or None where that is not to be had."""
    prefix = ['unshare'] + list(options)
    done = subprocess.run(prefix + ['true'], stderr=subprocess.DEVNULL)
    return prefix if done.returncode == 0 else None


def python_below(pid):
    """The pid of the python among the process and its children."""
    while True:
        if os.path.basename(os.readlink('/proc/%d/exe' % pid)).startswith('python'):
            return pid
        pid = int(read('/proc/%d/task/%d/children' % (pid, pid)).split()[0])


def memory_has(pid, wanted):
    """Whether the bytes are anywhere in what the process may write."""
    with open('/proc/%d/mem' % pid, 'rb', 0) as memory:
        for line in read('/proc/%d/maps' % pid).splitlines():
            span, perms = line.split()[:2]
            start, end = (int(x, 16) for x in span.split('-'))
            if perms.startswith('rw') and end - start < 1 << 28:
                memory.seek(start)
                try:
                    if wanted in memory.read(end - start):
                        return True
                except OSError:
                    pass
    return False


@unittest.skipUnless(os.geteuid() == 0 and shutil.which('setpriv'), 'needs root, and setpriv to become others')
@expand
class Users(LiveTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='mr-who-')
        os.chmod(cls.folder, 0o755)
        cls.binary = shutil.copy(MR_ATTACH, cls.folder)
        os.chmod(cls.binary, 0o755)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def attach_as(self, uid, *args, gid=None):
        done = subprocess.run(as_user(uid, gid) + [self.binary] + [str(a) for a in args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment(), cwd='/', stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def may(self, uid, pid, **ids):
        before = Snapshot(pid)
        for command in WORKS:
            status, out, err = self.attach_as(uid, pid, *command, **ids)
            self.assertEqual(status, 0, err)
            self.assertTrue(out.strip() == '42' or command != WORKS[0], out)
        self.assertEqual(changes(before, pid), [])

    def may_not(self, uid, pid, reason, status=4, **ids):
        before = Snapshot(pid)
        for command in WORKS:
            found = self.attach_as(uid, pid, *command, **ids)
            self.assertEqual(found[:2], (status, ''), found)
            self.assertRegex(found[2], reason)
        self.assertEqual(changes(before, pid), [])

    def test_ones_own_and_others(self):
        with hostile('ready(); wait()', prefix=as_user(NOBODY), cwd='/') as process:
            self.may(NOBODY, process.pid)
            self.may_not(DAEMON, process.pid, 'uid %d, and you are uid %d' % (NOBODY, DAEMON))
            self.may_not(NOBODY, process.pid, 'gid %d, and you are gid %d' % (NOBODY, DAEMON), gid=DAEMON)
            self.may(0, process.pid)

    def test_not_dumpable(self):
        with hostile('libc.prctl(4, 0, 0, 0, 0); ready(); wait()', prefix=as_user(NOBODY), cwd='/') as process:
            self.may_not(NOBODY, process.pid, 'not dumpable')
            self.may(0, process.pid)

    def test_while_our_code_runs(self):
        """It was permitted when the work began: what came of it is told, whatever the process does to its rights."""
        with hostile('ready(); wait()', prefix=as_user(NOBODY), cwd='/') as process:
            code = 'import ctypes; print("begun"); ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); 42'
            status, out, err = self.attach_as(NOBODY, process.pid, 'exec', code)
            self.assertEqual((status, out), (0, 'begun\n42\n'), err)
            self.assertLessEqual(len({start >> 32 for start, *_ in regions(process.pid)}), 1)
            self.may(0, process.pid)
            self.assertEqual(regions(process.pid), [])

    def test_one_that_gave_up_its_rights(self):
        with hostile('os.setgroups([]); os.setgid(%d); os.setuid(%d); ready(); wait()' % (NOBODY, NOBODY), cwd='/') as process:
            self.may_not(NOBODY, process.pid, 'not dumpable')
            self.may(0, process.pid)

    @each([('root', 0), ('another', DAEMON)])
    def test_setuid(self, owner):
        program = shutil.copy(DEFAULT.program, os.path.join(self.folder, 'python-setuid-%d' % owner))
        os.chown(program, owner, 0)
        os.chmod(program, 0o4755)
        process = subprocess.Popen(as_user(NOBODY) + [program, '-c', 'import os; print(os.geteuid(), flush=True); input()'],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), cwd='/')
        try:
            if process.stdout.readline() != b'%d\n' % owner:
                self.skipTest('no setuid on this file system')
            self.may_not(NOBODY, process.pid, 'uid %d' % owner)
            self.may(0, process.pid)
        finally:
            process.communicate(b'\n')

    def test_with_rights_that_the_user_lacks(self):
        """CAP_NET_RAW for the target, by its file: more than its user has."""
        if not shutil.which('setcap'):
            self.skipTest('no setcap here')
        program = shutil.copy(DEFAULT.program, os.path.join(self.folder, 'python-capable'))
        subprocess.run(['setcap', 'cap_net_raw=ep', program], check=True)
        process = subprocess.Popen(as_user(NOBODY) + [program, '-c', 'print(1, flush=True); input()'], cwd='/',
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        try:
            process.stdout.readline()
            self.may_not(NOBODY, process.pid, 'not dumpable|capabilities')
            self.may(0, process.pid)
        finally:
            process.communicate(b'\n')

    def test_user_namespace(self):
        prefix = unshare('-U', 'true')
        if not prefix:
            self.skipTest('no user namespaces here')
        with hostile('ready(); wait()', prefix=as_user(NOBODY) + ['unshare', '-Ur'], cwd='/') as process, \
                hostile('ready(); wait()', prefix=as_user(NOBODY), cwd='/') as outside:
            self.may(0, process.pid)
            self.may(NOBODY, process.pid)       # who made the namespace has all rights in it
            self.may_not(DAEMON, process.pid, 'uid %d, and you are uid %d' % (NOBODY, DAEMON))
            inside = subprocess.run(['nsenter', '-t', str(process.pid), '-U', '--preserve-credentials',
                                     self.binary, str(os.getpid()), 'exec', '1'], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, env=environment(), cwd='/')
            self.assertEqual(inside.returncode, 4, inside)
            self.assertIsNone(outside.poll())

    def test_mapped_ids(self):
        """Root in a container whose ids are others outside, as with --uidmap, userns-remap, or rootless."""
        outside = 2000000000
        if not unshare('-U'):
            self.skipTest('no user namespaces here')
        prefix = [DEFAULT.program, '-c', MAPPED % outside]
        with hostile('assert os.getuid() == 0; ready(); wait()', prefix=prefix, cwd='/') as process:
            self.assertEqual(os.stat('/proc/%d' % process.pid).st_uid, outside)
            self.may(0, process.pid)
            self.may_not(outside, process.pid, 'user namespace in which you have no rights')
            self.may_not(NOBODY, process.pid, 'uid %d, and you are uid %d' % (outside, NOBODY))
            inside = subprocess.run(['nsenter', '-t', str(process.pid), '-U', '--setuid=0', '--setgid=0', self.binary,
                                     str(process.pid), 'exec', '6 * 7'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=environment(), cwd='/')
            self.assertEqual((inside.returncode, inside.stdout), (0, b'42\n'), inside)

    def test_hidden_processes(self):
        """proc(5), hidepid=2: others' processes are not there at all."""
        prefix = unshare('-m')
        script = 'mount -t proc -o hidepid=2 proc /proc || exit 99; exec "$@"'
        with hostile('ready(); wait()', cwd='/') as roots, hostile('ready(); wait()', prefix=as_user(NOBODY), cwd='/') as own:
            for pid, wanted in ((roots.pid, 3), (own.pid, 0)):
                done = subprocess.run((prefix or []) + ['sh', '-c', script, 'sh'] + as_user(NOBODY) +
                                      [self.binary, str(pid), 'exec', '6 * 7'], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=environment(), cwd='/') if prefix else None
                if done is None or done.returncode == 99:
                    self.skipTest('no mounts here')
                self.assertEqual(done.returncode, wanted, done)

    def test_landlock(self):
        """Who is in such a domain may trace nobody outside of it; it may be traced from outside."""
        inside = [DEFAULT.program, '-c', LANDLOCK]
        if subprocess.run(inside + ['true']).returncode == 99:
            self.skipTest('no Landlock here')
        with hostile('ready(); wait()', cwd='/') as outside:
            before = Snapshot(outside.pid)
            done = subprocess.run(inside + [self.binary, str(outside.pid), 'exec', '1'], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment())
            self.assertEqual((done.returncode, done.stdout), (4, b''), done)
            self.assertIn(b'a security module forbids it', done.stderr)
            self.assertIn(b'outside of that sandbox', done.stderr)
            self.assertEqual(changes(before, outside.pid), [])
        with hostile('ready(); wait()', cwd='/', prefix=inside) as process:
            self.may(0, process.pid)

    def test_without_proc(self):
        prefix = unshare('-m')
        done = subprocess.run((prefix or []) + ['sh', '-c', 'umount -l /proc || exit 99; exec "$@"', 'sh', self.binary,
                                                str(os.getpid()), 'info'], stderr=subprocess.PIPE, env=environment()) if prefix else None
        if done is None or done.returncode == 99:
            self.skipTest('no mounts here')
        self.assertEqual(done.returncode, 3, done)
        self.assertIn(b'there is no /proc', done.stderr)

    def test_nothing_of_root_stays(self):
        """Not its environment, not its paths, no descriptor, no lock; what it asked for is all that goes over."""
        secret = 'mr-secret-%d-%s' % (os.getpid(), 'x' * 20)
        code = '''
def found(text):
    text = text[::-1].encode()
    for line in open('/proc/self/maps'):
        span = line.split()[0].split('-')
        start, end = (int(x, 16) for x in span)
        if line.startswith('6d7') and line.split()[1] == 'rw-p':
            return text in ctypes.string_at(start, end - start)
ready(); wait()
'''
        with hostile(code, prefix=as_user(NOBODY), cwd='/') as process:
            before = Snapshot(process.pid)
            with tempfile.TemporaryDirectory(prefix=secret) as folder:
                for args in (['exec', '__import__("__main__").found(%r)' % secret[::-1]], ['reload-stale'], ['list']):
                    result = attach(process.pid, *args, env={'MR_SECRET': secret, 'HOME': folder}, cwd=folder)
                    self.assertStatus(result, 0)
                    self.assertIn(result.stdout if args[0] == 'exec' else 'False\n', ('False\n',))
            self.assertEqual(changes(before, process.pid), [])
            self.assertFalse(memory_has(process.pid, secret.encode()))
            self.assertTrue(memory_has(process.pid, b'found'), 'the search finds what is there')
            with open('/proc/%d/mem' % process.pid, 'rb') as memory:
                import fcntl
                fcntl.flock(memory, fcntl.LOCK_EX | fcntl.LOCK_NB)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which('unshare'), 'needs root, and unshare')
@expand
class Places(LiveTest):
    """Where the process is, and what of it is still on the disk."""

    def works(self, pid):
        for command in WORKS:
            result = attach(pid, *command)
            self.assertStatus(result, 0)
        self.assertEqual(attach(pid, 'exec', '6 * 7').stdout, '42\n')

    @each([('network', '-n'), ('mount', '-m'), ('pid', '-pmf'), ('ipc_and_uts', '-iu'), ('all', '-impnuf'), ('cgroup', '-C'),
           ('user', '-Ur'), ('user_and_pid', '-Urpmf')])
    def test_namespace(self, options):
        prefix = unshare(options)
        if not prefix:
            self.skipTest('no such namespace here')
        if 'f' in options:
            prefix.append('--kill-child')
        with hostile('ready(); wait()', prefix=prefix) as process:
            self.works(python_below(process.pid))
            process.stdin.close()       # it ends by itself, and unshare after it: nobody else would reap it in time
            self.assertEqual(process.wait(PATIENCE), 0)

    def test_from_within(self):
        """In the container itself, by the number that the process has there."""
        prefix = unshare('-pmf', '--mount-proc')
        if not prefix:
            self.skipTest('no namespaces here')
        waiting, held = os.pipe()
        with tempfile.NamedTemporaryFile(prefix='mr-who-') as ready:
            script = ('"$1" -c "print(1, flush=True); input()" <&%d > "$2" & until [ -s "$2" ]; do sleep 0.01; done; '
                      'exec "$0" $! exec "6 * 7"' % waiting)
            done = subprocess.run(prefix + ['--kill-child', 'sh', '-c', script, MR_ATTACH, DEFAULT.program, ready.name],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), pass_fds=[waiting],
                                  timeout=PATIENCE)
        os.close(waiting)
        os.close(held)
        self.assertEqual((done.returncode, done.stdout), (0, b'42\n'), done)

    @each([('read_only', 'ro'), ('noexec', 'ro,noexec,nosuid,nodev')])
    def test_file_system(self, how):
        """All that the process sees may not be written, nor executed."""
        prefix = unshare('-m')
        if not prefix:
            self.skipTest('no namespaces here')
        script = ('mount --make-rprivate / && mount -t tmpfs -o size=1m none /mnt && cd /mnt && mount -o remount,%s /mnt && '
                  'exec "$@"' % how)
        with hostile('ready(); wait()', prefix=prefix + ['sh', '-c', script, 'sh']) as process:
            if 'noexec' in how:
                subprocess.run(['nsenter', '-t', str(process.pid), '-m', 'mount', '-o', 'remount,bind,noexec', '/mnt'])
            self.works(process.pid)

    @each([(p.name.replace('.', '_'), p) for p in REQUIRED if not p.root])
    def test_gone(self, python):
        """Its program and its library are deleted, then others lie in their place."""
        with tempfile.TemporaryDirectory(prefix='mr-gone-') as folder:
            program = os.path.realpath(python.program)
            copy = shutil.copy(program, os.path.join(folder, 'python3'))
            linked = subprocess.run(['ldd', program], stdout=subprocess.PIPE).stdout.decode()
            library = re.search(r'(libpython\S+) => (\S+)', linked)
            prefix = os.path.dirname(os.path.dirname(program))
            env = dict(environment(), PYTHONHOME=prefix, LD_LIBRARY_PATH=folder)
            if library:
                shutil.copy(library.group(2), os.path.join(folder, library.group(1)))
            process = subprocess.Popen([copy, '-S', '-c', 'print(1, flush=True); input()'], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, env=env)
            try:
                self.assertEqual(process.stdout.readline(), b'1\n')
                maps = read('/proc/%d/maps' % process.pid)
                self.assertEqual('/python3' in maps and folder in maps and bool(library), 'libpython' in maps)
                for name in os.listdir(folder):
                    os.unlink(os.path.join(folder, name))
                self.assertIn('(deleted)', read('/proc/%d/maps' % process.pid))
                self.works(process.pid)
                for name in ('python3', library.group(1) if library else 'x'):
                    shutil.copy('/bin/true', os.path.join(folder, name))
                self.works(process.pid)
                self.assertIsNone(process.poll())
            finally:
                process.communicate(b'\n')


if __name__ == '__main__':
    unittest.main()

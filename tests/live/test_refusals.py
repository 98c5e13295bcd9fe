# SPDX-License-Identifier: MIT
"""What cannot or must not be attached to is refused before anything is touched: message, status, cure."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import (DEFAULT, HERE, HERE_NOW, MR_ATTACH, LiveTest, Target, attach, each, each_python, environment,
                     expand, pythons, read, status_of, wait_until)
from others import kernel_thread, program32, running, tracer, zombie

SUBINTERPRETERS = ('try:\n    import _interpreters as i\nexcept ImportError:\n    import _xxsubinterpreters as i\n'
                   'import atexit\nother = i.create()\natexit.register(i.destroy, other)\n')


@expand
class Refused(LiveTest):
    def refused(self, pid, status, code, *patterns):
        """With the same verdict in prose and in JSON."""
        for command in (['exec', '1'], ['reload-stale'], ['track'], ['list']):
            result = attach('--timeout', '2', pid, *command)
            self.assertRefused(result, status, *patterns)
            self.assertLess(len(result.stderr.splitlines()), 4, str(result))
        report = attach('--timeout', '2', '-j', pid, 'exec', '1')
        self.assertStatus(report, status)
        self.assertReport(report.json)
        self.assertEqual((report.json['status'], report.json['error']['code']), (status, code))

    def test_no_such_process(self):
        self.refused(4194303, 3, 'no-such-process', '4194303', 'no such process', 'hint: .*pgrep')

    def test_zombie(self):
        with zombie() as pid:
            self.refused(pid, 3, 'zombie', str(pid))

    def test_not_python(self):
        with running('sleep', '1000') as process:
            self.refused(process.pid, 5, 'not-python', 'sleep')

    def test_kernel_thread(self):
        pid = kernel_thread()
        if pid is None:
            self.skipTest('no kernel thread in sight')
        self.refused(pid, 5, 'kernel-thread', 'kernel thread')

    def test_ourselves(self):
        result = subprocess.run(['sh', '-c', 'exec "$0" $$ exec 1', MR_ATTACH], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment())
        self.assertEqual(result.returncode, 2, result)
        self.assertIn(b'itself', result.stderr)

    def test_pypy(self):
        pypy = shutil.which('pypy3')
        if not pypy:
            self.skipTest('no PyPy here')
        with running(pypy, '-c', 'input()') as process:
            self.refused(process.pid, 5, 'pypy', 'PyPy')

    def test_python2(self):
        python = pythons.python2()
        if not python:
            self.skipTest('no Python 2.7 here')
        with running(python, '-c', 'import sys; sys.stdout.write("x"); sys.stdout.flush(); raw_input()') as process:
            process.stdout.read(1)
            self.refused(process.pid, 5, 'python2', 'Python 2', '3.6')

    def test_32_bit(self):
        with program32() as process:
            if process is None:
                self.skipTest('this kernel runs no 32-bit programs')
            self.refused(process.pid, 5, 'not-64-bit', '64')

    def test_stopped(self):
        with Target('read') as target:
            os.kill(target.pid, signal.SIGSTOP)
            wait_until(lambda: status_of(target.pid)['State'][0] == 'T', 'it is stopped')
            self.refused(target.pid, 6, 'stopped', 'stopped', 'hint: .*kill -CONT %d' % target.pid)
            self.assertEqual(status_of(target.pid)['State'][0], 'T')
            self.assertStatus(target.attach('info'), 0)
            os.kill(target.pid, signal.SIGCONT)
            wait_until(lambda: target.unchanged(patience=0) == [], 'it goes on')
            self.assertStatus(target.attach('exec', '1'), 0)
            target.stop()

    def test_traced(self):
        with Target('read') as target:
            with tracer(target.pid) as other:
                self.refused(target.pid, 4, 'traced', str(other.pid), 'python3')
                self.assertEqual(status_of(target.pid)['TracerPid'], str(other.pid))
                self.assertStatus(target.attach('info'), 0)
            self.assertUnharmed(target)
            target.stop()

    def test_a_tracer_that_is_gone_soon_is_waited_for(self):
        with Target('read') as target:
            with tracer(target.pid, 0.04):
                self.assertStatus(target.attach('exec', '1'), 0)
            self.assertUnharmed(target)
            target.stop()

    def as_nobody(self, *args):
        with tempfile.TemporaryDirectory(prefix='mr-nobody-') as folder:
            os.chmod(folder, 0o755)
            binary = shutil.copy(MR_ATTACH, os.path.join(folder, 'mr-attach'))
            os.chmod(binary, 0o755)
            done = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', binary] +
                                  [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=environment(), cwd='/')
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    @unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
    def test_not_permitted(self):
        with Target('read') as target:
            for command in (['exec', '1'], ['reload-stale']):
                status, out, err = self.as_nobody(target.pid, *command)
                self.assertEqual((status, out), (4, ''), err)
                self.assertRegex(err, r'uid|user|root')
                self.assertRegex(err, r'hint: .*(sudo|root).*mr-attach %d %s' % (target.pid, command[0]))
            self.assertUnharmed(target)
            target.stop()

    @unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
    def test_ones_own_process_is_permitted(self):
        process = subprocess.Popen(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', DEFAULT.program, '-c',
                                    'print(1, flush=True); input()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=environment(), cwd='/')
        try:
            process.stdout.readline()
            status, out, err = self.as_nobody(process.pid, 'exec', '6 * 7')
            self.assertEqual((status, out.strip()), (0, '42'), err)
        finally:
            process.communicate(b'\n')

    @each_python(lambda p: not p.name.startswith('free'))  # there reloading is refused before
    def test_finalizing(self, python):
        with Target('finalizing', python) as target:
            self.refused(target.pid, 5, 'finalizing', 'shutting down')
            self.assertUnharmed(target)
            os.write(target.process.stdin.fileno(), b'x')
            self.assertEqual(target.process.wait(30), 0)

    @each_python(lambda p: p.version >= (3, 8))
    def test_sub_interpreters(self, python):
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(SUBINTERPRETERS + read(os.path.join(HERE, 'target.py')))
            script.flush()
            with Target('read', python, script=script.name) as target:
                result = target.attach('-j', '--force', 'reload-stale')
                self.assertStatus(result, 5)
                self.assertEqual(result.json['error']['code'], 'interpreters')
                self.assertEqual(result.json['timing_us']['stops'], 0)
                info = target.attach('-j', 'info').json['info']
                self.assertEqual((info['interpreters'], info['attach']['code']), (2, 'interpreters'))
                self.assertUnharmed(target)
                target.stop()

    @each_python(lambda p: p.version >= (3, 8))
    def test_a_sub_interpreter_that_is_gone(self, python):
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(SUBINTERPRETERS + 'atexit.unregister(i.destroy)\ni.destroy(other)\n' + read(os.path.join(HERE, 'target.py')))
            script.flush()
            with Target('read', python, script=script.name) as target:
                result = target.attach('exec', '6 * 7')
                self.assertEqual((result.status, result.stdout), (0, '42\n'), str(result))
                self.assertUnharmed(target)
                target.stop()

    @each([(p.name.replace('.', '_') + '_' + how, p, how) for p in HERE_NOW if p.version >= (3, 14)
           for how in ('option', 'environment')])
    def test_policy(self, python, how):
        options = ['-X', 'disable-remote-debug'] if how == 'option' else []
        env = {'PYTHON_DISABLE_REMOTE_DEBUG': '1'} if how == 'environment' else {}
        with Target('read', python, options=options, env=env) as target:
            self.refused(target.pid, 4, 'policy', 'remote debug', 'hint: .*--force')
            self.assertStatus(target.attach('--force', 'exec', '1'), 0)
            self.assertUnharmed(target)
            target.stop()

    def test_info_is_for_everything(self):
        with running('sleep', '1000') as process:
            result = attach(process.pid, 'info')
            self.assertIn(result.status, (0, 5), str(result))
            self.assertNotEqual(result.stdout + result.stderr, '')

    def test_several_refused_ones(self):
        with running('sleep', '1000') as one, running('sleep', '1001') as two:
            self.assertStatus(attach(one.pid, two.pid, 'exec', '1'), 5)

    @each_python(lambda p: p.free_threaded)
    def test_free_threaded_refuses_to_change_code(self, python):
        with Target('read', python) as target:
            self.assertStatus(target.attach('exec', '1'), 0)
            self.assertIn(target.attach('reload-stale').status, (4, 5))
            target.stop()


if __name__ == '__main__':
    unittest.main()

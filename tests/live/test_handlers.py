# SPDX-License-Identifier: MIT
"""Signals that another thread of the program took: their handlers wait for the main thread, which we wake; and the one that libc
sends to all threads."""
import ast
import os
import signal
import subprocess
import tempfile
import time
import unittest

from harness import (MR_ATTACH, PATIENCE, LiveTest, Target, each_python, environment, expand, read, status_of,
                     wait_until)

# The main thread waits for ever in a lock; the other one sends a signal to itself when it is told to. Names beginning with
# `seen` say what the handler saw.
MAIN = '''
import os, signal, subprocess, sys, threading
seen = []


def blocked():
    return [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, [])]


def handler(number, frame):
    child = subprocess.check_output([sys.executable, '-S', '-c', CHILD]).decode()
    seen.append((blocked(), child))
    if RAISES:
        raise ValueError('from the handler')


def other():
    while os.read(0, 1) == b's':
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        os.write(1, b'{"sent": true}\\n')
    lock.release()


def wait_for_ever():
    while lock.locked():
        try:
            lock.acquire()
            lock.release()
        except ValueError as error:
            seen.append(str(error))


CHILD = 'import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), end="")'
RAISES = sys.argv[3] == 'raises'
lock = threading.Lock()
lock.acquire()
signal.signal(signal.SIGUSR1, handler)
threading.Thread(target=other).start()
os.write(1, b'{"ready": true}\\n')
wait_for_ever()
'''

# The main thread waits in C code. The other one holds the GIL until it is told to go on, and changes the group of all
# threads before it lets go of it: libc sends each of them a signal, and waits until they have done so.
CHANGES = '''
import ctypes, functools, os, threading
held = [functools.partial(os.write, 1, b'{"ready": true}\\n'),
        functools.partial(ctypes.PyDLL(None).read, 0, ctypes.create_string_buffer(1), 1),
        functools.partial(os.setgid, os.getgid()), functools.partial(os.write, 1, b'{"changed": true}\\n')]


def other():
    list(map(functools.partial.__call__, held[1:]))


threading.Timer(0.2, other).start()
held[0]()
while True:                                  # setgid's signal ends the wait where it meets it
    ctypes.CDLL(None).poll(None, 0, -1)
'''


# The main thread waits in C code, where the other one has sent it an exception: it is raised when that wait is over.
SENT = '''
import ctypes, os, signal, threading


class Sent(Exception):
    pass


def other():
    signal.sigwait([signal.SIGUSR1])
    wanted = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(Sent))
    os.write(1, b'{"sent": %d}\\n' % wanted)


main = threading.get_ident()
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
thread = threading.Thread(target=other)
thread.start()
os.write(1, b'{"ready": true}\\n')
try:
    libc.read(0, ctypes.create_string_buffer(1), 1)
    thread.join()
    os.write(1, b'{"raised": false}\\n')
except Sent:
    os.write(1, b'{"raised": true}\\n')
'''


@expand
class Handlers(LiveTest):
    def seen(self, python, raises):
        """What the handler saw, and what an attach said whose code it met."""
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(MAIN)
            script.flush()
            with Target('program', python, 2, script=script.name, args=['raises' if raises else 'returns']) as target:
                target.process.stdin.write(b's')
                target.process.stdin.flush()
                self.assertEqual(target.hear(), {'sent': True})
                result = target.attach('-j', 'exec', '1 + 1')
                found = []

                def all_seen():
                    found[:] = ast.literal_eval(target.attach('-j', 'exec', '__import__("__main__").seen').value)
                    return 'from the handler' in found if raises else found
                wait_until(all_seen, 'the program saw what its handler raised')
                self.assertUnharmed(target)
        return found, result

    @each_python(lambda p: not p.name.startswith('musl'))
    def test_they_run_with_the_mask_of_the_program(self, python):
        found, result = self.seen(python, False)
        self.assertStatus(result, 0)
        self.assertEqual(result.value, '2')
        self.assertEqual(found, [([], '0')])

    @each_python(lambda p: not p.name.startswith('musl'))
    def test_what_they_raise_reaches_the_program(self, python):
        found, result = self.seen(python, True)
        self.assertEqual(result.value, '2')
        self.assertEqual([one for one in found if isinstance(one, tuple)], [([], '0')] * (len(found) - 1))

    @each_python(lambda p: not p.name.startswith('musl'))
    def test_a_thread_that_waits_for_the_gil_changes_its_group(self, python):
        def waits_for_the_gil():
            before = status_of(target.pid)['SigBlk']
            time.sleep(0.05)
            return int(before, 16) and status_of(target.pid)['SigBlk'] == before and target.is_waiting()
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(CHANGES)
            script.flush()
            with Target('program', python, 2, script=script.name) as target:
                wait_until(lambda: any(read('/proc/%d/task/%s/syscall' % (target.pid, tid)).startswith('0 0x0 ')
                                       for tid in os.listdir('/proc/%d/task' % target.pid)), 'the GIL is held')
                with subprocess.Popen([MR_ATTACH, str(target.pid), 'exec', '1 + 1'], env=environment(),
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    wait_until(waits_for_the_gil, 'the main thread waits for the GIL')
                    target.process.stdin.write(b'x')
                    target.process.stdin.flush()
                    self.assertEqual(target.hear(), {'changed': True})
                    self.assertEqual(process.communicate(timeout=PATIENCE), (b'2\n', b''))

    @each_python(lambda p: not p.name.startswith('musl'))
    def test_what_another_thread_sent_reaches_the_program(self, python):
        with tempfile.NamedTemporaryFile('w', suffix='.py') as script:
            script.write(SENT)
            script.flush()
            with Target('program', python, script=script.name) as target:
                wait_until(lambda: read('/proc/%d/syscall' % target.pid).startswith('0 0x0 '), 'it waits in C code')
                os.kill(target.pid, signal.SIGUSR1)
                self.assertEqual(target.hear(), {'sent': 1})
                result = target.attach('exec', '1 + 1')
                self.assertStatus(result, 0)
                target.process.stdin.write(b'x')
                target.process.stdin.flush()
                self.assertEqual(target.hear(), {'raised': True})


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""All of a reload is seen at one moment, by threads, signal handlers and finalizers that look all the time."""
import ast
import unittest

from harness import each_python, expand
from test_reload import ReloadTest, shop

MODULE = '''VERSION = 1
TABLE = {"version": 1}


def version():
    return 1


class Kind:
    version = 1

    def of(self):
        return 1
'''
MAIN = '''import gc, signal, threading, time
import one, two
seen = {"mixed": [], "signals": 0, "finalized": 0, "looks": 0}
versions, going, held = set(), [True], (one.version, two.version, one.Kind(), two.Kind())


def look():
    """What is read between two readings of the same version belongs to that version."""
    first = one.version()
    found = (two.version(), two.VERSION, one.VERSION, one.TABLE["version"], two.TABLE["version"], one.Kind.version,
             two.Kind().of(), held[0](), held[1](), held[2].of(), held[3].version)
    if one.version() == first and set(found) != {first}:
        seen["mixed"].append((first, found))
    seen["looks"] += 1
    versions.add(first)


class Dust:
    def __init__(self):
        self.me = self

    def __del__(self):
        seen["finalized"] += 1
        look()


def ring(*unused):
    seen["signals"] += 1
    look()


def read():
    while going[0]:
        for _ in range(20):
            look()
            Dust()
        time.sleep(0.001)                    # for four of them and a reload there are two CPUs, if that


def halt():
    signal.setitimer(signal.ITIMER_REAL, 0)
    going[0] = False
    for thread in threads:
        thread.join()
    return seen


gc.set_threshold(50, 5, 5)
signal.signal(signal.SIGALRM, ring)
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
'''


@expand
class OneMoment(ReloadTest):
    @each_python(lambda p: not p.free_threaded)
    def test_nobody_sees_a_half(self, python):
        with shop(python, files={'main.py': MAIN, 'one.py': MODULE, 'two.py': MODULE}) as s:
            for version in (b'2', b'3', b'4'):
                for name in ('one.py', 'two.py'):
                    s.write(name, MODULE.encode().replace(b'1', version))
                self.assertReloaded(s.attach('reload-stale'), 'one', 'two')
            found = ast.literal_eval(s.ask('halt()'))
            self.assertEqual(found['mixed'][:3], [])
            self.assertEqual(ast.literal_eval(s.ask('sorted(versions)')), [1, 2, 3, 4])
            for kind in ('signals', 'finalized', 'looks'):
                self.assertGreater(found[kind], 10, kind)
            s.target.stop()


if __name__ == '__main__':
    unittest.main()

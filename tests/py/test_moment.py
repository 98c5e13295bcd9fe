# SPDX-License-Identifier: MIT
"""The one moment at which a reload is seen: what is prepared before it, what cannot be, and that nothing comes between."""
import _thread
import collections
import gc
import shutil
import signal
import sys
import threading
import unittest
from unittest import mock

from harness import Program, command

EVER = 'def f(): return 1\n'
SAME = {  # what can be prepared: nobody sees any of it before all of it is there
    'body': ('def f(): return 1\n', 'def f(): return 2\n', 'm.f()'),
    'constant': ('X = 1\n', 'X = 2\nY = X\n', 'm.X'),
    'computed': ('X = 1\nY = X * 2 + 1\n', 'X = 1\nY = X * 3 + 1\n', 'm.Y'),
    'table': ('D = {"a": 1}\n', 'D = {"a": (2, [3])}\n', 'm.D'),
    'definition': ('A = 1\n', 'A = 1\ndef g(x: int, *, y=A): return x\n', 'm.__dict__.get("g")'),
    'import': ('X = 1\n', 'import colorsys, json as J\nfrom os import path\nX = 2\n', 'm.X'),
    'library': ('import re\nR = re.compile("a")\n', 'import re\nR = re.compile("b")\n', 'm.R'),
    'decorator': ('import functools\n', 'import functools\n@functools.lru_cache()\ndef g(): pass\n', 'm.__dict__.get("g")'),
    'class': ('X = 1\n', 'X = 1\nclass K:\n    "text"\n    x = 1\n    def f(self): return self.x\nclass L(K): pass\n',
              'm.__dict__.get("L")'),
    'member': ('class K:\n    x = 1\n    def f(self): return 1\n', 'class K:\n    x = 2\n    def f(self): return 2\n    def g(self): pass\n',
               '(m.K.x, m.K().f())'),
    'removed': ('X = 1\nY = 2\n', 'X = 1\n', 'hasattr(m, "Y")'),
    'lambda': ('L = 1\n', 'L = lambda a=2: a\n', 'm.L'),
}
SHOWN = {  # what may run code of the program, which must find the new code
    'call': ('def g(): return 1\nX = g()\n', 'def g(): return 2\nX = g() + 1\n', 3),
    'alias': ('def g(): return 1\nh = [g]\nX = g()\n', 'def g(): return 2\nh = [g]\nX = h[0]() + 1\n', 3),
    'operator': ('class K:\n    def __add__(self, o): return 1\nk = K()\nX = k + 1\n',
                 'class K:\n    def __add__(self, o): return 2\nk = K()\nX = k + 2\n', 2),
    'attribute': ('class K:\n    @property\n    def p(self): return 1\nk = K()\nX = k.p\n',
                  'class K:\n    @property\n    def p(self): return 2\nk = K()\nX = (k.p)\nX = k.p + 0\n', 2),
    'callback': ('def g(a): return -a\nX = sorted([1, 2], key=g)\n', 'def g(a): return a\nX = sorted([2, 1], key=g)\n', [1, 2]),
    'comprehension': ('A = 1\nX = [A for i in (1,)]\n', 'A = 2\nX = [A for i in (1, 1)]\n', [2, 2]),
    'class body': ('A = 1\nclass K: pass\nX = 0\n', 'A = 2\nclass L:\n    x = A\nX = L.x\n', 2),
    'format': ('class K:\n    def __str__(self): return "1"\nk = K()\nX = ""\n',
               'class K:\n    def __str__(self): return "2"\nk = K()\nX = str(k)\n', '2'),
    'decorator': ('R = []\ndef d(f):\n    R.append(1)\n    return f\nX = R\n',
                  'R = []\ndef d(f):\n    R.append(2)\n    return f\n@d\ndef g(): pass\nX = R\n', [2]),
    'base': ('class K:\n    def __init_subclass__(cls): cls.x = 1\nX = 0\n',
             'class K:\n    def __init_subclass__(cls): cls.x = 2\nclass L(K): pass\nX = L.x\n', 2),
    'deleted': ('Z = 1\nX = 1\n', 'Z = 1\nX = 2\nY = 1\ndel Y\n', 2),
    'builtin': ('Z = 1\nX = 1\n', 'Z = 1\nX = 1\nglobals()["X"] = 2\n', 2),
}


class Moment(Program):
    def setUp(self):
        Program.setUp(self)
        self.write(ever=EVER)                # the engine stays after this, so that it can be watched
        self.load('ever')
        self.write(ever=EVER.replace('1', '2'))
        self.reload('ever')
        self.journal = sys.modules['_mr_attach'].journal

    def forget(self, *names):
        """A .pyc of the same second and size would be taken for that of the next sources."""
        for name in names:
            del sys.modules[name]
        shutil.rmtree(self.path('__pycache__'), ignore_errors=True)

    def moments(self, look):
        """Reload: what LOOK says each time just before something becomes true."""
        found, real = [], self.journal.at_once

        def at_once(changes, also=()):
            if changes:
                found.append(look())
            real(changes, also)
        with mock.patch.object(self.journal, 'at_once', at_once):
            self.answer = self.reload()
        return found

    def test_one_moment(self):
        for name, (before, after, probe) in sorted(SAME.items()):
            with self.subTest(name):
                self.write(m=before, other=EVER)
                m, other = self.load('m', 'other')
                old = eval(probe, {'m': m})
                self.write(m=after, other=EVER.replace('1', '2'))
                found = self.moments(lambda: (eval(probe, {'m': m}), other.f()))
                self.assertEqual(found, [(old, 1)])
                self.assertNotEqual((eval(probe, {'m': m}), other.f()), (old, 1))
                fresh = {}
                exec(after, fresh)
                self.assertEqual(set(fresh) - {'__builtins__'} - set(vars(m)), set())
                self.forget('m', 'other')

    def test_what_statements_need_is_there(self):
        for name, (before, after, expected) in sorted(SHOWN.items()):
            with self.subTest(name):
                self.write(m=before)
                m = self.load('m')
                self.write(m=after)
                self.reload()
                self.assertEqual(m.X, expected)
                self.forget('m')

    def ended(self, times):
        """A reload whose telling a handler of the program ends so many TIMES: its error, how often the handler was called, what
        is kept of the work."""
        work, calls = sys.modules['_mr_attach'].commands.Work, []
        real = work.done

        def handler(number, frame):
            calls.append(number)
            if len(calls) <= times:
                raise LookupError(len(calls))

        def done(self, transaction):
            result = real(self, transaction)
            if len(calls) < times:
                _thread.interrupt_main()
                for _ in range(100):                         # here, at the latest, the interpreter takes it
                    pass
            return result
        self.write(m=EVER)
        m = self.load('m')
        self.write(m=EVER.replace('1', '2'))
        before = signal.signal(signal.SIGINT, handler)
        gc.collect()
        gc.disable()                         # a cycle would wait for the program's next full collection
        known = collections.Counter(type(one).__name__ for one in gc.get_objects())
        try:
            with mock.patch.object(work, 'done', done):
                answer = self.attempt()
            kept = collections.Counter(type(one).__name__ for one in gc.get_objects())
        finally:
            gc.enable()
            signal.signal(signal.SIGINT, before)
        self.assertEqual(m.f(), 2)
        return answer['error'] and answer['error']['message'], len(calls), [name for name in ('Work', 'Transaction', 'Search', 'Plan') if kept[name] > known[name]]

    def test_nothing_is_kept_of_the_work(self):
        self.assertEqual(self.ended(0), (None, 0, []))

    def test_told_however_often_handlers_raise(self):
        """Each ends it in the middle; it is told all the same, the signal is sent again once, and none keeps the work."""
        self.assertEqual(self.ended(20), (None, 21, []))

    def test_raised_without_end(self):
        said = 'a signal handler of the program raised again and again: the work was done'
        times = sys.modules['_mr_attach'].commands.TRIES
        self.assertEqual(self.ended(times), (said, times + 1, []))

    def test_a_handler_that_raises_where_the_work_cannot_see_it(self):
        """Between its beginning and its first try, or where it catches what another one raised."""
        kind, calls = sys.modules['_mr_attach'].transaction.Transaction, []

        def handler(number, frame):
            calls.append(number)
            if len(calls) < 3:
                raise LookupError

        def strike():
            _thread.interrupt_main()
            for _ in range(100):
                pass

        def run(self):
            self.begun = True
            strike()

        class Work(sys.modules['_mr_attach'].transaction.Transaction):
            def __setattr__(self, name, value):              # the next one comes where the first one is caught
                if name == 'cause' and value is not None and len(calls) == 1:
                    strike()
                object.__setattr__(self, name, value)
        self.write(m=EVER)
        m = self.load('m')
        self.write(m=EVER.replace('1', '2'))
        before = signal.signal(signal.SIGINT, handler)
        try:
            with mock.patch.object(kind, 'run', run), \
                    mock.patch.object(sys.modules['_mr_attach'].transaction, 'Transaction', Work):
                answer = self.attempt()
        finally:
            signal.signal(signal.SIGINT, before)
        self.assertEqual((answer['error']['code'], len(calls), m.f()), ('interrupted-by-program', 3, 1))

    def test_several_modules(self):
        self.write(a='X = 1\ndef f(): return X\n', b='from a import X as Y\nZ = Y\ndef g(): return Z\n',
                   c='from b import *\n', d='import a\n')
        a, b, c = self.load('a', 'b', 'c')
        self.load('d')
        self.write(a='X = 2\nN = 5\ndef f(): return X * 1\n', b='from a import X as Y, N\nZ = Y + 0\ndef g(): return Z + N\n')
        self.assertEqual(self.moments(lambda: (a.f(), b.g(), c.Z, hasattr(c, 'N'))), [(1, 1, 1, False)])
        self.assertEqual((a.f(), b.g(), c.Z, c.N, c.Y), (2, 7, 2, 5, 2))

    def test_a_name_that_left_cannot_be_imported(self):
        self.write(a='X = 1\nY = 1\n', b='Z = 1\n')
        a, b = self.load('a', 'b')
        self.write(a='Y = 2\n', b='from a import X\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual((a.X, a.Y, hasattr(b, 'X')), (1, 1, False))

    def test_what_new_code_needs_comes_before_it(self):
        self.write(a='def f(): return 1\n', b='def g(): return 1\n')
        a, b = self.load('a', 'b')
        self.write(a='def h(): return 2\nX = h()\ndef f(): return X\n',
                   b='import a, string\nRATE = 3\ndef g(): return RATE + len(string.digits)\n')
        found = self.moments(lambda: (a.f(), b.g(), hasattr(b, 'RATE')))
        self.assertEqual((found[0], a.f(), b.g()), ((1, 1, False), 2, 13))
        self.assertTrue(all(one[1] in (1, 13) for one in found), found)

    def test_a_new_module(self):
        self.write(a='def f(): return 1\nX = 1\n')
        a = self.load('a')
        self.write(a='import fresh\nX = 2\ndef f(): return fresh.Y\n', fresh='import fresher\nY = fresher.Y\n', fresher='Y = 7\n')
        self.assertEqual(self.moments(lambda: (a.f(), a.X)), [(1, 1)])
        self.assertEqual((a.f(), a.X), (7, 2))

    def test_a_new_module_that_needs_the_new_code(self):
        self.write(a='def f(): return 1\n')
        a = self.load('a')
        self.write(a='def f(): return 2\nimport fresh\n', fresh='import fresher\n', fresher='from a import f\nY = f()\n')
        self.reload()
        self.assertEqual(a.fresh.fresher.Y, 2)

    def test_a_cache_goes_with_it(self):
        text = 'import functools\n@functools.lru_cache(None)\ndef f(): return %d\n'
        self.write(m=text % 1, n=EVER)
        m, n = self.load('m', 'n')
        self.assertEqual(m.f(), 1)
        self.write(m=text % 2, n=EVER.replace('1', '2'))
        self.assertEqual(len(self.moments(lambda: 0)), 1)
        self.assertEqual((m.f(), n.f()), (2, 2))
        self.write(m=text % 3 + 'X = f()\n')
        self.reload()
        self.assertEqual((m.f(), m.X), (3, 3))


class Between(Program):
    def test_no_handler_sees_a_half(self):
        """A signal that another thread takes has its handler run in the main one, at any bytecode: here, at any of ours."""
        text = ''.join('def f%d(): return 1\n' % number for number in range(300))
        self.write(a='X = 1\n' + text, b='X = 1\n' + text)
        a, b = self.load('a', 'b')
        command('track')                     # the engine stays
        package, seen, stop = sys.modules['module_reloader'], [], threading.Event()

        def look(*unused):
            seen.append((a.X, a.f0(), a.f299(), b.f0(), b.f299(), b.X))

        def ring():
            while not stop.wait(0.0002):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        before = signal.signal(signal.SIGUSR1, look)
        thread = threading.Thread(target=ring)
        thread.start()
        try:
            for version in ('2', '3', '4'):
                new = 'X = %s\n' % version + text.replace('return 1', 'return ' + version)
                self.write(a=new, b=new)
                self.assertEqual(sorted(package.reload_stale_modules()), ['a', 'b'])
        finally:
            stop.set()
            thread.join()
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual([one for one in seen if len(set(one)) > 1], [])
        self.assertEqual({one[0] for one in seen}, {1, 2, 3, 4})


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""The rules of a reload that are no single case: all or nothing, staleness by content, options, bad input, tracking."""
import os
import stat
import subprocess
import sys
import unittest

from harness import PAYLOAD, Program, command

F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'


class AllOrNothing(Program):
    def unchanged_after(self, before, after, code, **options):
        """Load BEFORE, edit to AFTER; the reload fails with CODE and the process is as before."""
        self.write(**before)
        modules = {name: self.load(name) for name in before}
        held = {name: dict(module.__dict__) for name, module in modules.items()}
        codes = {name: module.f.__code__ for name, module in modules.items() if 'f' in module.__dict__}
        self.write(**after)
        answer = self.attempt(**options)
        error = self.refused(answer, code)
        for name, module in modules.items():
            now = dict(module.__dict__)
            self.assertEqual({k: v for k, v in now.items() if k != '__builtins__'},
                             {k: v for k, v in held[name].items() if k != '__builtins__'})
            if name in codes:
                self.assertIs(module.f.__code__, codes[name])
        self.assertNotIn('module_reloader', sys.modules)
        return answer, error

    def test_syntax_error(self):
        answer, error = self.unchanged_after({'m': F1}, {'m': 'def f(: return 2\n'}, 'syntax-error')
        self.assertEqual((error['file'], error['line'], error['module']), (self.path('m.py'), 1, 'm'))
        self.assertEqual(self.entry(answer)['state'], 'failed')
        self.write(m='def f(): return 3\n')
        self.reload()
        self.assertEqual(sys.modules['m'].f(), 3)

    def test_exception_halfway(self):
        answer, error = self.unchanged_after({'m': 'X = 1\n' + F1}, {'m': 'X = 2\nN = 5\n' + F2 + 'raise ValueError("half")\n'},
                                             'exception')
        self.assertEqual((error['message'], error['line']), ('ValueError: half', 4))
        self.assertIn('raise ValueError("half")', error['traceback'])
        self.assertIn('m.py", line 4', error['traceback'])
        self.assertNotIn('<mr-attach', error['traceback'])
        self.assertEqual(self.entry(answer)['state'], 'failed')

    def test_system_exit(self):
        self.unchanged_after({'m': 'X = 1\n' + F1}, {'m': 'X = 2\nimport sys\nsys.exit(1)\n' + F2}, 'system-exit')

    def test_keyboard_interrupt(self):
        self.unchanged_after({'m': 'X = 1\n' + F1}, {'m': 'X = 2\nraise KeyboardInterrupt\n' + F2}, 'exception')

    def test_one_fails_all_stay(self):
        answer, _ = self.unchanged_after({'a': F1, 'b': F1}, {'a': F2, 'b': 'raise ValueError\n' + F2}, 'exception')
        self.assertEqual(self.entry(answer, 'a')['state'], 'restored')
        self.assertEqual(self.entry(answer, 'b')['state'], 'failed')

    def test_class_is_put_back(self):
        self.write(m='class K:\n    x = 1\n    def a(self): return 1\n')
        m = self.load('m')
        before = dict(m.K.__dict__)
        self.write(m='class K:\n    x = 2\n    y = 3\n    def a(self, b=1): return 2\nraise ValueError\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual(dict(m.K.__dict__), before)
        self.assertEqual(m.K().a(), 1)

    def test_class_body_raises(self):
        self.write(m='class K:\n    x = 1\n')
        m = self.load('m')
        self.write(m='class K:\n    x = 1\n    y = 1 / 0\n')
        self.assertEqual(self.refused(self.attempt(), 'exception')['line'], 3)
        self.assertFalse(hasattr(m.K, 'y'))

    def test_importers_are_put_back(self):
        self.write(m='X = 1\n', n='from m import X\n')
        m, n = self.load('m', 'n')
        self.write(m='X = 2\n', n='from m import X\nraise ValueError\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual((m.X, n.X), (1, 1))

    def test_import_of_a_missing_module(self):
        _, error = self.unchanged_after({'m': F1}, {'m': 'import not_there_at_all\n' + F2}, 'exception')
        self.assertIn('not_there_at_all', error['message'])

    def test_refused_class_keeps_the_others(self):
        self.write(a=F1, b='class A: pass\nclass B: pass\nclass K(A): pass\n')
        a, b = self.load('a', 'b')
        self.write(a=F2, b='class A: pass\nclass B: pass\nclass K(B): pass\n')
        error = self.refused(self.attempt(), 'refused')
        self.assertIn('b.K', error['message'])
        self.assertIn('reload a', error['hint'])
        self.assertEqual((a.f(), b.K.__bases__), (1, (b.A,)))
        self.reload('a')
        self.assertEqual(a.f(), 2)


class Staleness(Program):
    def names(self):
        return [one['name'] for one in command('stale')['modules']]

    def test_touch_and_comment(self):
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        os.utime(self.path('m.py'))
        self.assertEqual(self.names(), [])
        self.write(m='# comment\nX = 1\n\n\n' + F1)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.entry(self.reload('m'))['state'], 'unchanged')
        self.assertEqual(m.f.__code__.co_firstlineno, 5)
        m.X = 7
        self.reload('m')
        self.assertEqual(m.X, 7)

    def test_dates_do_not_matter(self):
        for shift in (0, -5000, 100000):
            self.write(m=F1)
            found = os.stat(self.path('m.py'))
            sys.modules.pop('m', None)
            m = self.load('m')
            self.write(m=F2)
            os.utime(self.path('m.py'), (found.st_atime, found.st_mtime + shift))
            self.assertEqual(self.names(), ['m'], shift)
            self.reload()
            self.assertEqual(m.f(), 2)
            self.assertEqual(self.names(), [])

    def test_symlink_switch(self):
        for name, text in (('one', F1), ('two', F2)):
            os.mkdir(self.path(name))
            with open(self.path(name + '/m.py'), 'w') as out:
                out.write(text)
        os.symlink('one', self.path('current'))
        sys.path.insert(0, self.path('current'))
        try:
            m = self.load('m')
            os.symlink('two', self.path('next'))
            os.rename(self.path('next'), self.path('current'))
            self.assertEqual(self.names(), ['m'])
            self.reload()
            self.assertEqual(m.f(), 2)
        finally:
            sys.path.remove(self.path('current'))

    def test_deleted_source_is_skipped(self):
        self.write(a=F1, b=F1)
        a, b = self.load('a', 'b')
        os.unlink(self.path('a.py'))
        self.write(b=F2)
        self.assertEqual({one['name']: one['state'] for one in command('stale')['modules']}, {'a': 'missing', 'b': 'stale'})
        answer = self.reload()
        self.assertEqual((a.f(), b.f(), self.entry(answer, 'a')['state']), (1, 2, 'skipped'))
        self.refused(self.attempt('a'), 'missing-source')

    def test_reload_twice_and_back(self):
        self.write(m=F1)
        m = self.load('m')
        f = m.f
        for text, value in ((F2, 2), (F1, 1), ('X = 1\n' + F2, 2), (F1, 1)):
            self.write(m=text)
            self.reload()
            self.assertEqual((f(), m.f is f), (value, True))
        self.assertFalse(hasattr(m, 'X'))

    def test_constants_only_without_witness(self):
        sys.dont_write_bytecode = True
        self.write(m='RATE = 0.1\nNAME = "a"\n')
        m = self.load('m')
        self.write(m='RATE = 0.2\nNAME = "a"\n')
        error = self.refused(self.attempt(), 'undecided')
        self.assertIn('m.RATE is 0.1, and the source says 0.2 (line 1)', error['message'])
        self.assertIn('--keep RATE', error['hint'])
        self.assertEqual(m.RATE, 0.1)
        self.reload('m', reinit=['RATE'])
        self.assertEqual(m.RATE, 0.2)

    def test_keep(self):
        sys.dont_write_bytecode = True
        self.write(m='RATE = 0.1\n' + F1)
        m = self.load('m')
        self.write(m='RATE = 0.2\n' + F2)
        self.reload(keep=['m.RATE'])
        self.assertEqual((m.RATE, m.f()), (0.1, 2))

    def test_pyc_of_the_new_source_is_no_witness(self):
        self.write(m='RATE = 0.1\n' + F1)
        m = self.load('m')
        self.write(m='RATE = 0.25\n' + F1)
        subprocess.check_call([sys.executable, '-c', 'import sys; sys.dont_write_bytecode = False; import m'],
                              cwd=self.folder, env=dict(os.environ, PYTHONDONTWRITEBYTECODE=''))
        self.refused(self.attempt(), 'undecided')
        self.assertEqual(m.RATE, 0.1)

    def test_two_names_for_one_file(self):
        self.write(p__init='', p__m=F1)
        sys.path.insert(0, self.path('p'))
        try:
            import importlib
            one, two = importlib.import_module('p.m'), importlib.import_module('m')
            self.write(p__m=F2)
            answer = self.reload(self.path('p/m.py'))
            self.assertEqual((one.f(), two.f()), (2, 2))
            self.assertIn('several names', answer['notes'][0])
        finally:
            sys.path.remove(self.path('p'))

    def test_excluded(self):
        self.write(**{'site-packages__x': F1})
        sys.path.insert(0, self.path('site-packages'))
        try:
            x = self.load('x')
            self.write(**{'site-packages__x': F2})
            for answer in (command('stale', verbose=1), self.reload(verbose=1)):
                if not answer['notes']:      # a Python that was unpacked just now has more to look at
                    self.assertEqual(answer['excluded_stale'], ['x'])
            self.assertEqual(x.f(), 1)
            self.reload('x')
            self.assertEqual(x.f(), 2)
        finally:
            sys.path.remove(self.path('site-packages'))

    def test_spec_from_file(self):
        import importlib.util
        self.write(**{'sub__off': F1})
        spec = importlib.util.spec_from_file_location('off.path', self.path('sub/off.py'))
        module = importlib.util.module_from_spec(spec)
        sys.modules['off.path'] = module
        spec.loader.exec_module(module)
        self.write(**{'sub__off': F2})
        self.reload()
        self.assertEqual(module.f(), 2)

    def test_odd_entries(self):
        class Bad:
            def __getattr__(self, name):
                raise RuntimeError(name)
        sys.modules['odd_none'], sys.modules['odd_bad'] = None, Bad()
        module = type(sys)('odd_file')
        module.__file__ = 7
        sys.modules['odd_file'] = module
        try:
            self.write(m=F1)
            m = self.load('m')
            self.write(m=F2)
            self.reload()
            self.assertEqual(m.f(), 2)
            self.assertEqual(command('list', all=True)['status'], 0)
            for name in ('odd_none', 'odd_bad'):
                self.refused(self.attempt(name), 'no-source')
        finally:
            for name in ('odd_none', 'odd_bad', 'odd_file'):
                sys.modules.pop(name, None)


class Options(Program):
    def test_dry_run(self):
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        self.write(m='X = 2\n' + F2)
        entry = self.entry(self.reload(dry_run=True))
        self.assertEqual((entry['state'], entry['changed'], entry['executed']),
                         ('would-reload', ['X', 'f'], [{'line': 1, 'text': 'X = 2'}]))
        self.assertEqual((m.X, m.f()), (1, 1))
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])

    def test_full(self):
        self.write(m='C = {}\n' + F1)
        m = self.load('m')
        f = m.f
        m.C['a'] = 1
        self.reload('m')
        self.assertEqual(m.C, {'a': 1})
        self.assertEqual(self.entry(self.reload('m', full=True))['why'], 'forced')
        self.assertEqual((m.C, m.f is f), ({}, True))

    def test_report(self):
        self.write(m='X = 1\nY = 1\n' + F1 + 'class K:\n    def a(self): return 1\n    def g(self): return 1\n')
        self.load('m')
        self.write(m='X = 2\nZ = 1\n' + F2 + 'class K:\n    def a(self): return 2\n    def n(self): return 1\n')
        entry = self.entry(self.reload())
        self.assertEqual((entry['state'], entry['why'], entry['baseline']), ('reloaded', 'content', 'pyc'))
        self.assertEqual(entry['changed'], ['K.a', 'X', 'f'])
        self.assertEqual(entry['added'], ['K.n', 'Z'])
        self.assertEqual(entry['removed'], ['K.g', 'Y'])
        self.assertEqual([one['line'] for one in entry['executed']], [1, 2])

    def test_running_old(self):
        self.write(m='def f(go):\n    go()\n    return 1\ndef g():\n    yield 1\n    yield 2\n')
        m = self.load('m')
        suspended = m.g()
        next(suspended)
        found = []

        def go():
            self.write(m='def f(go):\n    return 2\ndef g():\n    yield 1\n    yield 3\n')
            found.append(self.reload())
        m.f(go)
        kinds = sorted((one['kind'], one['function'], one['line']) for one in self.entry(found[0])['running_old'])
        self.assertEqual(kinds, [('frame', 'm.f', 2), ('generator', 'm.g', 5)])

    def test_derived(self):
        self.write(b='X = 1\n', a='import b\nfrom b import X\nY = b.X + 1\nZ = X\n')
        self.load('b', 'a')
        self.write(b='X = 10\n')
        derived = self.entry(self.reload(), 'b')['derived']
        self.assertEqual([(one['module'], one['name'], one['line']) for one in derived], [('a', 'Y', 3), ('a', 'Z', 4)])

    def test_undo_and_history(self):
        self.write(m='X = 1\n' + F1, n='from m import X\n')
        m, n = self.load('m', 'n')
        self.write(m='X = 2\nY = 3\n' + F2)
        self.reload(who={'uid': 5, 'sudo_user': 'me'})
        self.assertEqual((m.X, m.Y, m.f(), n.X), (2, 3, 2, 2))
        history = command('history')['history']
        self.assertEqual([(one['command'], one['uid'], one['modules']) for one in history], [('reload-stale', 5, ['m'])])
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((m.X, hasattr(m, 'Y'), m.f(), n.X), (1, False, 1, 1))
        self.assertEqual(command('undo')['error']['code'], 'refused')
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])


class BadInput(Program):
    def setUp(self):
        Program.setUp(self)
        self.write(m=F1, p__init='', p__a=F1)
        self.load('m', 'p.a')

    def test_unknown_names(self):
        for name in ('nothing', '', "it's", 'a"b\n', b'\xff\xfe', '.'):
            error = self.refused(self.attempt(name), 'no-such-module')
            self.assertTrue(error['message'])

    def test_no_target(self):
        self.refused(command('reload'), 'no-such-module')

    def test_paths(self):
        for path in ('/nonexistent/x.py', self.path('other.py'), '/etc/passwd', '/dev/null', "/tmp/it's\n.py", b'/tmp/\xff.py'):
            error = self.refused(self.attempt(path), 'not-a-module-path')
            self.assertIn('nearest loaded file', error['hint'])
        os.mkdir(self.path('empty'))
        self.refused(self.attempt(self.path('empty') + '/'), 'not-a-module-path')

    def test_paths_that_hit(self):
        os.symlink(self.folder, self.path('link'))
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            for number, path in enumerate(('./m.py', self.path('m.py'), self.path('link/m.py'), 'm.py', '../%s/m.py' %
                                           os.path.basename(self.folder))):
                self.write(m='def f(): return %d\n' % (number + 10))
                self.reload(path)
                self.assertEqual(sys.modules['m'].f(), number + 10)
        finally:
            os.chdir(before)
        self.write(p__a=F2)
        self.reload(self.path('p') + '/')
        self.assertEqual(sys.modules['p.a'].f(), 2)

    def test_ambiguous(self):
        found = os.stat(self.path('m.py'))
        target = {'text': self.path('p/a.py'), 'kind': 'path', 'ours': {'dev': found.st_dev, 'ino': found.st_ino, 'path': '/x'}}
        self.refused(command('reload', targets=[target]), 'ambiguous-path')

    def test_not_text(self):
        for data, code in ((b'\0\1\2', 'not-text'), (b'x = "\xff"\n', 'not-text'), (b'# coding: nonsense\n', 'syntax-error')):
            with open(self.path('m.py'), 'wb') as out:
                out.write(data)
            error = self.refused(self.attempt(), code)
            self.assertEqual(error['module'], 'm')
        self.assertEqual(sys.modules['m'].f(), 1)

    def test_not_a_regular_file(self):
        os.unlink(self.path('m.py'))
        os.mkfifo(self.path('m.py'))
        self.refused(self.attempt(), 'unreadable-source')

    @unittest.skipIf(os.geteuid() == 0, 'root reads everything')
    def test_unreadable(self):
        self.write(m=F2)
        os.chmod(self.path('m.py'), 0)
        self.refused(self.attempt(), 'unreadable-source')
        os.chmod(self.path('m.py'), stat.S_IRWXU)

    def test_without_source(self):
        import py_compile
        py_compile.compile(self.path('m.py'), self.path('only.pyc'))
        self.load('only')
        self.refused(self.attempt('only'), 'no-source')
        self.refused(self.attempt('sys'), 'no-source')
        self.assertEqual([one['state'] for one in command('list')['modules'] if one['name'] == 'only'], ['sourceless'])

    def test_zip(self):
        import zipfile
        with zipfile.ZipFile(self.path('z.zip'), 'w') as archive:
            archive.writestr('inzip.py', F1)
        sys.path.insert(0, self.path('z.zip'))
        try:
            self.load('inzip')
            self.assertIn('zip', self.refused(self.attempt('inzip'), 'no-source')['message'])
        finally:
            sys.path.remove(self.path('z.zip'))

    def test_huge(self):
        self.write(m='x = 1\n' * 200000)
        self.refused(self.attempt('m'), 'too-large')


class Guest(Program):
    """Nothing of the program runs that was not asked to, and what it does meanwhile is its own."""

    def test_hostile_values(self):
        self.write(m="""
            class Proxy:
                def __getattribute__(self, name): raise SystemExit(name)
                def __eq__(self, other): raise SystemExit('eq')
                def __bool__(self): raise SystemExit('bool')
                def __repr__(self): raise SystemExit('repr')
                __hash__ = None
            class Meta(type):
                def __getattribute__(cls, name): raise SystemExit(name)
            class Odd(metaclass=Meta): pass
            P = Proxy()
            X = 1
            T = (P, [P])
            D = {1: P}
            def f(): return 1
            """)
        m = self.load('m')
        text = open(self.path('m.py')).read()
        for kind in ('pyc', 'none'):
            m.X = m.P
            self.write(m=text.replace('return 1', 'return 2').replace('D = {1: P}', 'D = {1: P, 2: 2}'))
            if kind == 'none':
                import shutil
                shutil.rmtree(self.path('__pycache__'))
                self.write(m=text.replace('return 1', 'return 3'))
            answer = self.attempt()
            if kind == 'pyc':
                self.assertIsNone(answer['error'])
                self.assertEqual(m.f(), 2)
            else:
                self.assertIn((answer['error'] or {}).get('code'), (None, 'undecided'))
            self.assertEqual(command('list')['status'], 0)

    def test_interrupted_reload_is_put_back(self):
        import ctypes
        import threading
        from harness import Block, request
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        self.write(m='X = 2\nwhile True: pass\n' + F2)
        block = Block(request('reload-stale'))

        def interrupt():
            block.put(128, 1)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.main_thread().ident),
                                                       ctypes.py_object(KeyboardInterrupt))
        timer = threading.Timer(1, interrupt)
        timer.start()
        answer = block.run()
        timer.join()
        self.assertEqual((answer['status'], answer['error']['code'], answer['error']['line']), (7, 'interrupted', 2))
        self.assertEqual((m.X, m.f()), (1, 1))
        self.assertEqual(self.entry(answer)['state'], 'failed')

    def test_handler_of_the_program_raises(self):
        import signal
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        self.write(m='X = 2\nimport os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\nY = list(range(1000))\n' + F2)
        count = []

        def handler(number, frame):
            count.append(number)
            if len(count) == 1:
                raise LookupError('first')
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            answer = self.attempt()
        finally:
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual(answer['error']['code'], 'interrupted-by-program')
        self.assertEqual((m.X, m.f(), len(count)), (1, 1, 2))

    def test_on_stack_refuse(self):
        self.write(m='def f(go):\n    go()\n    return 1\n')
        m = self.load('m')
        found = []

        def go():
            self.write(m='def f(go):\n    go()\n    return 2\n')
            found.append(self.attempt(on_stack='refuse'))
        self.assertEqual(m.f(go), 1)
        self.refused(found[0], 'refused')
        self.assertEqual(m.f(lambda: None), 1)
        self.reload()
        self.assertEqual(m.f(lambda: None), 2)

    def test_no_warnings_and_no_output(self):
        import io
        import warnings
        from unittest import mock
        self.write(m='def f(): return "\\d"\n')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            m = self.load('m')
        self.write(m='def f():\n    yield "\\d"\n')
        filters = list(warnings.filters)
        with mock.patch.object(sys, 'stderr', io.StringIO()) as err, warnings.catch_warnings():
            warnings.simplefilter('error')
            self.reload()
            self.assertEqual(err.getvalue(), '')
        self.assertEqual(list(m.f()), ['\\d'])
        self.assertEqual(warnings.filters, filters)

    def test_settings_of_the_interpreter(self):
        import gc
        self.write(m=F1)
        self.load('m')
        self.write(m='X = 1\n' + F2)
        before = sys.getswitchinterval(), gc.isenabled(), list(sys.path), sys.gettrace()
        self.reload()
        self.assertEqual((sys.getswitchinterval(), gc.isenabled(), list(sys.path), sys.gettrace()), before)

    def test_class_attribute_without_witness(self):
        sys.dont_write_bytecode = True
        self.write(m='class K:\n    x = 1\n')
        m = self.load('m')
        self.write(m='class K:\n    x = 2\n')
        error = self.refused(self.attempt(), 'undecided')
        self.assertIn('--keep K.x', error['hint'])
        self.reload('m', keep=['K.x'])
        self.assertEqual(m.K.x, 1)
        self.reload('m', reinit=['m.K.x'])
        self.assertEqual(m.K.x, 2)

    def test_frozen_heap(self):
        import gc
        if not hasattr(gc, 'freeze'):
            self.skipTest('needs gc.freeze')
        self.write(m='def make():\n    def c(): return 1\n    return c\n')
        m = self.load('m')
        held = m.make()
        gc.freeze()
        try:
            self.write(m='def make():\n    def c(): return 2\n    return c\n')
            self.reload()
            self.assertEqual(held(), 2)
            self.assertGreater(gc.get_freeze_count(), 0)
        finally:
            gc.unfreeze()

    def test_own_source_to_code(self):
        import importlib.machinery
        import importlib.util

        class Loader(importlib.machinery.SourceFileLoader):
            def source_to_code(self, data, path, *more, **options):
                return compile(data.replace(b'MAGIC', b'"magic"'), path, 'exec', dont_inherit=True)
        self.write(m='def f(): return 1, MAGIC\n')
        sys.dont_write_bytecode = True
        spec = importlib.util.spec_from_file_location('m', self.path('m.py'), loader=Loader('m', self.path('m.py')))
        m = importlib.util.module_from_spec(spec)
        sys.modules['m'] = m
        spec.loader.exec_module(m)
        self.write(m='def f(): return 2, MAGIC\n')
        self.reload()
        self.assertEqual(m.f(), (2, 'magic'))


class Main(unittest.TestCase):
    """__main__ has no .pyc, and its guarded part never runs again."""

    def test_main(self):
        script = '''
import sys, os
sys.path.insert(0, %r)
from harness import command
COUNT = 0
def f(): return 1
def bump():
    global COUNT
    COUNT += 1
if __name__ == '__main__':
    bump()
    with open(__file__) as s: text = s.read()
    def edit(new):
        with open(__file__, 'w') as s: s.write(new)
        return command('reload-stale')
    held = f
    a = edit(text.replace('return 1', 'return 2'))
    assert a['status'] == 0, a
    assert (f(), held(), COUNT) == (2, 2, 1), (f(), COUNT)
    a = edit(text.replace('return 1', 'return 2').replace('held = f', 'held = f; X = 1'))
    assert a['status'] == 1 and a['error']['code'] == 'refused', a
    a = command('reload', '__main__', full=True)
    assert (COUNT, f()) == (1, 2), a
    print('fine')
''' % os.path.dirname(os.path.abspath(__file__))
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'app.py')
            with open(path, 'w') as out:
                out.write(script)
            found = subprocess.run([sys.executable, '-W', 'ignore', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(found.stdout.decode(), 'fine\n', found.stdout.decode())


class Tracking(Program):
    def test_track_and_untrack(self):
        self.write(m=F1, late=F1)
        m = self.load('m')
        meta_path, modules = list(sys.meta_path), set(sys.modules)
        answer = command('track')
        self.assertEqual(self.entry(answer)['state'], 'fresh')
        self.assertIn('module_reloader', sys.modules)
        late = self.load('late')
        found = {one['name']: one for one in command('list')['modules']}
        self.assertEqual((found['m']['exact'], found['late']['exact']), (False, True))
        self.assertGreater(found['late']['loaded_at'], 1e9)
        self.write(m='X = 1\n' + F2, late='X = 1\n' + F2)
        answer = self.reload()
        self.assertEqual({self.entry(answer, name)['baseline'] for name in ('m', 'late')}, {'tracked'})
        self.assertEqual((m.X, late.X), (1, 1))
        self.assertEqual(sys.modules['module_reloader'].get_stale_modules(), [])
        command('untrack')
        self.assertEqual(sys.meta_path, meta_path)
        self.assertEqual({name for name in set(sys.modules) - modules if 'late' not in name}, set())
        self.assertEqual(m.f(), 2)

    def test_looking_leaves_nothing(self):
        command('untrack')
        before = set(sys.modules), list(sys.meta_path)
        for name in ('list', 'stale', 'history', 'untrack'):
            self.assertEqual(command(name)['status'], 0)
            self.assertEqual((set(sys.modules), list(sys.meta_path)), before, name)

    def test_name_that_is_taken_stays(self):
        command('untrack')
        self.write(module_reloader='mine = 1\n', m=F1)
        self.load('m')
        command('track')
        self.assertEqual(self.load('module_reloader').mine, 1)
        command('untrack')
        self.assertEqual(sys.modules['module_reloader'].mine, 1)


class Package(Program):
    """Imported by a program at start-up, as the original package."""

    def check(self, text):
        self.write(m='X = 1\n' + F1, script='import sys, os\nsys.path[:0] = [%r, %r]\nimport logging\n'
                   'before = len(logging.root.handlers)\nfrom module_reloader import *\nimport module_reloader\n'
                   'import m\ndef edit(t):\n    with open(m.__file__, "w") as s: s.write(t)\n%s\nprint("fine")\n'
                   % (PAYLOAD, self.folder, text))
        found = subprocess.run([sys.executable, '-B', '-W', 'error', self.path('script.py')], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        self.assertEqual(found.stdout.decode(), 'fine\n', found.stdout.decode())

    def test_names(self):
        self.check('''
assert before == len(logging.root.handlers)
assert sys.meta_path[0].__class__ is CustomImportFinder
info = loaded_modules['m']
assert isinstance(info, LoadedModuleInfo) and info.module_name == 'm' and info.path == m.__file__ and info.load_time
assert 'm' in [one.module_name for one in get_loaded_modules()]
assert not [one for one in get_loaded_modules() if 'module_reloader' in one.module_name], get_loaded_modules()
assert get_stale_modules() == []
f = m.f
edit('X = 2\\ndef f(): return 2\\n')
assert get_stale_modules() == ['m'], get_stale_modules()
assert reload_stale_modules() == ['m']
assert (f(), m.X, get_stale_modules()) == (2, 2, [])
edit('X = 3\\ndef f(): return 3\\n')
assert reload_module('m') is m and f() == 3
edit('X = 3\\ndef f(): return 4\\n')
assert reload_module_by_path(m.__file__) is m and f() == 4
os.chdir(os.path.dirname(m.__file__))
edit('X = 3\\ndef f(): return 5\\n')
reload_module_by_path('./m.py')
assert f() == 5
before = loaded_modules['m'].load_time
reload_module('m')
assert loaded_modules['m'].load_time > before
update_module_load_time('m')
track_module(m.__spec__)
''')

    def test_errors_reach_the_caller(self):
        self.check('''
edit('X = (\\n')
for call in (reload_stale_modules, lambda: reload_module('m'), lambda: reload_module('nothing')):
    try: call()
    except Exception as e: assert str(e), e
    else: raise SystemExit('no error')
edit('X = 5\\nraise LookupError(1)\\n')
try: reload_module('m')
except LookupError: pass
assert m.X == 1
''')

    def test_shared_with_mr_attach(self):
        self.check('''
sys.path.insert(0, %r)
from harness import command
edit('X = 2\\ndef f(): return 2\\n')
a = command('reload-stale')
assert a['error'] is None, a
assert m.f() == 2 and get_stale_modules() == []
edit('X = 2\\ndef f(): return 3\\n')
reload_stale_modules()
assert [one['modules'] for one in command('history')['history']] == [['m'], ['m']]
assert sys.modules['module_reloader'] is module_reloader
command('untrack')
assert sys.modules['module_reloader'] is module_reloader
assert any(type(one) is CustomImportFinder for one in sys.meta_path)
''' % os.path.dirname(os.path.abspath(__file__)))


if __name__ == '__main__':
    unittest.main()

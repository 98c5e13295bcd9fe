# SPDX-License-Identifier: MIT
"""The rules of a reload that are no single case: all or nothing, staleness by content, bad input."""
import os
import stat
import subprocess
import sys
import unittest

from harness import Program, command

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

    def test_what_cannot_be_put_back_is_told(self):
        text = 'L = []\ndef add(x):\n    L.append(x)\n    return x\nA = 1\nL.append(1)\nB = add(1)\nC = add\n'
        self.write(t=text)
        t = self.load('t')
        new = text.replace('1', '2')
        self.write(t=new + 'add(None).x\n')
        answer = self.attempt()
        self.assertEqual((answer['status'], t.A, t.B, t.L), (1, 1, 1, [1, 1, 2, 2, None]))
        self.assertEqual(answer['notes'], ['not taken back: what these did besides binding names: line 6, line 7, line 9 of t'])
        self.write(t=new)
        self.reload()
        self.assertEqual(command('undo')['notes'], ['not taken back: what these did besides binding names: line 6, line 7 of t'])
        self.write(t=text.replace('A = 1', 'A = 3') + 'X = 1 / 0\n')
        self.assertEqual((self.attempt()['notes'], t.A), ([], 1))

    def test_class_is_put_back(self):
        self.write(m='class K:\n    x = 1\n    def a(self): return 1\n')
        m = self.load('m')
        before = dict(m.K.__dict__)
        self.write(m='class K:\n    x = 2\n    y = 3\n    def a(self, b=1): return 2\nraise ValueError\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual(dict(m.K.__dict__), before)
        self.assertEqual(m.K().a(), 1)

    def test_a_new_that_is_taken_back(self):
        """CPython goes on as if a class had the __new__ that was taken out of it, and object's takes no arguments."""
        text = 'class K:\n%s    def __init__(self, a): self.a = a\nclass O:\n    def __new__(cls, a): return object.__new__(cls)\n' \
            'class S(K, O): pass\n'
        self.write(m=text % '')
        m = self.load('m')
        new = text % '    def __new__(cls, a): return super().__new__(cls, *[a][:super().__new__ is not object.__new__])\n'
        self.write(m=new)
        self.reload()
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((m.K(1).a, m.S(2).a), (1, 2))
        self.assertRaises(TypeError, m.K)
        self.write(m=new + 'm.x\n')
        self.assertEqual(self.attempt()['status'], 1)
        self.assertEqual((m.K(1).a, m.S(2).a), (1, 2))
        self.write(m=new)
        self.reload()
        self.write(m=text % '')
        self.reload()
        self.assertEqual((m.K(1).a, m.S(2).a, self.entry(self.attempt('m'))['state']), (1, 2, 'unchanged'))

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

    def test_modules_that_came_leave_again(self):
        self.write(m='X = 1\n' + F1, p__init='', p__old='', other='')
        m, p, other = self.load('m', 'p', 'other')
        self.write(fresh='import fresher\n', fresher='', p__new='', used='import used_too\ndef f(): pass\n', used_too='',
                   m='X = 2\nimport fresh, p.new, used\nfrom p import old\nHOOK()\nraise ValueError\n' + F2)
        names = {'fresh', 'fresher', 'p.new', 'p.old', 'used', 'used_too'}
        before = dict(vars(p))
        m.HOOK = lambda: setattr(other, 'f', sys.modules['used'].f)       # as another thread might
        self.refused(self.attempt(), 'exception')
        self.assertEqual((names & set(sys.modules), vars(p), m.X, m.f()), ({'used', 'used_too'}, before, 1, 1))
        for name in ('used', 'used_too'):
            del sys.modules[name]
        del other.f
        self.write(m='X = 2\nimport fresh, p.new, used\n' + F2)
        self.reload()
        self.assertEqual(names - set(sys.modules), {'p.old'})
        other.used = m.used
        answer = command('undo')
        self.assertEqual((names & set(sys.modules), vars(p), m.X, hasattr(m, 'used')), ({'used', 'used_too'}, before, 1, False))
        self.assertEqual([one.rpartition(' ')[2] for one in self.entry(answer)['warnings']], ['used', 'used_too'])

    def test_refused_class_keeps_the_others(self):
        text = 'class M(type):\n    def __new__(m, *a): return type.__new__(m, *a)\nclass K(metaclass=M):\n    x = %d\n'
        self.write(a=F1, b=text % 1)
        a, b = self.load('a', 'b')
        self.write(a=F2, b=text % 2)
        error = self.refused(self.attempt(), 'refused')
        self.assertIn('b.K', error['message'])
        self.assertIn('reload a', error['hint'])
        self.assertEqual((a.f(), b.K.x), (1, 1))
        self.reload('a')
        self.assertEqual(a.f(), 2)


    def test_a_stale_dependency_that_was_not_named(self):
        self.write(d=F1, other=F1, m='from d import f\n')
        for name in ('d', 'other', 'm'):
            self.load(name)
        self.write(d=F1 + 'def g(): return 2\n', m='from d import f, g\n')
        error = self.refused(self.attempt('m'), 'exception')
        self.assertEqual(error['hint'], 'reload-stale takes d too')
        self.write(m='raise ValueError\n')
        self.reload('d')
        self.assertIsNone(self.refused(self.attempt('m'), 'exception')['hint'])
        self.write(m='from d import f, g\n')
        self.reload()


class Staleness(Program):
    def names(self):
        return [one['name'] for one in command('stale')['modules']]

    def test_a_pyc_with_a_name_that_is_bound_twice(self):
        self.write(m='X = 1\nX = 2\n' + F1)
        m = self.load('m')
        self.assertEqual(self.entry(self.reload('m'))['baseline'], 'pyc')
        m.X = 3
        self.assertEqual(self.entry(self.reload('m', keep=['X']))['baseline'], 'none')

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

    def test_without_witness_other_things_are_compared_too(self):
        """What was said to be nothing stale, or broke the class."""
        sys.dont_write_bytecode = True
        text = 'import json as j\na, (b, *c) = 1, (2, 3, 4)\nclass E(Exception): pass\nclass G: pass\nclass K:\n' \
            '    def f(self): return 1\nclass K(K):\n    def f(self): return super().f() + 1\nclass P:\n    @property\n' \
            '    def x(self): return 1\n    @x.setter\n    def x(self, value): self.y = value\n'
        self.write(m=text)
        m = self.load('m')
        p, e = m.P(), m.E()
        self.write(m=text + '# a comment\n')
        self.assertEqual(self.entry(self.attempt('m'))['state'], 'unchanged')
        for old, new, told in (('json as', 'os as', 'm.j is'), ('3, 4)', '3, 5)', 'm.c is [3, 4], and the source says [3, 5]'),
                               ('(2, 3', '(5, 3', 'm.b is 2, and the source says 5')):
            self.write(m=text.replace(old, new))
            self.assertIn(told, self.refused(self.attempt('m'), 'undecided')['message'])
        self.write(m=text.replace('Exception', 'ValueError') + 'del a\n')
        self.assertIn('line 14: a may be there still: it was not run again', self.entry(self.reload('m'))['warnings'])
        self.assertTrue(isinstance(e, ValueError) or m.E is not type(e))
        self.assertEqual((m.K().f(), p.x), (2, 1))
        self.write(m=text[:text.index('    @x.setter')].replace('Exception', 'ValueError').replace('return 1\n', 'return 7\n'))
        self.reload('m', full=True)
        self.assertEqual(p.x, 7)

    def test_what_runs_is_not_said_to_be_left(self):
        sys.dont_write_bytecode = True
        self.write(m='k = object()\nj = object()\nX = 1\n')
        m = self.load('m')
        k = m.k
        self.write(m='k = object()\nj = object()\nX = 2\n')
        entry = self.entry(self.reload('m', reinit=['k'], keep=['X']))
        self.assertEqual([one[:9] for one in entry['warnings']], ['line 2: j'])
        self.assertEqual(self.entry(self.reload('m', full=True))['warnings'], [])
        self.assertEqual((m.k is k, m.X), (False, 2))

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

    def test_a_loop_that_may_be_new_is_named(self):
        sys.dont_write_bytecode = True
        for loop in ('while True: pass\n', 'while True:\n    raise ValueError\n', 'for one in (): pass\n'):
            sys.modules.pop('m', None)
            self.write(m='one = 1\n' + F1)
            self.load('m')
            self.write(m='one = 1\n' + F1 + loop)
            entry = self.entry(self.reload('m'))
            self.assertEqual([text.partition(':')[0] for text in entry['warnings']], ['line 3'], loop)

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
        for data, code, line in ((b'\n\0\1\2', 'not-text', 2), (b'\nx = "\xff"\n', 'not-text', 2),
                                 (b'# coding: nonsense\n', 'syntax-error', 1)):
            with open(self.path('m.py'), 'wb') as out:
                out.write(data)
            error = self.refused(self.attempt(), code)
            self.assertEqual((error['module'], error['line']), ('m', line))
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
        only = self.load('only')
        self.refused(self.attempt('sys'), 'no-source')
        self.assertEqual([one['state'] for one in command('list')['modules'] if one['name'] == 'only'], ['fresh'])
        for text, value in (('X = 1\n' + F2, 1), (F2, 2), ('def f(): return 3\n', 3), ('X = 1\ndef f(): return 4\n', 3)):
            self.write(m=text)
            py_compile.compile(self.path('m.py'), self.path('only.pyc'))
            if 'X' in text:                  # nothing says how to run it
                self.assertIn('no source', self.refused(self.attempt('only'), 'refused')['message'])
            else:
                self.assertEqual(self.entry(self.reload('only'), 'only')['state'], 'reloaded')
            self.assertEqual((only.f(), hasattr(only, 'X')), (value, False))
        with open(self.path('only.pyc'), 'wb') as out:
            out.write(b'nothing')
        self.refused(self.attempt('only'), 'no-source')

    def test_zip(self):
        import zipfile

        def pack(method, **files):
            """As a deployment does it: another file takes the place."""
            with zipfile.ZipFile(self.path('next.zip'), 'w', method) as archive:
                for name, text in files.items():
                    archive.writestr(name.replace('__', '/', 1) + '.py', text)
            os.rename(self.path('next.zip'), self.path('z.zip'))
        pack(zipfile.ZIP_DEFLATED, inzip='from zp import late\n' + F1, zp____init__='', zp__late='X = 1\n')
        sys.path.insert(0, self.path('z.zip'))
        self.addCleanup(sys.path.remove, self.path('z.zip'))
        m, held = self.load('inzip'), self.load('inzip').f
        self.assertEqual(self.entry(self.reload('inzip'), 'inzip')['state'], 'unchanged')
        pack(zipfile.ZIP_STORED, filler='#' * 5000, inzip='# longer\nfrom zp import late\n' + F2, zp____init__='', zp__late='X = 1\n')
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['inzip'])
        self.reload()
        self.assertEqual((m.f(), held(), m.f.__code__.co_firstlineno), (2, 2, 3))
        self.assertEqual(command('stale')['modules'], [])
        pack(zipfile.ZIP_DEFLATED, inzip='def f(:\n')
        self.assertEqual(self.refused(self.attempt('inzip'), 'syntax-error')['module'], 'inzip')
        pack(zipfile.ZIP_DEFLATED, other='')
        self.refused(self.attempt('inzip'), 'missing-source')
        with open(self.path('z.zip'), 'wb') as out:
            out.write(b'no archive')
        self.refused(self.attempt('inzip'), 'unreadable-source')
        os.unlink(self.path('z.zip'))
        self.refused(self.attempt('inzip'), 'missing-source')
        self.assertEqual(m.f(), 2)

    def test_huge(self):
        self.write(m='x = 1\n' * 200000)
        self.refused(self.attempt('m'), 'too-large')


if __name__ == '__main__':
    unittest.main()

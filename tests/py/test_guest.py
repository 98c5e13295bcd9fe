# SPDX-License-Identifier: MIT
"""The engine as a guest: what it does not touch, `__main__`, tracking, and the package that a program imports itself."""
import gc
import os
import subprocess
import sys
import unittest

from harness import PAYLOAD, Block, Program, command, request

F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'


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
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        self.write(m='X = 2\nwhile True: pass\n' + F2)
        answer = Block(request('reload-stale')).run_until_interrupted(1)
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

    def test_a_second_one_raises_while_it_is_put_back(self):
        """What ended the work is told, not what ended the telling of it."""
        self.write(m='VERSION = 1\n')
        self.load('m')
        self.write(m='VERSION = 1 // 0\n')
        raised, before = [], sys.gettrace()

        def tracer(frame, event, arg):
            code = frame.f_code
            if not raised and code.co_name == '__init__' and code.co_filename.endswith('/transaction.py') and \
                    'lost' in code.co_varnames:
                raised.append(code.co_filename)
                raise SystemExit('a handler of the program')
        sys.settrace(tracer)
        try:
            answer = self.attempt()
        finally:
            sys.settrace(before)
        self.assertEqual(len(raised), 1)
        self.assertIn('ZeroDivisionError', answer['error']['message'])
        self.assertEqual(sys.modules['m'].VERSION, 1)

    def test_on_stack_refuse(self):
        self.write(m='def f(go):\n    go()\n    return 1\n')
        m = self.load('m')
        found = []

        def go():
            self.write(m='def f(go):\n    go()\n    return 2\n')
            found.append(self.attempt(on_stack='refuse'))
        self.assertEqual(m.f(go), 1)
        error = self.refused(found[0], 'on-stack')
        self.assertEqual((error['module'], error['line'], error['message']), ('m', 2, 'm.f is running in thread MainThread, line 2'))
        self.assertEqual([one['function'] for one in self.entry(found[0])['running_old']], ['m.f'])
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

    def test_no_bytecode_runs_while_warnings_look_through_their_filters(self):
        """Else another thread has a turn in the middle, steps over one when ours goes away, and is warned of what it ignores."""
        import warnings
        self.write(m='def f(): return "\\d"\n')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            self.load('m')
        self.write(m='def f(): return "\\d\\d"\n')
        called, before = [], sys.gettrace()
        sys.settrace(lambda frame, event, arg: called.append((os.path.basename(frame.f_code.co_filename), frame.f_code.co_name)))
        try:
            self.reload()
        finally:
            sys.settrace(before)
        self.assertIn(('host.py', 'silently'), called)
        self.assertNotIn(('host.py', 'match'), called)

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

    @unittest.skipUnless(hasattr(sys, 'monitoring'), 'sys.monitoring is of 3.12')
    def test_monitored_code_stays_so(self):
        monitoring, seen = sys.monitoring, []
        self.write(m='def f(): return 1\ndef g(): return 1\n')
        m = self.load('m')
        monitoring.use_tool_id(3, 'a tool')
        try:
            monitoring.register_callback(3, monitoring.events.PY_START, lambda code, offset: seen.append(code.co_name))
            monitoring.set_local_events(3, m.f.__code__, monitoring.events.PY_START)
            self.write(m='def f(): return 2\ndef g(): return 2\n')
            self.reload()
            self.assertEqual((m.f(), m.g(), seen), (2, 2, ['f']))
        finally:
            monitoring.free_tool_id(3)

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

    def load_by(self, kind):
        import importlib.util
        sys.dont_write_bytecode = True
        spec = importlib.util.spec_from_file_location('m', self.path('m.py'), loader=kind('m', self.path('m.py')))
        m = importlib.util.module_from_spec(spec)
        sys.modules['m'] = m
        spec.loader.exec_module(m)
        return m

    def test_own_source_to_code(self):
        import importlib.machinery

        class Loader(importlib.machinery.SourceFileLoader):
            def source_to_code(self, data, path, *more, **options):
                return compile(data.replace(b'MAGIC', b'"magic"'), path, 'exec', dont_inherit=True)
        self.write(m='X = MAGIC\ndef f(): return 1, MAGIC\n')
        m = self.load_by(Loader)
        self.write(m='X = MAGIC\ndef f(): return 2, MAGIC\n')
        command('track')
        self.reload()
        self.assertEqual(m.f(), (2, 'magic'))
        self.write(m='X = MAGIC, 2\ndef f(): return 2, MAGIC\n')
        self.assertIn('transforms', self.refused(self.attempt(), 'refused')['message'])
        self.write(m='X = 1\ndef f(): return 3\n')     # of this it makes what Python makes
        self.reload()
        self.assertEqual((m.X, m.f()), (1, 3))

    def test_own_get_data(self):
        import importlib.machinery

        class Loader(importlib.machinery.SourceFileLoader):
            def get_data(self, path):
                with open(path, 'rb') as stream:
                    return stream.read().replace(b'MAGIC', b'"magic"')
        self.write(m='def f(): return 1, MAGIC\n')
        m = self.load_by(Loader)
        self.assertEqual(command('track')['notes'], [])
        self.write(m='X = MAGIC\ndef f(): return 2, MAGIC\n')
        self.reload()
        self.assertEqual((m.X, m.f()), ('magic', (2, 'magic')))

    def test_a_way_of_its_own(self):
        import importlib.machinery

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, name):
                return compile(self.get_data(self.path).replace(b'MAGIC', b'"magic"'), self.path, 'exec')
        self.write(m='def f(): return 1, 1\n')
        m = self.load_by(Loader)
        self.write(m='def f(): return 1, 1  # MAGIC\n')
        self.reload()                        # nothing is stale
        self.write(m='def f(): return 2, "MAGIC"\n')
        self.assertIn('way of its own', self.entry(command('stale'))['warnings'][0])
        error = self.refused(self.attempt(), 'refused')
        self.assertIn('get_code', error['message'])
        self.assertEqual(m.f(), (1, 1))
        self.reload(force=True)
        self.assertEqual(m.f(), (2, 'MAGIC'))


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

    def interrupted_at(self, m, number, name=None):
        """Reload, with the interrupt of the work time-out at the line event NUMBER of ours, or of our functions called NAME: (answer,
        how many there were).
        """
        now, count, before = m.f(), [0], sys.gettrace()
        self.write(m='X = %d\nD = {1: %d}\ndef f(): return %d\n' % ((now + 1,) * 3) + '#' * (now % 90))

        def tracer(frame, event, arg):
            if not frame.f_code.co_filename.startswith('<mr-attach'):
                return None
            if event == 'line' and name in (None, frame.f_code.co_name):
                count[0] += 1
                if count[0] == number:
                    block.put(128, 1)
                    raise KeyboardInterrupt
            return tracer
        block = Block(request('reload-stale'))
        sys.settrace(tracer)
        try:
            answer = block.run()
        finally:
            sys.settrace(before)
        where = 'line event %d: %s' % (number, answer['error'])
        self.assertIn((answer['status'], (answer['error'] or {}).get('code')), [(0, None), (7, 'interrupted')], where)
        now += answer['status'] == 0
        self.assertEqual(((m.X, m.f()), m.D), ((now, now), {1: now}), where)
        return answer, count[0]

    def test_interrupted_at_any_line(self):
        """All of it is done and the answer says so, or nothing; and nothing is left as it is only while we are at work."""
        self.write(m='X = 1\nD = {1: 1}\n' + F1)
        m, interval, said = self.load('m'), sys.getswitchinterval(), set()
        self.interrupted_at(m, 0)
        last = self.interrupted_at(m, 0)[1]
        for number in sorted(set(range(1, last, last // 10)) | set(range(last - last // 4, last, last // 60))):
            said.add(self.interrupted_at(m, number)[0]['status'])
            self.assertEqual(sys.getswitchinterval(), interval, number)
            self.assertTrue(gc.isenabled(), number)
        self.assertEqual(said, {0, 7})

    def test_interrupted_when_nothing_of_ours_was_there(self):
        """What was done is remembered: the next reload knows what runs.  When nothing was done, nothing of ours stays."""
        said = []
        for name, number in (('load', 9), ('part', 90), ('run', 20), ('left_out', 1), ('__exit__', 1), ('name_is_free', 3)):
            self.write(m='X = 1\nD = {1: 1}\n' + F1)
            m = self.load('m')
            command('untrack')
            said.append(self.interrupted_at(m, number, name)[0]['status'])
            left = [one for one in sys.modules if '_mr_attach' in one]
            if said[-1] == 0:
                self.interrupted_at(m, 0)
                self.assertEqual(m.X, 3, name)
            else:
                self.assertEqual(left, [], name)
            del sys.modules['m']
        self.assertEqual(said, [7, 7, 7, 0, 0, 0])


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Sources and modules that are not what a reload expects: it says what, and the process is as before."""
import importlib
import importlib.machinery
import os
import sys
import types
import unittest

from harness import Program, command

F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'


class Sources(Program):
    def test_edited_while_it_is_read(self):
        self.write(m=F1)
        m = self.load('m')
        self.write(m=F2)
        command('stale')
        sources = sys.modules['_mr_attach'].sources
        slurp, reads = sources.slurp, []

        def edit_while_reading(path):
            data = slurp(path)
            if path == self.path('m.py'):
                reads.append(path)
                self.write(m='def f(): return %d\n' % (100 + len(reads)))
            return data

        sources.slurp = edit_while_reading
        try:
            error = self.refused(self.attempt('m'), 'unreadable-source')
            self.assertIn('being written', error['message'])
            self.assertEqual((m.f(), len(reads)), (1, 5))
            reads[:] = [None] * 3
            sources.slurp = lambda path: edit_while_reading(path) if path == self.path('m.py') and len(reads) < 4 else slurp(path)
            self.reload('m')
            self.assertEqual(m.f(), 104)
        finally:
            sources.slurp = slurp

    def test_emptied_by_an_editor_that_has_not_written_yet(self):
        self.write(m=F1)
        m = self.load('m')
        command('stale')
        sources = sys.modules['_mr_attach'].sources
        quiet, rest, rests = sources.QUIET, sources.host.rest, []

        def write_meanwhile(seconds):
            rests.append(seconds)
            self.write(m=F2)
            os.utime(self.path('m.py'), (1e9, 1e9))

        self.write(m='')
        sources.QUIET, sources.host.rest = 600.0, write_meanwhile
        try:
            self.reload('m')
            self.assertEqual((m.f(), len(rests)), (2, 1))
        finally:
            sources.QUIET, sources.host.rest = quiet, rest

    def test_edited_while_it_runs(self):
        self.write(m='X = 1\n' + F1)
        m = self.load('m')
        self.write(m='with open(__file__, "a") as out: out.write("Y = 5\\n")\n' + F2)
        entry = self.entry(self.reload())
        self.assertIn('the source has changed again meanwhile', entry['warnings'])
        self.assertEqual((m.f(), hasattr(m, 'Y')), (2, False))
        self.reload()
        self.assertEqual(m.Y, 5)

    def test_a_folder_in_its_place(self):
        self.write(m=F1)
        m = self.load('m')
        os.unlink(self.path('m.py'))
        os.mkdir(self.path('m.py'))
        self.assertIn('not a regular file', self.refused(self.attempt(), 'unreadable-source')['message'])
        self.write(**{'m__init': F2})        # and a package of that name is another file
        self.assertIn('not a regular file', self.refused(self.attempt('m'), 'unreadable-source')['message'])
        self.assertEqual(m.f(), 1)

    def test_became_a_package(self):
        self.write(m=F1)
        m = self.load('m')
        os.unlink(self.path('m.py'))
        self.write(m__init=F2)
        self.refused(self.attempt('m'), 'missing-source')
        self.assertEqual((m.f(), self.entry(self.reload())['state']), (1, 'skipped'))

    def test_of_another_version(self):
        self.write(m='X = 1\n' + F1, n=F1)
        m, n = self.load('m', 'n')
        for text in ('X = 2\nprint "two"\n', 'X = 2\nmatch X with\n', 'X = 2\ndef f(a, a): pass\n'):
            self.write(m=text, n=F2)
            error = self.refused(self.attempt(), 'syntax-error')
            self.assertEqual((error['module'], error['line']), ('m', 2))
            self.assertIn('m.py:2)', self.entry(command('stale'))['warnings'][0])
            self.assertEqual((m.X, m.f(), n.f()), (1, 1, 1))

    def test_50000_lines(self):
        lines = ['x%d = %d' % (number, number) for number in range(50000)]
        lines[25000] = 'def f(): return x1'
        self.write(m='\n'.join(lines))
        m = self.load('m')
        lines[25000], lines[40000] = 'def f(): return x1 + 1', 'x40000 = -1'
        self.write(m='\n'.join(lines))
        entry = self.entry(self.reload('m', force=True, work_timeout=120.0))
        self.assertEqual((m.f(), m.x40000, entry['changed']), (2, -1, ['f', 'x40000']))


class Modules(Program):
    def test_namespace_that_raises(self):
        class Closed(types.ModuleType):
            @property
            def __dict__(self):
                raise RuntimeError('closed')

            def __getattribute__(self, name):
                raise RuntimeError(name)

            def __setattr__(self, name, value):
                raise RuntimeError(name)

        self.write(m=F1)
        m = self.load('m')
        namespace = m.__dict__
        m.__class__ = Closed
        self.write(m=F2 + 'X = 3\n')
        try:
            self.assertEqual(self.entry(command('stale'))['state'], 'stale')
            self.reload()
            self.assertEqual((namespace['f'](), namespace['X']), (2, 3))
            self.assertEqual(command('undo')['status'], 0)
            self.assertEqual((namespace['f'](), 'X' in namespace), (1, False))
        finally:
            object.__setattr__(m, '__class__', types.ModuleType)

    def test_metaclass_that_forbids_changes(self):
        text = ('class M(type):\n    def __setattr__(cls, name, value): raise TypeError(name)\n'
                '    def __delattr__(cls, name): raise TypeError(name)\n'
                'class K(metaclass=M):\n    x = 1\n    y = 1\n    def a(self): return 1\n')
        self.write(m=text)
        m = self.load('m')
        k = m.K()
        self.write(m=text.replace('x = 1\n    y = 1', 'x = 2').replace('return 1', 'return 2'))
        self.reload()
        self.assertEqual((k.x, hasattr(k, 'y'), k.a(), m.K().a()), (2, False, 2, 2))
        command('undo')
        self.assertEqual((k.x, k.y, k.a()), (1, 1, 1))

    def test_metaclass_that_compares(self):
        text = ('class M(type):\n    def __eq__(cls, other): raise RuntimeError\n    def __hash__(cls): raise RuntimeError\n'
                'class K(metaclass=M):\n    x = 1\n    def a(self): return 1\nk, ks = K(), [K()]\n')
        self.write(m=text)
        m = self.load('m')
        for name in ('list', 'stale', 'track'):
            self.assertEqual(command(name)['status'], 0)
        self.write(m=text.replace('= 1', '= 2').replace('return 1', 'return 2'))
        self.reload()
        self.assertEqual((m.k.x, m.ks[0].a()), (2, 2))
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((m.k.x, m.ks[0].a()), (1, 1))

    def test_attributes_that_compare(self):
        class Hostile:
            def __eq__(self, other):
                raise RuntimeError('compared')

        self.write(m=F1, n=F1)
        m, n = self.load('m', 'n')
        n.__name__ = n.__spec__.origin = Hostile()
        self.write(m=F2)
        self.assertEqual([command(name)['status'] for name in ('list', 'stale', 'track')], [0, 0, 0])
        self.reload()
        self.assertEqual(m.f(), 2)

    def test_main_of_no_file(self):
        module = sys.modules['m'] = types.ModuleType('m')
        module.__loader__ = importlib.machinery.BuiltinImporter      # as in `python -c`
        self.assertIn('not loaded from a file', self.refused(self.attempt('m'), 'no-source')['message'])
        self.assertIn('built into', self.refused(self.attempt('sys'), 'no-source')['message'])

    def test_entries_that_are_no_modules(self):
        class Hostile:
            def __getattribute__(self, name):
                raise RuntimeError(name)

        odd = {'odd_none': None, 'odd_number': 7, 'odd_hostile': Hostile(), 'odd_class': Hostile, 'odd_dict': {}, 5: None}
        sys.modules.update(odd)
        self.write(m=F1)
        m = self.load('m')
        self.write(m=F2)
        try:
            for name in ('list', 'stale', 'track'):
                self.assertEqual(command(name)['status'], 0)
            self.reload()
            self.assertEqual(m.f(), 2)
            for name in odd:
                self.assertIs(sys.modules[name], odd[name])
        finally:
            for name in odd:
                sys.modules.pop(name, None)


STANDIN = '''
import importlib, importlib.util, logging, os, sys, time
loaded_modules = {}
class CustomImportFinder:
    def find_spec(self, name, path, target=None):
        for finder in sys.meta_path[1:]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                loaded_modules[name] = time.time()
                return spec
def reload_module(name):
    importlib.reload(sys.modules[name])
    loaded_modules[name] = time.time()
def get_stale_modules():
    return [name for name, when in loaded_modules.items() if os.path.getmtime(sys.modules[name].__file__) > when]
sys.meta_path.insert(0, CustomImportFinder())
'''


class Original(Program):
    """A program that already has the package that this one descends from."""

    def test_it_goes_on(self):
        self.write(module_reloader=STANDIN)
        original = self.load('module_reloader')
        self.write(m=F1, n='from m import f\n')
        n, m = self.load('n', 'm')
        seen, finders, f = dict(original.loaded_modules), list(sys.meta_path), m.f
        self.assertEqual(set(seen), {'m', 'n'})
        self.write(m='X = 1\n' + F2)
        self.reload()
        self.assertEqual((m.f(), n.f(), f()), (2, 2, 2))
        self.assertIs(sys.modules['module_reloader'], original)
        self.assertEqual((original.loaded_modules, sys.meta_path), (seen, finders))
        command('undo')
        self.assertEqual(f(), 1)
        self.write(m='def f(): return 33\n')
        importlib.invalidate_caches()
        original.reload_module('m')          # its own way: a new function
        self.assertEqual((m.f(), f()), (33, 1))
        self.write(m='def f(): return 444\n')
        self.reload()
        self.assertEqual(m.f(), 444)

    def test_tracking_beside_it(self):
        self.write(module_reloader=STANDIN)
        original = self.load('module_reloader')
        finders = list(sys.meta_path)
        self.assertEqual(command('track')['status'], 0)
        self.assertEqual(sys.meta_path, finders)         # two of them would ask each other without end
        self.write(m='X = 1\n')
        m = self.load('m')
        self.assertIn('m', original.loaded_modules)
        self.write(m='X = 2\n')
        self.reload()
        self.assertEqual(m.X, 2)
        command('untrack')
        self.assertEqual(sys.meta_path, finders)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""The options of a reload: what each makes different."""
import shutil
import sys
import unittest
from unittest import mock

from harness import Program, command

F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'


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

    def test_keep_in_classes(self):
        text = 'X = %d\nclass K:\n    x = %d\n    y = %d\n    class N:\n        z = %d\n    def f(self): return %d\n'
        for keep, found in (('K.x', (2, 1, 2, 2, 2)), ('m.K', (2, 1, 1, 1, 2)), ('K.N', (2, 2, 2, 1, 2)), ('K.N.z', (2, 2, 2, 1, 2)),
                            ('X', (1, 2, 2, 2, 2))):
            self.write(m=text % (1, 1, 1, 1, 1))
            m = self.load('m')
            self.write(m=text % (2, 2, 2, 2, 2))
            for dry_run in (True, False):
                said = self.entry(self.reload(keep=[keep], dry_run=dry_run))['warnings']
                self.assertEqual({one.split(' was ')[1] for one in said}, {'not run: --keep ' + keep.replace('m.', '')})
            self.assertEqual((m.X, m.K.x, m.K.y, m.K.N.z, m.K().f()), found)
            del sys.modules['m']

    def test_keep_of_what_left_a_class(self):
        self.write(m='class K:\n    x = 1\n    y = 1\n')
        m = self.load('m')
        self.write(m='class K:\n    pass\n')
        self.assertEqual(self.entry(self.reload(keep=['K.x']))['removed'], ['K.y'])
        self.assertEqual((m.K.x, hasattr(m.K, 'y')), (1, False))

    def test_keep_of_a_class_that_could_not_follow(self):
        text = 'X = %d\nclass Meta(type):\n    def __new__(*args): return type.__new__(*args)\nclass K(metaclass=Meta):\n    x = %d\n'
        self.write(m=text % (1, 1))
        m = self.load('m')
        self.write(m=text % (2, 2))
        self.refused(self.attempt(), 'refused')
        self.reload(keep=['K'])
        self.assertEqual((m.X, m.K.x), (2, 1))

    def test_keep_of_a_member_of_what_is_built_anew(self):
        text = 'import enum\nclass E(enum.Enum):\n    A = %d\n    B = %d\n'
        self.write(m=text % (1, 2))
        m = self.load('m')
        self.write(m=text % (3, 4))
        self.assertIn('--keep E leaves', self.refused(self.attempt(keep=['E.A']), 'refused')['message'])
        self.reload(keep=['E'])
        self.assertEqual((m.E.A.value, m.E.B.value), (1, 2))

    def test_code_is_not_kept(self):
        self.write(m=F1)
        m = self.load('m')
        self.write(m=F2)
        self.assertEqual(self.entry(self.reload(keep=['f']))['warnings'], ['--keep f keeps no code: that of functions follows all the same'])
        self.assertEqual(m.f(), 2)

    def test_names_that_nothing_has(self):
        self.write(m='X = {}\n', n='Y = 1\nclass K: y = 1\n')
        m, n = self.load('m', 'n')
        for option in ('keep', 'reinit'):
            self.assertEqual(self.reload(**{option: ['mistyped']})['notes'][0][:2], '--')
            self.write(m='X = {}  # touched\nZ = 1\n')
            for name in ('mistyped', 'm.mistyped', 'K.mistyped', 'n.mistyped.y'):
                answer = self.attempt(**{option: [name]})
                self.assertEqual(self.refused(answer, 'refused')['message'], '--%s %s: no module has this name' % (option, name))
            self.assertFalse(hasattr(m, 'Z'))
            said = self.reload(**{option: ['n.Y', 'Z', 'X', 'K.y']})['notes']
            self.assertEqual(said, [] if option == 'keep' else ['--reinit %s: no statement of the modules to reload binds this name'
                                                                % name for name in ('n.Y', 'K.y')])
            self.write(m='X = {}\n')
            self.reload()
        self.assertEqual((m.X, n.Y), ({}, 1))

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

    def test_what_would_have_stayed_is_no_reason(self):
        text = 'import enum\nclass S:\n    __slots__ = "%s",\nclass T:\n    __slots__ = "%s",\nclass E(enum.IntEnum):\n    A = %d\n'
        self.write(m=text % ('a', 'a', 1))
        self.load('m')
        self.write(m=text % ('b', 'b', 2))
        for dry_run in (True, False):
            answer = self.attempt(dry_run=dry_run)
            self.assertIn('E.A', self.refused(answer, 'refused')['message'])
            self.assertEqual(self.entry(answer)['kept_old'], [])

    def test_names_that_are_deleted_below(self):
        text = 'W = 1\nfor n in %s:\n    globals()[n] = 1\n%s'
        self.write(m=text % ('"a"', 'del n\n'))
        m = self.load('m')
        for after, gone in (('del n\n', []), ('del n\ndel W\n', ['W'])):
            self.write(m=text % ('"abc"', after))
            dry, entry = self.entry(self.reload(dry_run=True)), self.entry(self.reload())
            self.assertEqual((entry['added'], entry['removed'], hasattr(m, 'n')), ([], gone, False))
            self.assertEqual((dry['added'], dry['removed']), ([], gone))

    def test_private_names_are_told_as_the_source_has_them(self):
        self.write(m='class _K:\n    __x = 1\n    def __m(self, a=1): return 1\n    def __n(self): pass\n')
        self.load('m')
        self.write(m='class _K:\n    __x = 2\n    def __m(self, a=len("ab")): return 2\n    def __o(self): pass\n')
        for dry_run in (True, False):
            entry = self.entry(self.reload(dry_run=dry_run))
            self.assertEqual([entry[key] for key in ('changed', 'added', 'removed')], [['_K.__m', '_K.__x'], ['_K.__o'], ['_K.__n']])

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
        self.write(b='X = 1\n', a='import b\nfrom b import X\nY = b.X + 1\nZ = X\nL = lambda a=X: a\nM = lambda: X\n'
                   'def n(f): return lambda g: g\n@n(X)\ndef d(): pass\n@n\ndef e(a: X): pass\n')
        self.load('b', 'a')
        self.write(b='X = 10\n')
        derived = self.entry(self.reload(), 'b')['derived']
        self.assertEqual([(one['module'], one['name'], one['line']) for one in derived[:3]], [('a', 'Y', 3), ('a', 'Z', 4), ('a', 'L', 5)])
        self.assertEqual([one['name'] for one in derived[3:]], ['d', 'e'])

    def test_what_left_and_came_again_is_named_whole(self):
        self.write(m='class K:\n    def a(self): return 1\n')
        bound = self.load('m').K().a
        self.write(m='class K:\n    pass\n')
        self.reload()
        self.write(m='class K:\n    x = 1\n    def a(self): return 2\n')
        entry = self.entry(self.reload())
        self.assertEqual(bound(), 1)
        self.assertEqual([one['name'] for one in entry['kept_old']], ['K.a'])

    def test_a_method_of_another_kind_is_named(self):
        self.write(m='class K:\n    def m(self): return 1\n')
        m = self.load('m')
        held = m.K().m
        self.write(m='class K:\n    @classmethod\n    def m(cls): return 2\n')
        kept = self.entry(self.reload())['kept_old']
        self.assertEqual([(one['name'], one['reason'].split(':')[0]) for one in kept], [('K.m', 'it is a classmethod now')])
        self.assertEqual((held(), m.K().m()), (1, 2))

    def test_derived_from_what_is_hidden_below(self):
        self.write(m='X = 1\nY = X\nX = 5\n')
        m = self.load('m')
        self.write(m='X = 2\nY = X\nX = 5\n')
        dry, real = self.entry(self.reload(dry_run=True)), self.entry(self.reload())
        self.assertEqual([one['name'] for one in real['derived']], ['Y'])
        self.assertEqual((m.X, m.Y, dry['derived']), (5, 1, real['derived']))

    def test_marks_that_decorators_left_are_named(self):
        text = 'def mark(f):\n    f.mark = 1\n    return f\n%sdef f(): return 1\nclass K:\n%s    def g(self): return 1\n'
        self.write(m=text % ('@mark\n', '    @mark\n'))
        self.load('m').f.mine = 1
        self.write(m=text % ('', ''))
        for options in ({'dry_run': True}, {}):
            self.assertEqual([one.replace('left alone, set by the program or by a decorator that is gone: ', '')
                              for one in self.entry(self.reload(**options))['warnings']], ['K.g: mark', 'f: mark, mine'])

    def test_undo_empties_caches(self):
        text = 'import functools\n@functools.lru_cache()\ndef f(): return %d\n'
        self.write(m=text % 1)
        m = self.load('m')
        m.f()
        self.write(m=text % 2)
        self.reload()
        self.assertEqual(m.f(), 2)
        command('undo')
        self.assertEqual(m.f(), 1)

    def test_all_changed(self):
        """Star imports follow __all__; a dry run knows it where it is a literal."""
        self.write(m='X = 1\nY = 2\n__all__ = ["X"]\n', n='from m import *\n')
        m, n = self.load('m', 'n')
        self.write(m='X = 1\nY = 2\n__all__ = ["Y"]\n')
        self.assertEqual(self.entry(self.reload(dry_run=True))['rebound'], ['n.X', 'n.Y'])
        self.assertEqual((n.X, hasattr(n, 'Y')), (1, False))
        self.assertEqual(self.entry(self.reload())['rebound'], ['n.X', 'n.Y'])
        self.assertEqual((hasattr(n, 'X'), n.Y), (False, 2))

    def test_a_star_import_gives_no_more_what_it_hid(self):
        self.write(n='A = 1\nX = 2\n', m='X = 1\nfrom n import *\n')
        command('track')
        m, _ = self.load('m', 'n')
        self.write(n='A = 1\n')
        entry = self.entry(self.reload(), 'n')
        self.assertEqual((m.X, [one['name'] for one in entry['kept_old']]), (2, ['m.X']))

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
        self.assertEqual([(one['name'], one['why']) for one in command('stale')['modules']], [('m', 'undone')])
        self.assertEqual(self.entry(self.reload(dry_run=True))['why'], 'undone')
        self.write(m='X = 2\nY = 4\n' + F2)
        self.assertEqual(self.entry(self.reload(dry_run=True))['why'], 'content')
        self.write(m='X = 2\nY = 3\n' + F2)
        self.assertEqual(self.entry(self.reload())['why'], 'undone')
        self.assertEqual((m.X, m.Y, command('stale')['modules']), (2, 3, []))

    def test_undo_leaves_what_the_program_changed(self):
        self.write(m='X = 1\nY = 1\n' + F1)
        m = self.load('m')
        self.write(m='X = 2\nY = 2\n' + F2)
        self.reload()
        m.X = 7
        self.assertEqual(self.entry(command('undo'))['warnings'], ['kept, because the program changed it since: X'])
        self.assertEqual((m.X, m.Y, m.f()), (7, 1, 1))

    def test_undo_knows_the_baseline_again(self):
        self.write(m='C = []\n' + F1)
        command('track')
        m = self.load('m')
        m.C.append(1)
        self.write(m='C = []\n' + F2)
        self.reload()
        self.assertEqual(command('undo')['status'], 0)
        shutil.rmtree(self.path('__pycache__'))
        self.write(m='C = []\nD = 1\n' + F2)
        self.assertEqual((self.entry(self.reload())['baseline'], m.C, m.f()), ('tracked', [1], 2))

    def test_how_much_is_kept(self):
        self.write(m='def f(): return 0\n')
        m = self.load('m')
        for number in range(1, 24):
            self.write(m='def f(): return %d\n' % number)
            self.reload()
        data = sys.modules['_mr_attach'].state
        self.assertEqual([len(data.STATE[name]) for name in ('journal', 'history')], [20, 23])
        for number in range(20):
            self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((m.f(), command('undo')['error']['code']), (3, 'refused'))
        with mock.patch.object(data, 'ROOM', 250000):
            for number in range(6):
                self.write(m='X = "%s"\n' % (str(number) * 30000))
                self.reload()
        self.assertEqual(len(data.STATE['journal']), 2)      # old and new value, and the source before
        self.assertGreater(data.STATE['journal'][-1]['bytes'], 90000)


    def test_undo_knows_what_runs(self):
        self.write(m='')
        m = self.load('m')
        for text in ('X = (1,)\n', ''):
            self.write(m=text)
            self.reload()
        command('undo')
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])
        self.write(m='X = (1,)\n')
        self.assertEqual(command('stale')['modules'], [])
        self.write(m='Y = 2\n')
        self.reload()
        self.assertEqual((hasattr(m, 'X'), m.Y), (False, 2))

    def test_undo_of_moved_lines(self):
        self.write(m='X = 1\n', n=F1)
        m, n = self.load('m', 'n')
        self.write(m='X = 2\n', n='\n\n' + F1)
        self.reload()
        self.assertEqual(n.f.__code__.co_firstlineno, 3)
        command('undo')
        self.assertEqual((m.X, n.f.__code__.co_firstlineno), (1, 1))


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""The engine as such: upgrades, one at a time, its own errors, what it knows of the process, what it says."""
import builtins
import difflib
import os
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from unittest import mock

from harness import BOOT, SOURCE, Program, command, other_engine

F1, F2, F3 = ('def f(): return %d\n' % number for number in (1, 2, 3))
NEWER = other_engine('state', lambda data: data + b'\n# newer\n')


class Upgrade(Program):
    def setUp(self):
        Program.setUp(self)
        command('untrack')

    def test_a_newer_engine_goes_on(self):
        self.write(m=F1)
        m = self.load('m')
        command('track')
        self.write(m='X = 1\n' + F2)
        self.reload()
        old = sys.modules['module_reloader']
        found = command('history', sent=NEWER)
        self.assertIsNone(found['error'])
        self.assertEqual([one['modules'] for one in found['history']], [['m']])
        self.assertIsNot(sys.modules['module_reloader'], old)
        self.assertEqual(sys.modules['module_reloader'].get_stale_modules(), [])
        self.write(m='X = 1\nY = 2\n' + F3)
        self.assertEqual(self.entry(self.reload(sent=NEWER))['baseline'], 'tracked')
        self.assertEqual((m.X, m.Y, m.f()), (1, 2, 3))
        for expected in ((1, False, 2), (None, False, 1)):
            self.assertIsNone(command('undo', sent=NEWER)['error'])
            self.assertEqual((m.__dict__.get('X'), hasattr(m, 'Y'), m.f()), expected)
        self.write(late=F1)
        self.load('late')
        late = [one for one in command('list', sent=NEWER)['modules'] if one['name'] == 'late']
        self.assertTrue(late[0]['exact'])
        command('untrack', sent=NEWER)
        self.assertEqual([name for name in sys.modules if 'mr_attach' in name or name == 'module_reloader'], [])
        self.assertEqual([one for one in sys.meta_path if type(one).__name__ == 'CustomImportFinder'], [])

    def test_an_engine_that_lacks_keys(self):
        self.write(m=F1)
        m = self.load('m')
        self.write(m=F2)
        self.reload()
        del sys.modules['_mr_attach'].state.STATE['tracked']
        self.assertIsNone(command('undo', sent=NEWER)['error'])
        self.assertEqual(m.f(), 1)

    def test_one_that_cannot_be_loaded_leaves_the_old_one(self):
        self.write(m=F1)
        m = self.load('m')
        self.write(m=F2)
        self.reload()
        broken = other_engine('state', lambda data: b'raise ValueError\n')
        self.assertEqual(command('history', sent=broken)['error']['code'], 'engine')
        self.assertIsNone(command('undo')['error'])
        self.assertEqual(m.f(), 1)


class Evidence(Program):
    """What is known of a module without a witness that was written just before the process began."""

    def program(self, text):
        self.write(script='import os, sys, time\nsys.path[:0] = [%r, %r]\nfrom harness import command\nimport m\n'
                   'def names(): return [one["name"] for one in command("stale")["modules"] if one["name"] == "m"]\n%s'
                   % (self.folder, os.path.dirname(os.path.abspath(__file__)), textwrap.dedent(text)))
        time.sleep(0.2)
        done = subprocess.run([sys.executable, '-B', self.path('script.py')], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout.decode(), 'fine\n')

    def test_written_just_before_the_start(self):
        self.write(m='HITS = [0]\n' + F1, n=F1)
        self.program("""
            import n
            m.HITS[0] = 5
            with open(n.__file__, "w") as out: out.write("def f(): return 2\\n")
            answer = command("reload-stale")
            assert answer["status"] == 0, answer
            assert n.f() == 2 and not names(), names()
            print("fine")
        """)

    def test_loaded_before_a_fork(self):
        self.write(m='RATE = 1\n' + F1)
        self.program("""
            with open(m.__file__, "a") as out: out.write("RATE = 2\\n")
            time.sleep(0.2)
            if not os.fork():
                found = names()
                if not os.fork():
                    os._exit(found != ["m"] or names() != ["m"])
                os._exit(os.wait()[1] != 0)
            print("fine" if os.wait()[1] == 0 else "the child does not see it")
        """)


class Says(Program):
    """What the answers say beside what was done."""

    def test_track_names_what_has_no_baseline(self):
        self.write(m=F1, n=F1)
        self.load('m', 'n')
        self.write(n=F2)
        notes = command('track')['notes']
        self.assertEqual([one for one in notes if 'no baseline for n:' in one], notes)
        self.assertEqual(len(notes), 1)

    def test_no_note_of_what_there_was_no_time_for(self):
        self.write(**{'site-packages__x': F1})
        sys.path.insert(0, self.path('site-packages'))
        self.addCleanup(sys.path.remove, self.path('site-packages'))
        self.load('x')
        self.write(**{'site-packages__x': F2})
        command('stale')
        stale = sys.modules['_mr_attach'].stale if '_mr_attach' in sys.modules else None
        if stale is None:                    # only an engine that stays can be given no time
            self.write(m=F1)
            self.load('m')
            self.write(m=F2)
            self.reload()
            stale = sys.modules['_mr_attach'].stale
        with mock.patch.object(stale, 'BUDGET', -1):
            for verbose in (0, 1):
                self.assertEqual(bool(command('stale', verbose=verbose)['notes']), bool(verbose))
                self.assertEqual(bool(self.reload(verbose=verbose)['notes']), bool(verbose))


class Unreadable(Program):
    @unittest.skipUnless(os.geteuid() == 0, 'needs root')
    def test_who_must_be_able_to_read(self):
        self.write(m=F1)
        self.load('m')
        self.write(m=F2)
        os.chmod(self.folder, 0o711)
        os.chmod(self.path('m.py'), 0)
        os.seteuid(65534)
        try:
            error = self.refused(self.attempt('m'), 'unreadable-source')
        finally:
            os.seteuid(0)
        self.assertIn('uid 65534', error['hint'])


class Misspelt(Program):
    def test_did_you_mean(self):
        self.write(shop__init='', shop__cart=F1)
        self.load('shop.cart')
        for text, meant in (('shop.crat', 'shop.cart'), ('shpo', 'shop'), ('shop.carts', 'shop.cart'),
                            ('shop.xyzzy', None)):
            hint = self.refused(self.attempt(text), 'no-such-module')['hint']
            self.assertEqual(hint, 'did you mean %s?' % meant if meant else 'mr-attach PID list shows what is loaded')
        self.assertEqual(self.refused(self.attempt('cart'), 'no-such-module')['hint'], 'loaded is shop.cart')


class OneAtATime(Program):
    def test_below_in_this_thread(self):
        for sent in (None, NEWER):
            self.write(m=F1)
            m = self.load('m')
            m.COMMAND, m.SENT = command, sent
            self.write(m='for one in ("reload-stale", "history", "stale", "undo", "untrack"):\n'
                         '    error = COMMAND(one, sent=SENT)["error"]\n'
                         '    assert error["code"] == "engine-busy" and "reload-stale" in error["message"], error\n'
                         'assert COMMAND("exec", code="1 + 1")["value"] == "2"\n' + F2)
            self.reload()
            self.assertEqual((m.f(), command('history')['status']), (2, 0))
            del sys.modules['m']

    def test_another_thread(self):
        self.write(m=F1)
        m = self.load('m')
        m.STARTED, m.GO = threading.Event(), threading.Event()
        self.write(m='STARTED.set()\nassert GO.wait(10)\n' + F2)
        thread = threading.Thread(target=self.attempt)
        thread.start()
        try:
            self.assertTrue(m.STARTED.wait(10))
            self.refused(self.attempt(), 'engine-busy')
            self.assertEqual(command('exec', code='1 + 1')['value'], '2')
        finally:
            m.GO.set()
            thread.join()
        self.assertEqual(m.f(), 2)
        self.reload()

    def test_a_child_is_not_busy(self):
        self.write(m=F1)
        m = self.load('m')
        m.COMMAND = command
        self.write(m='import os\nCHILD = os.fork()\nif not CHILD: os._exit(COMMAND("history")["status"])\n'
                     'STATUS = os.waitpid(CHILD, 0)[1]\n' + F2)
        self.reload()
        self.assertEqual(m.STATUS, 0)


class Kept(Program):
    """An engine that stays keeps what every command would have to compile."""

    def test_nothing_of_ours_is_compiled_twice(self):
        self.write(m=F1)
        self.load('m')
        self.write(m=F2)
        self.reload()
        self.reload()
        files, real = [], builtins.compile

        def noted(source, filename, *args, **more):
            files.append(filename)
            return real(source, filename, *args, **more)
        with mock.patch.object(builtins, 'compile', noted):
            self.reload()
        self.assertEqual([name for name in files if name.startswith('<mr-attach')], [])
        source, code = sys.modules['_mr_attach'].boot
        self.assertEqual((source, code), (SOURCE, BOOT))

    def test_its_parts_are_none_of_what_a_command_brought(self):
        command('untrack')                   # no part is loaded yet
        self.write(m=F1, fresh='')
        self.load('m')
        self.write(m=F2)
        self.reload()
        engine = sys.modules['_mr_attach']
        self.assertNotIn('newcomers', vars(engine))
        self.write(m='import fresh\n' + F3 + 'raise ValueError\n')
        self.refused(self.attempt(), 'exception')
        parts = {name: one for name, one in vars(engine).items() if type(one) is type(sys) and one.__name__.startswith('_mr_attach.')}
        self.assertIn('newcomers', parts)
        self.assertEqual({name for name in parts if sys.modules.get('_mr_attach.' + name) is not parts[name]}, set())
        self.assertNotIn('fresh', sys.modules)
        self.write(m='import fresh\n' + F3)
        self.reload()
        self.assertIsNone(command('undo')['error'])
        self.assertEqual({name for name in parts if sys.modules.get('_mr_attach.' + name) is not parts[name]}, set())

    def test_a_module_in_c_stays_when_what_imported_it_failed(self):
        """Until 3.9 CPython calls atexit's functions at the end by a pointer to that module."""
        kept = sys.modules.pop('_symtable', None)
        try:
            self.write(m='A = 1\n')
            command('track')
            self.load('m')
            self.write(m='A = 2\nimport _symtable\nA = 1 / 0\n')
            self.refused(self.attempt(), 'exception')
            self.assertIn('_symtable', sys.modules)
        finally:
            sys.modules.pop('_symtable', None)
            sys.modules.update({'_symtable': kept} if kept else {})

    def test_an_engine_of_another_version_is_not_used(self):
        self.write(m=F1)
        self.load('m')
        self.write(m=F2)
        self.reload()
        sent = other_engine('attached', lambda data: data.replace(b"'engine'] = ", b"'engine'] = 'other ' + "))
        self.assertRegex(command('history', sent=sent)['engine'], '^other ')


class OurMistake(Program):
    def test_it_is_told_apart(self):
        self.write(m=F1)
        self.load('m')
        self.write(m=F2)
        for part in ('listing', 'attached', 'scope'):
            sent = other_engine(part, lambda data: data
                                .replace(b'signatures, found = codes', b'broken = {}["our own"]; x')
                                .replace(b'    found, others, seen', b'    broken = {}["our own"]; x, y, z')
                                .replace(b"if command == 'stale'", b'{}["our own"]\n    if 1'))
            answer = command('stale', sent=sent)
            error = answer['error']
            self.assertEqual((answer['status'], error['code'], error['message']), (1, 'engine', "KeyError: 'our own'"))
            self.assertIn('mr-attach PID untrack', error['hint'])
            self.assertIn('File "<mr-attach>/%s.py", line' % part, error['traceback'])
            self.assertIn('{}["our own"]', error['traceback'])
        self.assertEqual(command('stale')['status'], 0)


BEFORE = """RATE = 1
LEFT = 5
def gone(): return 1
def discount(a): return 1
def waits():
    yield 1
    yield 2
class Cart:
    tax = 1
    def old(self): return 1
    def total(self, a=1): return 1
    def left(self): return 1
"""
AFTER = """RATE = 2
CARTS = []
def checkout(): return 1
def discount(a, b=2): return 1
def waits():
    yield 1
    yield 3
class Cart:
    tax = 2
    __own = 1
    def old(self): return 2
    def total(self, a=2): return 2
    def clear(self): return 1
class Other: pass
"""


class Forecast(Program):
    maxDiff = None

    def both(self, *more):
        """The module's entries of a dry run and of the real one."""
        found = self.entry(self.reload(dry_run=True)), self.entry(self.reload())
        for entry in found:
            entry.update(state=None, ran_us=None)
        return found

    def test_a_dry_run_says_what_will_be(self):
        for bytecode in (False, True):
            sys.dont_write_bytecode = bytecode
            sys.modules.pop('m', None)
            self.write(m=BEFORE)
            m = self.load('m')
            waits = m.waits()
            next(waits)
            self.write(m=AFTER.replace('RATE = 2', 'RATE = 1').replace('tax = 2', 'tax = 1') if bytecode else AFTER)
            dry, real = self.both()
            self.assertEqual(dry, real)
            self.assertEqual(real['added'], ['CARTS', 'Cart.__own', 'Cart.clear', 'Other', 'checkout'])
            self.assertEqual([one['function'] for one in real['running_old']], ['m.waits'])
            lines = [one['line'] for one in real['executed']]
            self.assertEqual(lines, [2, 4, 10, 12] if bytecode else [1, 2, 4, 9, 10, 12])
            self.assertEqual(real['changed'], ['Cart.old', 'Cart.total', 'discount', 'waits'] if bytecode else
                             ['Cart.old', 'Cart.tax', 'Cart.total', 'RATE', 'discount', 'waits'])

    def test_names_that_do_not_come(self):
        self.write(m='X = 1\n')
        self.load('m')
        self.write(m='X = 1\nif X == 2:\n    Y = 2\nelse:\n    Z = 3\n')
        self.assertEqual(self.entry(self.reload())['added'], ['Z'])

    def test_what_was_never_touched_was_skipped(self):
        self.write(a=F1, b='X = 1\n' + F1, c=F1)
        self.load('a', 'b', 'c')
        self.write(a=F2, b='X = 2\n' + F2, c='def f(:\n')
        answer = self.attempt()
        self.refused(answer, 'syntax-error')
        mine = [one for one in answer['modules'] if len(one['name']) == 1]
        self.assertEqual(sorted((one['name'], one['state'], one['why'], one['warnings']) for one in mine), [
            ('a', 'skipped', None, []), ('b', 'skipped', None, []), ('c', 'failed', 'content', [])])
        self.write(b='X = 2\nraise ValueError\n' + F2, c=F2)
        answer = self.attempt()
        self.assertEqual([(one['name'], one['state'], one['changed'], [step['line'] for step in one['executed']])
                          for one in answer['modules'] if len(one['name']) == 1],
                         [('a', 'restored', [], []), ('b', 'failed', [], [1, 2]), ('c', 'skipped', [], [])])


class Derived(Program):
    def test_in_the_module_and_where_it_is_imported(self):
        text = ('LIMIT = %d\nDERIVED = LIMIT * 2\nTWICE = DERIVED * 2\nOTHER = 3\nLATER = lambda: LIMIT\n'
                'def f(a=LIMIT): return LIMIT\nclass K:\n    top = LIMIT\n    def m(self): return LIMIT\n'
                'if OTHER:\n    INNER = [LIMIT for _ in (1,)]\n')
        self.write(b=text % 5, a='import b\nfrom b import LIMIT as L\nY = b.LIMIT\nZ = L\nW = Z + 1\nN = 1\n')
        b, a = self.load('b', 'a')
        self.write(b=text % 6)
        for dry_run in (True, False):
            entry = self.entry(self.reload(dry_run=dry_run), 'b')
            self.assertEqual([(one['module'], one['name'], one['line']) for one in entry['derived']], [
                ('b', 'DERIVED', 2), ('b', 'TWICE', 3), ('b', 'f', 6), ('b', 'K.top', 8), ('b', 'INNER', 11),
                ('a', 'Y', 3), ('a', 'Z', 4), ('a', 'W', 5)])
            self.assertEqual(entry['rebound'], ['a.L'])
        self.assertEqual((b.LIMIT, b.DERIVED, a.L, a.Y), (6, 10, 6, 5))

    def test_through_other_modules(self):
        self.write(p__init='from .b import X\n', p__b='X = 1\n', p__c='from . import X\nY = X + 1\ndef f(a=Y): return a\n',
                   d='from p import c\nfrom p.c import Y as Z\nW = [Z]\nclass K:\n    top = c.Y\n    def m(self, a=Z): return a\n')
        d = self.load('d')
        self.write(p__b='X = 10\n')
        entry = self.entry(self.reload(), 'p.b')
        self.assertEqual(entry['rebound'], ['p.X', 'p.c.X'])
        self.assertEqual([(one['module'], one['name']) for one in entry['derived']],
                         [('p.c', 'Y'), ('p.c', 'f'), ('d', 'W'), ('d', 'K.top'), ('d', 'K.m')])
        self.assertEqual((d.W, d.Z), ([2], 2))

    def test_run_again(self):
        self.write(b='X = 1\nOWN = X * 2\nCACHE = {}\n', c='from b import X\nY = 0\nY += X\ndef f(a=Y): return a\nN = [1]\n',
                   d='import c\nfrom c import Y as Z\nW = [Z]\nclass K:\n    top = c.Y\n    def m(self, a=Z): return a\n')
        command('track')
        b, c, d = self.load('b', 'c', 'd')
        b.CACHE[1], held, k, n = 1, c.f, d.K(), c.N
        before = [dict(vars(one)) for one in (b, c, d)] + [dict(vars(d.K))]
        self.write(b='X = 10\nOWN = X * 2\nCACHE = {}\n')
        for dry_run in (True, False):
            answer = self.reload(dependents=True, dry_run=dry_run)
            self.assertEqual([(one['name'], one['why'], [step['line'] for step in one['executed']], one['derived'])
                              for one in answer['modules'] if one['name'] in ('b', 'c', 'd')],
                             [('b', 'content', [1, 2], []), ('c', 'forced', [2, 3, 4], []), ('d', 'forced', [3, 5, 6], [])])
        self.assertEqual((b.OWN, b.CACHE, c.X, c.Y, held(), d.Z, d.W, k.top, k.m()), (20, {1: 1}, 10, 10, 10, 10, [10], 10, 10))
        self.assertIs(c.N, n)
        self.assertEqual(command('stale')['modules'], [])
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual([dict(vars(one)) for one in (b, c, d)] + [dict(vars(d.K))], before)

    def test_run_again_fails(self):
        self.write(b='X = 1\n', c='from b import X\nY = 1 // X\n')
        b, c = self.load('b', 'c')
        self.write(b='X = 0\n')
        answer = self.attempt(dependents=True)
        self.assertEqual((self.refused(answer, 'exception')['module'], b.X, c.X, c.Y), ('c', 1, 1, 1))

    def test_what_is_stale_itself(self):
        self.write(b='X = 1\n', c='from b import X\nY = X\n')
        b, c = self.load('b', 'c')
        self.write(b='X = 2\n', c='from b import X\nY = X * 2\n')
        answer = self.reload('b', dependents=True)
        self.assertEqual((b.X, c.X, c.Y), (2, 2, 1))
        self.assertIn('c is stale itself', ' '.join(answer['notes']))
        self.assertEqual([one['name'] for one in self.entry(answer, 'b')['derived']], ['Y'])
        self.reload(dependents=True)
        self.assertEqual(c.Y, 4)

    def test_what_ran_again_is_none(self):
        self.write(b='LIMIT = 5\nDERIVED = LIMIT * 2\n')
        self.load('b')
        self.write(b='LIMIT = 6\nDERIVED = LIMIT * 3\n')
        self.assertEqual(self.entry(self.reload(), 'b')['derived'], [])


class Diff(Program):
    def test_of_what_is_tracked(self):
        old = ''.join('L%d = %d\n' % (number, number) for number in range(40))
        self.write(m=old, n=F1)
        self.load('m')
        command('track')
        self.load('n')
        new = 'FIRST = 1\n' + old.replace('L20 = 20\n', '').replace('L38 = 38', 'L38 = 0')
        self.write(m=new, n=F2)
        self.assertNotIn('diff', self.entry(self.reload(dry_run=True)))
        answer = self.reload(dry_run=True, verbose=1)
        path = self.path('m.py')
        expected = ''.join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), path + ' (loaded)', path))
        self.assertEqual(self.entry(answer)['diff'], expected)
        lines = self.entry(answer, 'n')['diff'].split('\n')
        self.assertEqual(lines[2:], ['@@ -1,1 +1,1 @@', '-' + F1[:-1], '+' + F2[:-1], ''])
        command('untrack')

    def test_without_the_old_source(self):
        self.write(m='X = 1\ndef f(a): return 1\nclass K:\n    def m(self, *, b): return len(b)\n')
        self.load('m')
        self.write(m='X = 1\ndef f(a): return 2\nclass K:\n    def m(self, *c, b): return max(b) + 1\n')
        lines = self.entry(self.reload(dry_run=True, verbose=1))['diff'].split('\n')
        self.assertIn('source is not known', lines[0])
        self.assertTrue(lines[1].startswith('f (line 2): constants -1 +2'), lines)
        self.assertTrue(lines[2].startswith('K.m (line 4): signature (self, *c, b), was (self, *, b)'), lines)
        self.assertIn('names -len +max', lines[2])
        self.write(m='X = 2\ndef f(a): return 1\nclass K:\n    def m(self, *, b): return len(b)\n')
        self.assertIsNone(self.entry(self.reload(dry_run=True, verbose=1))['diff'])


if __name__ == '__main__':
    unittest.main()

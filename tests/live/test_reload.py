# SPDX-License-Identifier: MIT
"""track, untrack, list, stale, reload and reload-stale on a small package, seen from the program's side."""
import contextlib
import os
import unittest

from harness import DEFAULT, HERE_NOW, REQUIRED, LiveTest, Target, each, each_python, expand, label

FILES = {
    'main.py': 'import shop\nfrom shop import cart, views\nfrom shop.cart import discount, Cart\n'
               'basket = Cart(100)\nheld = basket.total\n',
    'shop/__init__.py': '"""A shop."""\n',
    'shop/cart.py': 'RATE = 0.1\nCACHE = {}\nHITS = [0]\n\n\ndef discount(price):\n    return price * RATE\n\n\n'
                    'class Cart:\n    def __init__(self, price):\n        self.price = price\n\n'
                    '    def total(self):\n        HITS[0] += 1\n        return ("old", self.price)\n',
    'shop/views.py': 'from shop.cart import discount\nfrom shop import cart\n\n\ndef show(price):\n'
                     '    return "old %s" % discount(price)\n',
}


class Shop:
    """The target, its folder, and its files."""

    def __init__(self, target, inside, outside):
        self.target, self.inside, self.outside = target, inside, outside

    def path(self, name):
        """As the target knows it: what a user would type in its world."""
        return self.inside + '/' + name

    def edit(self, name, old, new):
        path = os.path.join(self.outside, name)
        with open(path) as file:
            text = file.read()
        assert old in text, (old, text)
        with open(path, 'w') as file:
            file.write(text.replace(old, new))

    def write(self, name, data):
        with open(os.path.join(self.outside, name), 'wb') as file:
            file.write(data)

    def ask(self, expression):
        return self.target.ask(expression)

    def attach(self, *args, **options):
        return self.target.attach('-j', *args, **options)


@contextlib.contextmanager
def shop(python=DEFAULT, options=(), files=None):
    with python.folder() as (inside, outside):
        for name, text in dict(FILES, **(files or {})).items():
            os.makedirs(os.path.dirname(os.path.join(outside, name)), exist_ok=True)
            with open(os.path.join(outside, name), 'w') as out:
                out.write(text)
        with Target('program', python, args=[inside + '/main.py'], options=options) as target:
            yield Shop(target, inside, outside)


class ReloadTest(LiveTest):
    def module(self, result, name):
        found = [m for m in result.json['modules'] if m['name'] == name]
        self.assertEqual(len(found), 1, '%s\n%s' % (name, result))
        return found[0]

    def names(self, result):
        return sorted(m['name'] for m in result.json['modules'])

    def assertReloaded(self, result, *names):
        self.assertStatus(result, 0)
        self.assertReport(result.json)
        done = sorted(m['name'] for m in result.json['modules'] if m['state'] == 'reloaded')
        self.assertEqual(done, sorted(names), str(result))

    def finish(self, s):
        """Nothing is stale any more, the target is unharmed, and its own sums are right."""
        again = s.attach('reload-stale')
        self.assertReloaded(again)
        self.assertUnharmed(s.target)
        s.target.stop()


@expand
class EveryPython(ReloadTest):
    """The main job."""

    @each_python(lambda p: not p.free_threaded)
    def test_reload_stale(self, python):
        with shop(python) as s:
            self.assertEqual(s.ask('(held(), basket.total(), views.show(100), discount(100))'),
                             "(('old', 100), ('old', 100), 'old 10.0', 10.0)")
            before = s.ask('(id(Cart), id(discount), id(cart.CACHE), id(cart))')
            s.ask('cart.CACHE.update(kept=1)')
            s.edit('shop/cart.py', '("old", self.price)', '("new", self.price * 2)')
            s.edit('shop/cart.py', 'price * RATE', 'price * RATE + 1')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('(held(), basket.total(), views.show(100), discount(100), Cart(1).total())'),
                             "(('new', 200), ('new', 200), 'old 11.0', 11.0, ('new', 2))")
            self.assertEqual(s.ask('(id(Cart), id(discount), id(cart.CACHE), id(cart))'), before)
            self.assertEqual(s.ask('(cart.CACHE, cart.HITS)'), "({'kept': 1}, [5])")
            self.finish(s)

    @each_python(lambda p: not p.free_threaded)
    def test_reload_a_path(self, python):
        with shop(python) as s:
            s.edit('shop/views.py', '"old %s"', '"new %s"')
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload', s.path('shop/views.py')), 'shop.views')
            self.assertEqual(s.ask('(views.show(100), basket.total())'), "('new 10.0', ('old', 100))")
            self.assertReloaded(s.attach('reload', 'shop.cart'), 'shop.cart')
            self.assertEqual(s.ask('basket.total()'), "('new', 100)")
            self.finish(s)

    @each_python(lambda p: not p.free_threaded)
    def test_failures_change_nothing(self, python):
        with shop(python) as s:
            before = s.ask('sorted(vars(cart))')
            for new, code in (('def broken(:\n', 'syntax-error'), ('ADDED = 1\n1 / 0\n', 'exception'),
                              ('ADDED = 1\nraise SystemExit(3)\n', 'system-exit'),
                              ('ADDED = 1\nraise KeyboardInterrupt\n', 'exception')):
                good = open(os.path.join(s.outside, 'shop/cart.py')).read()
                s.edit('shop/cart.py', '"old"', '"new"')
                s.write('shop/cart.py', (open(os.path.join(s.outside, 'shop/cart.py')).read() + new).encode())
                result = s.attach('reload-stale')
                self.assertStatus(result, 1)
                self.assertReport(result.json)
                self.assertEqual(result.json['error']['code'], code)
                self.assertEqual(result.json['error']['module'], 'shop.cart')
                self.assertIn('cart.py', result.json['error']['traceback'])
                self.assertEqual(s.ask('(sorted(vars(cart)) == %s, held())' % before), "(True, ('old', 100))")
                s.write('shop/cart.py', good.encode())
            self.finish(s)


@expand
class Stages(ReloadTest):
    PYTHONS = [(label(p), p) for p in REQUIRED]

    @each(PYTHONS)
    def test_nothing_is_stale(self, python):
        with shop(python) as s:
            for command in (['stale'], ['reload-stale'], ['-n', 'reload-stale']):
                result = s.attach(*command)
                self.assertStatus(result, 0)
                self.assertEqual([m for m in result.json['modules'] if m['state'] in ('stale', 'reloaded')], [])
            result = s.target.attach('stale')
            self.assertStatus(result, 0)
            self.assertNotIn('shop', result.stdout)
            s.target.stop()

    @each(PYTHONS)
    def test_a_touch_or_a_comment_is_not_stale(self, python):
        with shop(python) as s:
            os.utime(os.path.join(s.outside, 'shop/cart.py'))
            s.write('shop/views.py', FILES['shop/views.py'].encode() + b'# no more\n')
            self.assertReloaded(s.attach('reload-stale'))
            s.target.stop()

    def test_an_edit_with_the_old_date_and_size_is_stale(self):
        with shop() as s:
            path = os.path.join(s.outside, 'shop/cart.py')
            stat = os.stat(path)
            s.edit('shop/cart.py', '"old"', '"new"')
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('held()'), "('new', 100)")
            s.target.stop()

    @each(PYTHONS)
    def test_stale_and_list(self, python):
        with shop(python) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            result = s.attach('stale')
            self.assertStatus(result, 0)
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'stale')
            self.assertEqual(self.module(result, 'shop.cart')['why'], 'content')
            self.assertEqual(s.ask('held()'), "('old', 100)")
            result = s.attach('list')
            self.assertStatus(result, 0)
            self.assertLessEqual({'shop', 'shop.cart', 'shop.views'}, set(self.names(result)))
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'stale')
            self.assertEqual(self.module(result, 'shop.views')['state'], 'fresh')
            self.assertNotIn('json', self.names(result))
            self.assertUnharmed(s.target)
            s.target.stop()

    @each(PYTHONS)
    def test_dry_run(self, python):
        with shop(python) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            result = s.attach('--dry-run', 'reload-stale')
            self.assertStatus(result, 0)
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'would-reload')
            self.assertEqual(s.ask('held()'), "('old', 100)")
            s.edit('shop/cart.py', 'def total', 'def (')
            result = s.attach('--dry-run', 'reload-stale')
            self.assertStatus(result, 1)
            self.assertEqual(result.json['error']['code'], 'syntax-error')
            s.target.stop()

    @each(PYTHONS)
    def test_track_and_untrack(self, python):
        with shop(python) as s:
            result = s.attach('track')
            self.assertStatus(result, 0)
            self.assertReport(result.json)
            s.write('late.py', b'LOADED = 1\ndef f():\n    return "old"\n')
            s.ask('__import__("late")')
            listed = self.module(s.attach('list'), 'late')
            self.assertTrue(listed['exact'])
            self.assertIsNotNone(listed['loaded_at'])
            self.assertFalse(self.module(s.attach('list'), 'shop.cart')['exact'])
            s.edit('late.py', '"old"', '"new"')
            result = s.attach('reload-stale')
            self.assertReloaded(result, 'late')
            self.assertEqual(self.module(result, 'late')['baseline'], 'tracked')
            self.assertEqual(s.ask('__import__("late").f()'), "'new'")
            self.assertStatus(s.attach('untrack'), 0)
            self.assertEqual(s.ask('__import__("late").f()'), "'new'")
            self.assertEqual(s.ask('[m for m in __import__("sys").modules if "mr_attach" in m or "reloader" in m]'), '[]')
            self.assertEqual(s.ask('[f for f in __import__("sys").meta_path if "mr" in repr(f).lower()]'), '[]')
            self.assertUnharmed(s.target)
            s.target.stop()

    def test_changed_and_added_statements_run(self):
        with shop() as s:
            s.edit('shop/cart.py', 'RATE = 0.1', 'RATE = 0.5\nADDED = RATE * 2')
            result = s.attach('reload-stale')
            self.assertReloaded(result, 'shop.cart')
            self.assertEqual(s.ask('(cart.RATE, cart.ADDED, discount(100))'), '(0.5, 1.0, 50.0)')
            self.assertTrue(self.module(result, 'shop.cart')['executed'])
            self.finish(s)

    def test_a_new_function_and_a_new_method(self):
        with shop() as s:
            s.edit('shop/cart.py', '    def total(self)', '    def half(self):\n        return self.price / 2\n\n    def total(self)')
            s.write('shop/cart.py', open(os.path.join(s.outside, 'shop/cart.py')).read().encode() +
                    b'\n\ndef refund():\n    return "refunded"\n')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('(basket.half(), cart.refund(), held())'), "(50.0, 'refunded', ('old', 100))")
            self.finish(s)

    def test_full(self):
        with shop() as s:
            s.ask('cart.CACHE.update(kept=1)')
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('--full', 'reload', 'shop.cart'), 'shop.cart')
            self.assertEqual(s.ask('(cart.CACHE, held())'), "({}, ('new', 100))")
            s.target.stop()

    def test_without_a_baseline_a_changed_value_is_undecided(self):
        with shop(options=['-B']) as s:
            s.ask('setattr(cart, "RATE", 0.3)')
            s.edit('shop/cart.py', 'RATE = 0.1', 'RATE = 0.2')
            result = s.attach('reload-stale')
            self.assertStatus(result, 1)
            self.assertEqual(result.json['error']['code'], 'undecided')
            self.assertRegex(result.json['error']['message'] + str(result.json['error'].get('hint')), 'RATE')
            self.assertEqual(s.ask('cart.RATE'), '0.3')
            self.assertStatus(s.attach('--keep', 'shop.cart.RATE', 'reload-stale'), 0)
            self.assertEqual(s.ask('cart.RATE'), '0.3')
            s.target.stop()

    def test_reinit(self):
        with shop(options=['-B']) as s:
            s.edit('shop/cart.py', 'RATE = 0.1', 'RATE = 0.2')
            self.assertReloaded(s.attach('--reinit', 'RATE', 'reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('cart.RATE'), '0.2')
            s.target.stop()

    def test_unchanged_is_said(self):
        with shop() as s:
            result = s.attach('reload', 'shop.cart')
            self.assertStatus(result, 0)
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'unchanged')
            self.assertIn('unchanged', s.target.attach('reload', 'shop.cart').stdout)
            s.target.stop()

    def test_a_folder_is_all_below_it(self):
        with shop() as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            s.edit('shop/views.py', '"old', '"new')
            self.assertReloaded(s.attach('reload', s.path('shop/')), 'shop.cart', 'shop.views')
            s.target.stop()

    def test_our_relative_path(self):
        with shop() as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload', './cart.py', cwd=os.path.join(s.outside, 'shop')), 'shop.cart')
            s.target.stop()

    def test_gcc_errors(self):
        with shop() as s:
            s.edit('shop/cart.py', 'def total(self)', 'def total(self')
            result = s.target.attach('--errors=gcc', 'reload-stale')
            self.assertStatus(result, 1)
            self.assertRegex(result.stderr, r'(?m)^%s:\d+: ' % s.path('shop/cart.py'))
            s.target.stop()

    def test_the_report_for_people(self):
        with shop() as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            result = s.target.attach('reload-stale')
            self.assertStatus(result, 0)
            self.assertIn('shop.cart', result.stdout)
            self.assertIn('Cart.total', result.stdout)
            self.assertEqual(result.stderr, '')
            s.edit('shop/cart.py', '"new"', '"newer"')
            self.assertEqual(s.target.attach('-q', 'reload-stale').stdout, '')
            s.target.stop()

    def test_a_new_module_is_imported(self):
        with shop() as s:
            s.write('shop/tax.py', b'def tax(price):\n    return price * 2\n')
            s.edit('shop/views.py', 'from shop import cart\n', 'from shop import cart\nfrom shop.tax import tax\n')
            s.edit('shop/views.py', 'discount(price)', 'tax(price)')
            self.assertReloaded(s.attach('reload-stale'), 'shop.views')
            self.assertEqual(s.ask('views.show(5)'), "'old 10'")
            s.target.stop()

    def test_one_bad_module_fails_the_whole_command(self):
        with shop() as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            s.edit('shop/views.py', 'def show(price)', 'def show(price')
            self.assertStatus(s.attach('reload-stale'), 1)
            self.assertEqual(s.ask('(held(), views.show(100))'), "(('old', 100), 'old 10.0')")
            self.assertReloaded(s.attach('reload', 'shop.cart'), 'shop.cart')
            self.assertEqual(s.ask('held()'), "('new', 100)")
            s.target.stop()


@expand
class BadInput(ReloadTest):
    """A clear error, and nothing is lost."""

    def bad(self, s, result, *codes):
        self.assertStatus(result, 1)
        self.assertReport(result.json)
        self.assertIn(result.json['error']['code'], codes)
        self.assertTrue(result.json['error']['message'])
        self.assertEqual(s.ask('(held(), views.show(100))'), "(('old', 100), 'old 10.0')")
        self.assertUnharmed(s.target)

    def test_targets_that_are_none(self):
        with shop() as s:
            os.makedirs(os.path.join(s.outside, 'empty'))
            s.write('stray.py', b'x = 1\n')
            self.bad(s, s.attach('reload', s.path('stray.py')), 'not-a-module-path')
            self.bad(s, s.attach('reload', s.path('empty')), 'not-a-module-path')
            self.bad(s, s.attach('reload', s.path('missing.py')), 'not-a-module-path')
            self.bad(s, s.attach('reload', 'shop.nonsense'), 'no-such-module')
            for name in ("it's", 'a"b', 'a\nb', 'a b', '../../etc', '\u00e4', 'x' * 5000):
                self.bad(s, s.attach('reload', name), 'no-such-module', 'not-a-module-path')
            for name in (b'\xff\xfe', b'/tmp/\xff.py', b'a\x80b'):
                self.bad(s, s.attach('reload', name), 'no-such-module', 'not-a-module-path')
            self.assertIn(s.target.attach('reload', '').status, (1, 2))
            human = s.target.attach('reload', s.path('shop/carts.py'))
            self.assertStatus(human, 1)
            self.assertIn('shop/cart.py', human.stderr, 'it names the nearest loaded one')
            s.target.stop()

    def test_missing_source(self):
        with shop() as s:
            os.remove(os.path.join(s.outside, 'shop/cart.py'))
            result = s.attach('stale')
            self.assertStatus(result, 0)
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'missing')
            result = s.attach('reload-stale')
            self.assertStatus(result, 0)
            self.assertIn(self.module(result, 'shop.cart')['state'], ('skipped', 'missing'))
            self.bad(s, s.attach('reload', 'shop.cart'), 'missing-source')
            s.target.stop()

    def test_a_folder_in_the_place_of_the_source(self):
        with shop() as s:
            os.remove(os.path.join(s.outside, 'shop/cart.py'))
            os.makedirs(os.path.join(s.outside, 'shop/cart.py'))
            self.bad(s, s.attach('reload', 'shop.cart'), 'unreadable-source', 'missing-source')
            s.target.stop()

    def test_a_fifo_in_the_place_of_the_source(self):
        with shop() as s:
            os.remove(os.path.join(s.outside, 'shop/cart.py'))
            os.mkfifo(os.path.join(s.outside, 'shop/cart.py'))
            self.bad(s, s.attach('reload', 'shop.cart'), 'unreadable-source', 'missing-source')
            self.assertIn(s.attach('reload-stale').status, (0, 1))
            s.target.stop()

    @unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
    def test_a_source_that_the_target_cannot_read(self):
        setpriv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        with DEFAULT.folder() as (inside, outside):
            for name, text in FILES.items():
                os.makedirs(os.path.dirname(os.path.join(outside, name)), exist_ok=True)
                with open(os.path.join(outside, name), 'w') as out:
                    out.write(text)
            with Target('program', args=[inside + '/main.py'], prefix=setpriv, folder='/') as target:
                s = Shop(target, inside, outside)
                s.edit('shop/cart.py', '"old"', '"new"')
                os.chmod(os.path.join(outside, 'shop/cart.py'), 0o600)
                self.bad(s, s.attach('reload', 'shop.cart'), 'unreadable-source')
                target.stop()

    @each([('latin1', b'x = "\xe4"\n'), ('binary', bytes(range(256))), ('nul', b'x = 1\0\n')])
    def test_not_text(self, data):
        with shop() as s:
            s.write('shop/cart.py', data)
            self.bad(s, s.attach('reload', 'shop.cart'), 'not-text', 'syntax-error')
            s.target.stop()

    def test_no_source(self):
        with shop() as s:
            self.bad(s, s.attach('reload', 'sys'), 'no-source', 'refused')
            self.bad(s, s.attach('reload', 'math'), 'no-source', 'refused')
            s.target.stop()

    def test_an_empty_source(self):
        with shop() as s:
            s.write('shop/views.py', b'')
            self.assertIn(s.attach('-n', 'reload', 'shop.views').status, (0, 1))
            s.target.stop()

    def test_one_file_that_is_two_modules(self):
        with shop(files={'main.py': FILES['main.py'] + 'import sys, importlib.util as u\n'
                         'spec = u.spec_from_file_location("twin", cart.__file__)\ntwin = u.module_from_spec(spec)\n'
                         'sys.modules["twin"] = twin\nspec.loader.exec_module(twin)\n'}) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload', s.path('shop/cart.py')), 'shop.cart', 'twin')
            self.assertEqual(s.ask('(held(), twin.Cart(1).total())'), "(('new', 100), ('new', 1))")
            s.target.stop()


@expand
class Evidence(ReloadTest):
    @each_python(lambda p: not p.free_threaded)
    def test_it_is_gathered_from_outside(self, python):
        """No look at a file from inside lets go of the GIL: what is asked for is seen beneath the target's root."""
        watch = 'import posix\nreal, looks = posix.lstat, []\n' \
                'def lstat(path, **more):\n    looks.append(path)\n    return real(path, **more)\nposix.lstat = lstat\n'
        with shop(python, files={'main.py': watch + FILES['main.py']}) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('[one for one in looks if one.startswith("/") and one.endswith(".py")]'), '[]')
            os.rename(os.path.join(s.outside, 'shop/views.py'), os.path.join(s.outside, 'shop/gone.py'))
            stale = s.attach('stale').json['modules']
            self.assertEqual([(one['name'], one['state']) for one in stale], [('shop.views', 'missing')])
            self.assertEqual(s.ask('held()'), "('new', 100)")
            s.target.stop()

    @each([(way, way) for way in ('cpoll', 'cnanosleep')])
    def test_a_wait_in_c_outlives_ours(self, way):
        """The kernel keeps one restart for a thread: waiting for the answer must not take its place."""
        with Target(way) as target:
            for _ in range(5):
                self.assertStatus(target.attach('stale'), 0)
            self.assertUnharmed(target)
            self.assertLess(max(target.stop()['lasted']), 0.25)


@expand
class GoodGuest(ReloadTest):
    @each([(label(p), p) for p in HERE_NOW if not p.free_threaded])
    def test_nothing_else_changes(self, python):
        look = ('[(lambda s, w, l: (sorted(s.meta_path, key=id) == s.meta_path or len(s.meta_path), list(s.path), '
                'len(w.filters), len(l.root.handlers), l.root.level, sorted(vars(s.modules["__main__"]).keys() - {"_"}), '
                's.gettrace(), s.getprofile(), __import__("gc").isenabled(), __import__("gc").get_threshold(), '
                's.getswitchinterval(), s.getrecursionlimit(), __import__("threading").active_count()))'
                '(__import__("sys"), __import__("warnings"), __import__("logging"))]')
        with shop(python) as s:
            before = s.ask(look)
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask(look), before)
            self.assertStatus(s.attach('untrack'), 0)
            self.assertEqual(s.ask(look), before)
            s.target.stop()

    @each([(label(p), p) for p in HERE_NOW])
    def test_a_profiler_in_c_goes_on_and_does_not_see_us(self, python):
        main = 'import cProfile\n\n\ndef called():\n    pass\n\n\nprofile = cProfile.Profile()\nprofile.enable()\n'
        seen = '(called(), profile.disable(), [e.callcount for e in profile.getstats() if "%s" in str(e.code)])[2]'
        with shop(python, files={'main.py': main}) as s:
            for command in (['exec', '1'], ['stale']):
                self.assertStatus(s.attach(*command), 0)
            self.assertEqual((s.ask(seen % 'called'), s.ask(seen % '<mr-attach')), ('[1]', '[]'))
            s.target.stop()

    @each([(label(p), p) for p in HERE_NOW])
    def test_what_the_code_switches_stays(self, python):
        switch = 'import gc, sys\ngc.disable()\nsys.setrecursionlimit(%d)\nsys.setprofile(lambda *_: None)\n'
        look = '[(m("gc").isenabled(), m("sys").getrecursionlimit(), callable(m("sys").getprofile())) for m in [__import__]][0]'
        with shop(python) as s:
            limit = int(s.ask('__import__("sys").getrecursionlimit()'))
            self.assertEqual(s.attach('exec', 'import sys; sys.getrecursionlimit()').value, str(limit))
            self.assertStatus(s.attach('exec', switch % (limit + 500)), 0)
            self.assertEqual(s.ask(look), '(False, %d, True)' % (limit + 500))
            self.assertStatus(s.attach('exec', 'import gc, sys; gc.enable(); sys.setprofile(None)'), 0)
            self.assertEqual(s.ask(look), '(True, %d, False)' % (limit + 500))
            s.target.stop()

    @each([(label(p), p) for p in HERE_NOW])
    def test_deep_in_its_own_frames(self, python):
        main = ('import os, sys\n\n\ndef deep(n):\n    if n:\n        return deep(n - 1)\n    os.write(1, b\'{"ready": true}\\n\')\n'
                '    os.read(0, 1)\n\n\ndeep(sys.getrecursionlimit() - 60)\n'
                'os.write(1, (\'{"limit": %d}\\n\' % sys.getrecursionlimit()).encode())\n')
        with shop(python, files={'main.py': main}) as s:
            self.assertEqual(s.attach('exec', '1').value, '1')
            s.target.leave()
            self.assertEqual(s.target.hear()['limit'], 1000)


if __name__ == '__main__':
    unittest.main()

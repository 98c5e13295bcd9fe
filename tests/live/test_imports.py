# SPDX-License-Identifier: MIT
"""Programs that are in the middle of an import, or hold the lock of imports, when a reload comes."""
import unittest

from harness import expand
from test_reload import ReloadTest, shop

GATE = ('import os, threading, time\nbegun, path = threading.Event(), os.path.dirname(__file__) + "/go"\n'
        'def wait():\n    begun.set()\n    while not os.path.exists(path):\n        time.sleep(0.01)\n')
FILES = {'gate.py': GATE, 'slow.py': 'import gate\nX = 1\ngate.wait()\nY = 2\n'}
IMPORTING = 'import gate, threading\nthread = threading.Thread(target=__import__, args=("slow",))\nthread.start()\n' \
            'gate.begun.wait()\n'
LOCKED = 'import gate, threading, _imp\ndef hold():\n    _imp.acquire_lock()\n    gate.wait()\n    _imp.release_lock()\n' \
         'thread = threading.Thread(target=hold)\nthread.start()\ngate.begun.wait()\n'


def busy(text):
    from test_reload import FILES as SHOP
    return shop(files=dict(FILES, **{'main.py': SHOP['main.py'] + text}))


@expand
class Importing(ReloadTest):
    def release(self, s):
        s.write('go', b'')
        s.ask('thread.join()')

    def finish(self, s):
        """The thread that waits has ended, with its own, so nothing is compared with before but the answers."""
        self.release(s)
        self.assertReloaded(s.attach('reload-stale'))
        self.assertTrue(s.target.alive())

    def test_a_module_that_is_being_imported(self):
        with busy(IMPORTING) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            s.edit('slow.py', 'X = 1', 'X = 5')
            result = s.attach('reload-stale')
            self.assertReloaded(result, 'shop.cart')
            self.assertEqual(self.module(result, 'slow')['state'], 'skipped')
            self.assertIn('being imported', self.module(result, 'slow')['warnings'][0])
            self.assertEqual(s.attach('reload', 'slow').json['error']['code'], 'refused')
            self.assertEqual(s.ask('(held(), __import__("sys").modules["slow"].X)'), "(('new', 100), 1)")
            self.release(s)
            self.assertReloaded(s.attach('reload-stale'), 'slow')
            self.assertEqual(s.ask('(__import__("slow").X, __import__("slow").Y)'), '(5, 2)')
            self.finish(s)

    def test_an_import_of_what_another_thread_is_importing(self):
        """It would wait; the rest of the command too, while the thread may wait for our thread."""
        with busy(IMPORTING) as s:
            s.edit('shop/cart.py', 'RATE = 0.1', 'import slow\nRATE = slow.X')
            result = s.attach('reload-stale')
            self.assertStatus(result, 1)
            self.assertIn('imports slow, which another thread is importing', result.json['error']['message'])
            self.assertEqual(s.ask('(cart.RATE, hasattr(cart, "slow"), held())'), "(0.1, False, ('old', 100))")
            self.release(s)
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('cart.RATE'), '1')
            self.finish(s)

    def test_an_import_that_waits_for_another_thread(self):
        """What the new source calls imports what a thread is importing: it waits, and is interrupted in the end."""
        with busy(IMPORTING) as s:
            s.edit('shop/cart.py', 'RATE = 0.1', 'RATE = __import__("slow").X')
            result = s.attach('--timeout', '2', 'reload-stale')
            self.assertStatus(result, 7)
            self.assertEqual(result.json['error']['code'], 'work-timeout')
            self.release(s)
            self.assertEqual(s.ask('(cart.RATE, hasattr(cart, "slow"), held())'), "(0.1, False, ('old', 100))")
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('cart.RATE'), '1')
            self.finish(s)

    def test_a_thread_that_holds_the_lock(self):
        with busy(LOCKED) as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.assertEqual(s.ask('held()'), "('new', 100)")
            s.edit('shop/cart.py', 'CACHE = {}', 'import this_is_new\nCACHE = {}')
            s.write('this_is_new.py', b'X = 1\n')
            result = s.attach('--timeout', '2', 'reload-stale')
            self.assertStatus(result, 7)
            self.release(s)
            self.assertEqual(s.ask('(hasattr(cart, "this_is_new"), held())'), "(False, ('new', 100))")
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.finish(s)

    def test_a_program_that_never_leaves_its_import(self):
        """A module whose body is the program looks so."""
        with busy('import threading\nthread = threading.Thread()\nthread.start()\nimport sys, gate\n'
                  'sys.modules["shop.cart"].__spec__._initializing = True\n') as s:
            s.edit('shop/cart.py', '"old"', '"new"')
            result = s.attach('reload-stale')
            self.assertEqual(self.module(result, 'shop.cart')['state'], 'skipped')
            self.assertEqual(s.ask('held()'), "('old', 100)")
            s.ask('delattr(sys.modules["shop.cart"].__spec__, "_initializing")')
            self.assertReloaded(s.attach('reload-stale'), 'shop.cart')
            self.finish(s)


if __name__ == '__main__':
    unittest.main()

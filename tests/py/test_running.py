# SPDX-License-Identifier: MIT
"""What goes on in old code, as the report names it: frames, generators, coroutines, tasks, greenlets."""
import _thread
import gc
import sys
import threading
import unittest

from harness import Program

OLD = """import types
WAIT = []
@types.coroutine
def pause():
    if WAIT:
        yield from WAIT[0]
    else:
        yield
def gen():
    yield 1
    yield "old"
async def inner():
    await pause()
    return "old"
async def outer():
    return await inner() or "old"
async def agen():
    yield 1
    await pause()
    yield "old"
def blocks(started, gate):
    started.set()
    gate.wait()
    return "old"
class K:
    def each(self):
        yield 1
        yield "old"
"""
NEW = OLD.replace('"old"', '"new"')


class Running(Program):
    def setUp(self):
        Program.setUp(self)
        self.write(m=OLD)
        self.m = self.load('m')

    def found(self, **options):
        self.write(m=NEW)
        self.answer = self.reload(**options)
        return sorted(((one['kind'], one['thread'], one['name'], one['function'], one['line'])
                       for one in self.entry(self.answer)['running_old']), key=str)

    def test_nothing(self):
        list(self.m.gen())
        self.assertEqual(self.found(), [])

    def test_an_asynchronous_generator_that_awaits(self):
        agen = self.m.agen()
        try:
            agen.asend(None).send(None)
        except StopIteration:
            pass
        waiting = agen.asend(None)
        waiting.send(None)
        for dry_run in (True, False):
            self.assertEqual(self.found(dry_run=dry_run), [('async_generator', None, None, 'm.agen', 19)])
        waiting.close()

    def test_generators_and_coroutines(self):
        gen, each, coro, agen, fresh = self.m.gen(), self.m.K().each(), self.m.inner(), self.m.agen(), self.m.gen()
        next(gen), next(each), coro.send(None)
        try:
            agen.asend(None).send(None)
        except StopIteration:
            pass
        for dry_run in (True, False):
            self.assertEqual(self.found(dry_run=dry_run), [
                ('async_generator', None, None, 'm.agen', 18), ('coroutine', None, None, 'm.inner', 13),
                ('generator', None, None, 'm.K.each', 27), ('generator', None, None, 'm.gen', 10),
                ('generator', None, None, 'm.gen', 9)])
        self.assertGreaterEqual(self.answer['heap']['walks'], 1)
        self.assertGreater(self.answer['heap']['objects'], 1000)
        self.assertGreaterEqual(self.answer['heap']['ms'], 0)
        self.assertEqual((next(gen), list(fresh)), ('old', [1, 'old']))
        coro.close()

    def test_nothing_of_ours_stays(self):
        gc.collect()
        gc.disable()
        try:
            self.found()
            kinds = [type(one).__name__ for one in gc.get_objects() if type(one).__module__.startswith('_mr_attach')]
            self.assertEqual([one for one in kinds if one in ('Module', 'Plan', 'Examined', 'Transaction')], [])
        finally:
            gc.enable()

    def test_threads(self):
        started, gate = threading.Event(), threading.Event()
        thread = threading.Thread(target=self.m.blocks, args=(started, gate), name='worker-3')
        thread.start()
        self.assertTrue(started.wait(10))
        try:
            self.assertEqual(self.found(), [('frame', 'worker-3', None, 'm.blocks', 23)])
        finally:
            gate.set()
            thread.join()

    def test_a_thread_without_a_name(self):
        started, gate = threading.Event(), threading.Event()
        ident = _thread.start_new_thread(self.m.blocks, (started, gate))
        self.assertTrue(started.wait(10))
        try:
            self.assertEqual(self.found(), [('frame', str(ident), None, 'm.blocks', 23)])
        finally:
            gate.set()

    def test_tasks(self):
        import asyncio
        loop = asyncio.new_event_loop()
        self.m.WAIT.append(loop.create_future())
        tasks, names = [loop.create_task(self.m.outer()), loop.create_task(self.m.inner())], ('checkout', 'refund')
        for task, name in zip(tasks, names):
            if sys.version_info >= (3, 8):
                task.set_name(name)
        names = names if sys.version_info >= (3, 8) else (None, None)
        loop.call_soon(loop.stop)
        loop.run_forever()
        try:
            expected = [('task', None, names[0], 'm.inner', 13), ('task', None, names[0], 'm.outer', 16),
                        ('task', None, names[1], 'm.inner', 13)]
            self.assertEqual(sorted(map(str, self.found())), sorted(map(str, expected)))
            self.m.WAIT[0].set_result(None)
            self.assertEqual([loop.run_until_complete(task) for task in tasks], ['old', 'old'])
        finally:
            loop.close()

    def test_greenlets(self):
        try:
            import greenlet
        except ImportError:
            self.skipTest('needs greenlet')
        self.addCleanup(sys.modules.pop, 'greenlet')
        main = greenlet.getcurrent()
        green = greenlet.greenlet(lambda: self.m.blocks(threading.Event(), type('Gate', (), {'wait': lambda self: main.switch()})()))
        green.switch()
        self.assertEqual(self.found(), [('greenlet', None, None, 'm.blocks', 23)])
        green.switch()

    def test_refused_while_suspended(self):
        gen = self.m.gen()
        next(gen)
        self.write(m=NEW)
        for options in ({}, {'dry_run': True}):
            error = self.refused(self.attempt(on_stack='refuse', **options), 'on-stack')
            self.assertEqual(error['message'], 'm.gen is suspended in a generator, line 10')
        self.assertEqual(next(self.m.gen()), 1)
        self.assertEqual(list(gen), ['old'])
        gen = self.m.agen()
        self.assertRaises(StopIteration, gen.asend(None).send, None)
        error = self.refused(self.attempt(on_stack='refuse'), 'on-stack')
        self.assertEqual(error['message'], 'm.agen is suspended in an async generator, line 18')
        del gen
        self.reload(on_stack='refuse')
        self.assertEqual(list(self.m.gen()), [1, 'new'])


if __name__ == '__main__':
    unittest.main()

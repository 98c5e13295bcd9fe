# SPDX-License-Identifier: MIT
"""payload/boot.py when something ends it in the middle: handlers of the program, the work time-out, interrupts of ours."""
import _thread
import gc
import json
import signal
import sys
import unittest

from harness import BOOT, SOURCE, Block, command, request


def run(code, **more):
    return command('exec', code=code, filename='<exec>', **more)


class Interrupts(unittest.TestCase):
    def test_work_timeout(self):
        answer = Block(request('exec', code='import time\nwhile True: pass'), False).run_until_interrupted(0.1)
        self.assertEqual((answer['status'], answer['error']['code'], answer['error']['line']), (7, 'interrupted', 2))

    def test_handler_that_raises_is_the_programs(self):
        def handler(number, frame):
            raise LookupError('from the handler')
        got = []
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            try:
                run('import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\nfor i in range(10**7): pass')
            except LookupError as error:     # the harness puts the mask back inside of run()
                got.append(str(error))
        finally:
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual(got, ['from the handler'])

    def raised_once(self, code, number=signal.SIGUSR1):
        """The answer of CODE, whose signal's handler raises the first time; and how often it was called."""
        count = []

        def first(number, frame):
            count.append(number)
            if len(count) == 1:
                raise LookupError('first time')
        before = signal.signal(number, first)
        try:
            return run('import os, signal\n' + code), len(count)
        finally:
            signal.signal(number, before)

    def test_in_a_repr(self):
        answer, count = self.raised_once('class R:\n    def __repr__(self):\n        os.kill(os.getpid(), signal.SIGUSR1)\n'
                                         '        for i in range(10**6): pass\n        return "R"\nR()')
        self.assertEqual((answer['value'], answer['error'] and answer['error']['code'], count),
                         (None, 'interrupted-by-program', 2))

    def test_in_the_str_of_an_exception(self):
        answer, count = self.raised_once('import _thread\nonce = [_thread.interrupt_main]\nclass E(Exception):\n    def __str__(self):\n'
                                         '        for one in once[:]: once.pop()()\n        return "E"\nraise E', signal.SIGINT)
        self.assertEqual((answer['error']['message'], count), ('__mr_attach__.E: <str() of the exception raised>', 2))

    def test_answer_names_it(self):
        answer, count = self.raised_once('os.kill(os.getpid(), signal.SIGUSR1)\nfor i in range(10**7): pass')
        self.assertEqual((answer['error']['code'], count), ('interrupted-by-program', 2))

    def test_keyboard_interrupt_that_the_code_raises(self):
        self.assertEqual(run('raise KeyboardInterrupt')['error']['code'], 'exception')

    def test_signals_are_blocked_but_not_for_the_code(self):
        self.assertEqual(run('import signal; sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, [])))')['value'], '[]')
        block = Block(request('exec', code='import signal; sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, [])))'),
                      False, mask=1 << (signal.SIGUSR2 - 1))
        self.assertEqual(block.run()['value'], '[%d]' % signal.SIGUSR2)

    def test_signals_are_not_blocked_for_finalizers_of_what_the_code_leaves(self):
        class Left:
            def __del__(self):
                masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        masks, __main__ = [], sys.modules['__main__']
        __main__.mr_left = Left
        try:
            self.assertEqual(run('import __main__\nleft = __main__.mr_left()\n1')['value'], '1')
        finally:
            del __main__.mr_left
        self.assertEqual(masks, [set()])

    def test_collection_is_as_before(self):
        for enabled in (True, False):
            (gc.enable if enabled else gc.disable)()
            try:
                self.assertEqual(run('import gc; gc.isenabled()')['value'], str(enabled))
                self.assertEqual(gc.isenabled(), enabled)
                run('import gc; (gc.disable if gc.isenabled() else gc.enable)()')
                self.assertEqual(gc.isenabled(), not enabled)
            finally:
                gc.enable()


class Sent(unittest.TestCase):
    """What was raised in the script that does nothing, before ours: the program's goes back to it, our interrupt never does."""

    def sent_again(self, kind, interrupt):
        block = Block(request('exec', code='1', filename='<exec>'), False)
        block.put(128, interrupt)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        try:
            exec(compile('1 / 0', '<mr-attach>', 'exec'))
        except ZeroDivisionError as error:
            names = {'view': block.view, 'source': SOURCE, 'compiled': False, 'raised': kind().with_traceback(error.__traceback__.tb_next)}
        try:
            exec(BOOT, names)
            names['main']()
            return names.get('sent')
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            names.clear()

    def test_of_the_program(self):
        for interrupt in (0, 1):
            self.assertIs(self.sent_again(LookupError, interrupt), LookupError)

    def test_of_ours(self):
        self.assertIsNone(self.sent_again(KeyboardInterrupt, 1))


class Surely(unittest.TestCase):
    """Context.surely(): what is raised in its action begins it again, and the last one goes on."""

    def surely(self, times):
        names = {'source': SOURCE}
        exec(BOOT, names)
        left, context = [times], object.__new__(names['Context'])

        def action():
            if left[0]:
                left[0] -= 1
                raise LookupError(left[0])
            return 'done'
        return context.surely(action)

    def test_begun_again(self):
        self.assertEqual([self.surely(times) for times in (0, 1, 8)], ['done'] * 3)

    def test_what_was_not_done_is_not_taken_for_done(self):
        self.assertRaises(LookupError, self.surely, 9)


class FromOutside(unittest.TestCase):
    """What comes at any line of boot.py: an interrupt, or a handler of the program (its signal went to another thread)."""

    @staticmethod
    def interrupt():
        _thread.interrupt_main()
        for _ in range(100):                                 # here, at the latest, the interpreter takes it
            pass

    @staticmethod
    def ours(frame):
        while frame is not None and not frame.f_code.co_filename.startswith('<mr-attach'):
            frame = frame.f_back
        return frame is not None

    def at_each_line(self, strike, examine):
        """Runs a request again and again, and calls STRIKE at the first, second, … line of ours, until one run has none."""
        __main__ = sys.modules['__main__']
        for number in range(1, 5000, 3):
            left, before = [number], sys.gettrace()

            def tracer(frame, event, arg):
                if not frame.f_code.co_filename.startswith('<mr-attach'):
                    return None
                if event == 'line':
                    left[0] -= 1
                    if left[0] == 0:
                        strike(block)
                return tracer
            block = Block(request('exec', code='import __main__\n__main__.mr_ran.append(1)\nlen(__main__.mr_ran)'), False)
            __main__.mr_ran = []
            sys.settrace(tracer)
            try:
                answer = block.run()
            finally:
                sys.settrace(before)
                ran = __main__.__dict__.pop('mr_ran')
            if left[0] > 0:
                self.assertGreater(number, 50)
                return
            self.assertIn(ran, ([], [1]), 'done twice, line event %d' % number)
            if answer['status'] == 0:
                self.assertEqual((ran, answer['value']), ([1], '1'))
            examine(answer, number)
        self.fail('no end')

    def test_an_interrupt(self):
        def strike(block):
            block.put(128, 1)
            raise KeyboardInterrupt

        def examine(answer, number):
            self.assertIn((answer['status'], (answer['error'] or {}).get('code')), [(0, None), (7, 'interrupted')], number)
        self.at_each_line(strike, examine)

    def test_a_hundred_times(self):
        """Each is judged once, or else the work of it would grow with their number until nothing else could be done."""
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, []))
        struck, judged = [], []
        names = {'view': Block(request('exec', code='1'), False).view, 'source': '', 'compiled': False}
        exec(BOOT, names)
        write = names['write']

        def strike(answer):
            if len(struck) < 100:
                struck.append(LookupError(len(struck)))
                raise struck[-1]
            write(answer)
        names.update(write=strike, take=lambda error: judged.append(error) or 1)
        for _ in range(100):
            with self.assertRaises(LookupError):
                names['main']()
            names['raised'] = struck[-1]
        names['main']()
        self.assertEqual(judged, struck)

    def test_again_where_the_first_one_is_caught(self):
        """How far the work came is known all the same."""
        first, second = LookupError(1), LookupError(2)

        class Kept(dict):
            def __setitem__(self, name, value):
                if name == 'error' and second not in self['raised']:
                    raise second
                dict.__setitem__(self, name, value)

        class Context:
            request = {'command': 'exec'}

            def quiet(self):
                raise first
        names = {'view': Block(request('exec', code='1'), False).view, 'source': '', 'compiled': False}
        exec(BOOT, names)
        names['kept'] = kept = Kept(names['kept'])
        names['work'](Context(), {})
        self.assertEqual((kept['error'], kept['raised'], kept['done']), (first, [second], True))

    def test_a_handler(self):
        calls = []

        def handler(number, frame):
            calls.append(number)
            if self.ours(frame):
                raise SystemExit(3)

        def strike(block):
            self.interrupt()

        def examine(answer, number):
            self.assertIn((answer['status'], (answer['error'] or {}).get('code')),
                          [(0, None), (1, 'interrupted-by-program')], number)
            self.assertEqual(len(calls), 2, 'not passed on, line event %d' % number)
            del calls[:]
        before = signal.signal(signal.SIGINT, handler)
        try:
            self.at_each_line(strike, examine)
        finally:
            signal.signal(signal.SIGINT, before)

    def tracer(self, name, number):
        """A trace function that interrupts at the line event NUMBER of ours, or of our functions called NAME."""
        left = [number]

        def tracer(frame, event, arg):
            if not frame.f_code.co_filename.startswith('<mr-attach'):
                return None
            if event == 'line' and name in (None, frame.f_code.co_name):
                left[0] -= 1
                if left[0] == 0:
                    self.interrupt()
            return tracer
        return tracer

    def test_a_handler_that_raises_before_the_signals_are_blocked_again(self):
        """They are blocked later: the signal that is sent again waits until we are gone."""
        calls, trace = [], sys.gettrace()

        def handler(number, frame):
            calls.append(number)
            if self.ours(frame):
                raise LookupError
        before = signal.signal(signal.SIGINT, handler)
        sys.settrace(self.tracer('surely', 1))
        try:
            answer = run('1')
        finally:
            sys.settrace(trace)
            signal.signal(signal.SIGINT, before)
        self.assertEqual((answer['error']['code'], len(calls)), ('interrupted-by-program', 2))

    def passes(self, block, every):
        """How often main() is begun until it comes to its end, when a handler of the program raises after each EVERY lines of it."""
        names, trace, passes = {'view': block.view, 'source': SOURCE, 'compiled': False}, sys.gettrace(), 1
        exec(BOOT, names)
        while passes < 200:
            sys.settrace(self.tracer(None, every))
            try:
                names['main']()
                break
            except LookupError as error:
                names['raised'] = error
                passes += 1
            finally:
                sys.settrace(trace)
        return passes

    def test_each_time_more_is_done(self):
        code = 'def f(n):\n    try: 1 / (n - 1) and f(n - 1)\n    except ArithmeticError as error: raise LookupError(n) from error\nf(9)'
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])

        def handler(number, frame):
            if self.ours(frame):
                raise LookupError
        before = signal.signal(signal.SIGINT, handler)
        try:
            for every in (200, 300, 500, 900):
                for content in (request('exec', code=code, filename='<exec>'), request('list')):
                    block = Block(content)
                    self.assertLess(self.passes(block, every), 30, (every, content['command']))
                    self.assertGreater(block.get(112), 0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            signal.signal(signal.SIGINT, before)

    def test_each_time_more_of_the_answer_is_written(self):
        names = {'view': Block(b'{}').view, 'source': SOURCE, 'compiled': False}
        exec(BOOT, names)
        names['kept']['raised'].append(LookupError())
        answer = {'modules': [{'name': str(n), 'lines': [n, None, True], 'texts': {'a': '\xe9', 'b': 'x"y'}} for n in range(100)]}
        trace, passes, text = sys.gettrace(), 0, None
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            while text is None and passes < 200:
                passes += 1
                sys.settrace(self.tracer(None, 1000))
                try:
                    text = names['json_text'](answer)
                except KeyboardInterrupt:
                    pass
                finally:
                    sys.settrace(trace)
        finally:
            signal.signal(signal.SIGINT, before)
        self.assertGreater(passes, 5)
        self.assertEqual(json.loads(text), answer)


if __name__ == '__main__':
    unittest.main()

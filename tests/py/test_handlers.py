# SPDX-License-Identifier: MIT
"""What a signal handler of the program raises in the middle of the engine's work, of the kinds that the engine itself catches."""
import _thread
import ast
import functools
import glob
import os
import signal
import sys
import unittest

from harness import PAYLOAD, Program, command

EVER = 'def f(): return %d\n'


class Struck(OSError, ValueError, TypeError, KeyError, IndexError, EOFError, RecursionError):
    """Nearly everything that a file, or a value of the program, can be the reason of."""


def tried():
    """(file, line) of the statements whose exceptions the engine catches."""
    for path in glob.glob(os.path.join(PAYLOAD, 'module_reloader', '*.py')):
        with open(path, encoding='utf-8') as source:
            tree = ast.parse(source.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.Try) and node.handlers:
                for statement in node.body:
                    yield os.path.basename(path), statement.lineno


class Handlers(Program):
    def struck(self, places, action):
        """What ACTION returns when a handler raises at the first of PLACES that it comes to, and how often the handler was called."""
        calls, left, files, before = [], set(places), {place[0] for place in places}, sys.gettrace()

        def handler(number, frame):
            calls.append(number)
            if len(calls) == 1:
                raise Struck(0, 'of the program')

        def tracer(frame, event, arg):
            place = os.path.basename(frame.f_code.co_filename), frame.f_lineno
            if place[0] not in files:
                return None
            if event == 'line' and place in left:
                left.clear()
                _thread.interrupt_main()
                for _ in range(100):                         # here, at the latest, the interpreter takes it
                    pass
            return tracer
        old = signal.signal(signal.SIGINT, handler)
        sys.settrace(tracer)
        try:
            answer = action()
        finally:
            sys.settrace(before)
            signal.signal(signal.SIGINT, old)
        return answer, len(calls)

    def seen(self, action):
        """The places that ACTION comes to, in turn."""
        wanted, found, before = set(tried()), [], sys.gettrace()
        files = {place[0] for place in wanted}

        def tracer(frame, event, arg):
            place = os.path.basename(frame.f_code.co_filename), frame.f_lineno
            if place[0] not in files:
                return None
            if event == 'line' and place in wanted and place not in found:
                found.append(place)
            return tracer
        sys.settrace(tracer)
        try:
            action()
        finally:
            sys.settrace(before)
        return found

    def given_back(self, text, *args, **more):
        """Wherever it comes, it is given back to the program, once; and the work was done, or nothing was."""
        number = [1]

        def again():
            command('untrack')               # so that the engine looks anew at all that it keeps
            self.forget('m')
            self.write(m=text % 1)
            m = self.load('m')
            self.write(m=text % 2)
            os.utime(self.path('m.py'), (number[0], number[0]))
            number[0] += 1
            return m

        def action():
            return command(*args, **more)
        again()
        places = self.seen(action)
        for place in places:
            m = again()
            answer, calls = self.struck([place], action)
            said = (answer['error'] or {}).get('code')
            self.assertEqual(calls, 2, 'lost: %s, %s' % (place, answer['error']))
            self.assertIn((said, m.f()), [('interrupted-by-program', 1), (None, 2), (None, 1)], (place, answer['error']))
        return dict(places)

    def forget(self, name):
        sys.modules.pop(name, None)

    def test_a_reload(self):
        places = self.given_back(EVER, 'reload-stale')
        self.assertIn('sources.py', places)

    def test_without_a_baseline(self):
        self.addCleanup(setattr, sys, 'dont_write_bytecode', sys.dont_write_bytecode)
        sys.dont_write_bytecode = True
        text = 'import os\nX = {"a": [1]}\nclass K:\n    def g(self, a=(1, 2)): return super()\n' + EVER
        places = self.given_back(text, 'reload', 'm')
        self.assertIn('guess.py', places)

    def test_a_look(self):
        for name in ('stale', 'track'):
            self.given_back(EVER, name)

    def test_whatever_the_handler_is(self):
        class Object:
            def __call__(self, number, frame):
                raise TimeoutError

            def method(self, number, frame):
                raise TimeoutError
        kinds = {'method': Object().method, 'object': Object(), 'partial': functools.partial(Object.method, None),
                 'lambda': lambda *unused: {}['x']}
        for name, kind in kinds.items():
            with self.subTest(name):
                self.assertEqual(self.raised_by(kind), int(signal.SIGINT))

    def raised_by(self, handler):
        """The signal that is told for what HANDLER raises."""
        scope = {}
        with open(os.path.join(PAYLOAD, 'module_reloader', 'handlers.py')) as source:
            exec(source.read(), scope)
        before = signal.signal(signal.SIGINT, handler)
        try:
            _thread.interrupt_main()
            for _ in range(100):
                pass
        except Exception as error:
            return scope['signal_of'](error, sys.modules['_signal'])
        finally:
            signal.signal(signal.SIGINT, before)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""payload/boot.py: exec and run, what comes back, and that nothing of ours stays."""
import io
import sys
import unittest
from unittest import mock

from harness import Block, command, request


def run(code, **more):
    return command('exec', code=code, filename='<exec>', **more)


class Exec(unittest.TestCase):
    def test_value_of_a_final_expression(self):
        self.assertEqual(run('1 + 1')['value'], '2')
        self.assertEqual(run('x = 2\nx * 3')['value'], '6')
        for code in ('None', 'x = 1', '', '# nothing', 'for i in range(3):\n    i'):
            self.assertIsNone(run(code)['value'], code)

    def test_status_and_keys(self):
        answer = run('1')
        self.assertEqual((answer['status'], answer['error'], answer['engine']), (0, None, None))
        self.assertEqual(answer['python'], sys.version.split()[0])

    def test_making_our_code_holds_the_gil(self):
        def longest(making):
            return Block(request('exec', code='1', filename='<exec>'), False).run(making=making)['gil_longest']
        self.assertGreaterEqual(longest(3.0), 3000000)
        self.assertLess(longest(0.0), 3000000)

    def test_functions_of_the_code_see_its_names(self):
        self.assertEqual(run('a = 2\ndef f():\n    return [a for _ in range(2)]\nf()')['value'], '[2, 2]')

    def test_namespace_is_fresh(self):
        run('leak = 1')
        self.assertEqual(run('"leak" in globals(), __name__')['value'], "(False, '__mr_attach__')")
        self.assertNotIn('leak', sys.modules['__main__'].__dict__)

    def test_output_of_both_streams(self):
        self.assertEqual(run('import sys\nprint("a")\nprint("b", file=sys.stderr)\nsys.stdout.write("c")\n'
                             'sys.stdout.buffer.write(b"d")')['output'], 'a\nb\ncd')

    def test_output_is_truncated_and_counted(self):
        answer = run('for _ in range(1000): print("x" * 99)', limits={'output': 1000, 'value': 100})
        self.assertEqual(len(answer['output']), 1000)
        self.assertEqual(answer['notes'], ['output truncated: 1000 of 100000 characters kept'])

    def test_value_is_truncated(self):
        answer = run('"x" * 1000', limits={'output': 10, 'value': 100})
        self.assertEqual(len(answer['value']), 100)
        self.assertIn('value truncated', answer['notes'][0])

    def test_streams_are_put_back(self):
        before = sys.stdout, sys.stderr
        run('print(1)')
        run('1/0')
        run('(')
        self.assertEqual((sys.stdout, sys.stderr), before)

    def test_stream_that_was_replaced_stays(self):
        before = sys.stdout
        try:
            run('import sys, io\nsys.stdout = io.StringIO()')
            self.assertIsInstance(sys.stdout, io.StringIO)
        finally:
            sys.stdout = before

    def test_missing_stream(self):
        with mock.patch.object(sys, 'stdout', None):
            self.assertEqual(run('print(1)')['output'], '1\n')
            self.assertIsNone(sys.stdout)

    def test_stream_that_somebody_kept_goes_to_the_original(self):
        with mock.patch.object(sys, 'stdout', io.StringIO()) as out:
            run('import sys\nsys.modules["__main__"].kept = sys.stdout\nprint("ours")')
            kept = sys.modules['__main__'].__dict__.pop('kept')
            print('later', file=kept)
            kept.flush()
            self.assertFalse(kept.isatty())
            self.assertEqual(out.getvalue(), 'later\n')

    def test_other_threads_print_where_they_did(self):
        with mock.patch.object(sys, 'stdout', io.StringIO()) as out:
            answer = run('import threading\nt = threading.Thread(target=lambda: print("other"))\nt.start()\nt.join()\n'
                         'print("mine")')
            self.assertEqual((answer['output'], out.getvalue()), ('mine\n', 'other\n'))

    def test_surrogates_and_any_text(self):
        self.assertEqual(run('"\\udc80\\ud800\\U0001F600\\x00\\x7f\xe9"')['value'], repr('\udc80\ud800\U0001F600\x00\x7f\xe9'))
        answer = Block(request('exec', code='print("\\udc80\\ud800\\U0001F600\\x00\\x7f\\"\\\\")'), False)
        text = answer.run()['output']
        self.assertEqual(text, '\U0010dc80\ufffd\U0001F600\x00\x7f"\\\n')

    def test_source_encodings(self):
        self.assertEqual(run(b'# -*- coding: latin-1 -*-\nlen("\xe9")')['value'], '1')
        self.assertEqual(run('len("\xe9")'.encode('utf-8'))['value'], '1')
        self.assertEqual(run(b'"\xe9"')['error']['code'], 'syntax-error')
        self.assertEqual(run(b'x = 1\r\nx\r\n')['value'], '1')

    def test_run(self):
        answer = command('run', code='__file__, argv, __name__', filename='/x/\udc80.py', argv=['a', 'b\udc81'])
        self.assertEqual(answer['value'], repr(('/x/\udc80.py', ['a', 'b\udc81'], '__mr_attach__')))

    def test_modules_are_not_touched(self):
        before = set(sys.modules)
        run('1')
        run('(')
        run('1/0')
        self.assertEqual(set(sys.modules), before)

    def test_ten_megabytes(self):
        self.assertEqual(run('len("%s")' % ('x' * 10000000))['value'], '10000000')
        error = run('x = 1\n' * 1600000)['error']
        self.assertEqual(error['code'], 'too-large')
        self.assertIn('--force', error['hint'])

    def test_no_reference_is_kept(self):
        block = Block(request('exec', code='1'), False)
        block.run()
        block.memory.extend(b'x')            # BufferError if anything still exports it

    def test_nothing_on_the_streams_and_in_sys(self):
        with mock.patch.object(sys, 'stderr', io.StringIO()) as err:
            before = set(sys.__dict__)
            run('raise ValueError')
            run('"\\d"')
            self.assertEqual(err.getvalue(), '')
            self.assertEqual(set(sys.__dict__) - before, set())


class Errors(unittest.TestCase):
    def test_exception(self):
        error = run('def f():\n    1/0\nf()')['error']
        self.assertEqual((error['code'], error['message'], error['file'], error['line']),
                         ('exception', 'ZeroDivisionError: division by zero', '<exec>', 2))
        self.assertEqual(error['traceback'], 'Traceback (most recent call last):\n  File "<exec>", line 3, in <module>\n'
                         '    f()\n  File "<exec>", line 2, in f\n    1/0\nZeroDivisionError: division by zero\n')

    def test_chained(self):
        text = run('try:\n    1/0\nexcept Exception as e:\n    raise KeyError(1) from e')['error']['traceback']
        self.assertIn('direct cause', text)
        text = run('try:\n    1/0\nexcept Exception as e:\n    raise KeyError(1)')['error']['traceback']
        self.assertIn('During handling', text)

    def test_the_programs_exception_is_not_shown(self):
        try:
            raise OSError('of the program')
        except OSError:
            self.assertNotIn('of the program', run('1/0')['error']['traceback'])

    def test_syntax_error(self):
        error = run('x = 1\ny = (')['error']
        self.assertEqual((error['code'], error['file']), ('syntax-error', '<exec>'))
        self.assertIn('SyntaxError', error['message'])

    def test_nul(self):
        self.assertEqual(run('x = 1\0')['error']['code'], 'syntax-error')

    def test_nesting(self):
        self.assertEqual(run('(' * 5000 + ')' * 5000)['error']['code'], 'syntax-error')

    def test_system_exit(self):
        self.assertEqual(run('raise SystemExit(3)')['error']['code'], 'system-exit')
        self.assertEqual(run('import sys; sys.exit()')['status'], 1)

    def test_recursion(self):
        self.assertIn('RecursionError', run('def f(): f()\nf()')['error']['message'])

    def test_repr_raises(self):
        answer = run('class R:\n    def __repr__(self): 1/0\nR()')
        self.assertEqual((answer['status'], answer['value']), (0, '<repr raised ZeroDivisionError>'))

    def test_str_of_the_exception_raises(self):
        self.assertIn('str() of the exception raised', run('class E(Exception):\n    def __str__(self): 1/0\nraise E')['error']['message'])

    def test_answer_that_does_not_fit(self):
        answer = Block(request('exec', code='"a" * 90000'), False, room=2000).run()
        self.assertIn('answer truncated', answer['notes'][0])
        block = Block(request('exec', code='"a" * 90000'), False, room=2000)
        block.run()
        self.assertGreater(block.get(120), 90000)
        self.assertLessEqual(block.get(112), 2000)

    def test_bad_request(self):
        answer = Block(b'{"nonsense": ', False).run()
        self.assertEqual((answer['status'], answer['error']['code']), (1, 'engine'))

    def test_unknown_command(self):
        self.assertEqual(command('frobnicate')['error']['code'], 'engine')


if __name__ == '__main__':
    unittest.main()

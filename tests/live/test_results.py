# SPDX-License-Identifier: MIT
"""What comes back: values, output, tracebacks, exit statuses, the JSON; and input that is not as it should be."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from harness import (DEFAULT, MR_ATTACH, REQUIRED, LiveTest, Target, attach, each, each_python, environment, expand, label)


class OneTarget(LiveTest):
    """Tests that share one waiting target; it must bear good witness in the end."""
    python = DEFAULT
    way = 'read'

    @classmethod
    def setUpClass(cls):
        cls.target = Target(cls.way, cls.python).__enter__()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.target.stop()
        finally:
            cls.target.kill()

    def tearDown(self):
        self.assertUnharmed(self.target)

    def attach(self, *args, **options):
        return self.target.attach(*args, **options)


class Exec(OneTarget):
    def test_value(self):
        result = self.attach('exec', '6 * 7')
        self.assertStatus(result, 0)
        self.assertEqual(result.stdout.strip(), '42')
        self.assertEqual(result.stderr, '')

    def test_no_value(self):
        result = self.attach('-j', 'exec', 'x = 1')
        self.assertStatus(result, 0)
        self.assertIsNone(result.value)

    def test_none_is_no_value_in_text(self):
        result = self.attach('exec', 'None')
        self.assertStatus(result, 0)
        self.assertEqual(result.stdout.strip(), '')

    def test_output(self):
        result = self.attach('exec', 'import sys; print("one"); sys.stderr.write("two\\n"); 3')
        self.assertStatus(result, 0)
        self.assertIn('one\n', result.stdout)
        self.assertIn('two\n', result.stdout)
        self.assertIn('3', result.stdout)

    def test_output_json(self):
        report = self.attach('-j', 'exec', 'print("one", end=""); 3').json
        self.assertEqual((report['output'], report['value'], report['status']), ('one', '3', 0))

    def test_several_lines(self):
        result = self.attach('-j', 'exec', 'def f(x):\n    return x + 1\n\nf(1)\n')
        self.assertStatus(result, 0)
        self.assertEqual(result.value, '2')

    def test_exception(self):
        result = self.attach('exec', 'x = 1\nx / 0')
        self.assertStatus(result, 1)
        self.assertIn('ZeroDivisionError', result.stderr)
        self.assertIn('line 2', result.stderr)

    def test_exception_json(self):
        report = self.attach('-j', 'exec', 'x = 1\nx / 0').json
        self.assertReport(report)
        self.assertEqual(report['status'], 1)
        self.assertEqual(report['error']['code'], 'exception')
        self.assertIn('Traceback', report['error']['traceback'])
        self.assertEqual(report['error']['line'], 2)

    def test_output_before_an_exception_is_kept(self):
        report = self.attach('-j', 'exec', 'print("so far"); 1 / 0').json
        self.assertEqual(report['output'], 'so far\n')

    def test_syntax_error(self):
        report = self.attach('-j', 'exec', 'x = = 1').json
        self.assertEqual((report['status'], report['error']['code']), (1, 'syntax-error'))

    @each([('exit', 'import sys; sys.exit(3)'), ('raise', 'raise SystemExit("no")')])
    def test_system_exit(self, code):
        report = self.attach('-j', 'exec', code).json
        self.assertEqual((report['status'], report['error']['code']), (1, 'system-exit'))

    def test_keyboard_interrupt(self):
        report = self.attach('-j', 'exec', 'raise KeyboardInterrupt').json
        self.assertEqual((report['status'], report['error']['code']), (1, 'exception'))

    def test_name_and_main(self):
        self.assertEqual(self.attach('-j', 'exec', '__name__').value, "'__mr_attach__'")
        self.attach('exec', 'leaked_name = 1')
        self.assertEqual(self.attach('-j', 'exec', 'import __main__; hasattr(__main__, "leaked_name")').value, 'False')

    def test_bad_repr(self):
        code = 'class Bad:\n    def __repr__(self): 1 / 0\nBad()'
        result = self.attach('-j', 'exec', code)
        self.assertIn(result.status, (0, 1), str(result))
        self.assertIn('ZeroDivisionError', result.stdout)

    def test_deep_recursion(self):
        result = self.attach('-j', 'exec', 'def f(n): return f(n + 1)\nf(0)')
        self.assertStatus(result, 1)
        self.assertIn('RecursionError', result.json['error']['traceback'])

    def test_non_ascii(self):
        report = self.attach('-j', 'exec', 'print("\u00e4\u20ac\U0001f40d"); "\u00e4\u20ac\U0001f40d"').json
        self.assertEqual((report['output'], report['value']), ('\u00e4\u20ac\U0001f40d\n', "'\u00e4\u20ac\U0001f40d'"))

    def test_lone_surrogate(self):
        result = self.attach('-j', 'exec', 'print(b"\\xff".decode("utf-8", "surrogateescape"))')
        self.assertStatus(result, 0)
        self.assertIn('\\udcff', result.stdout.lower())

    def test_control_characters_do_not_reach_a_terminal(self):
        result = self.attach('exec', 'print("\\x1b[31mred\\x07")')
        self.assertStatus(result, 0)
        self.assertNotIn('\x07', result.stdout if os.isatty(1) else '')

    def test_from_stdin(self):
        result = self.attach('-j', 'exec', '-', stdin=b'a = 20\na + 1\n')
        self.assertStatus(result, 0)
        self.assertEqual(result.value, '21')

    def test_10_mb_of_code(self):
        code = b'x = 1\n' + b'#' + b'y' * (10 << 20) + b'\nlen("z")\n'
        result = self.attach('-j', 'exec', '-', stdin=code)
        self.assertStatus(result, 0)
        self.assertEqual(result.value, '1')

    def test_50_mb_of_output(self):
        result = self.attach('-j', 'exec', 'for _ in range(50): print("x" * (1 << 20))')
        self.assertStatus(result, 0)
        self.assertLess(len(result.stdout), 5 << 20)
        text = self.attach('exec', 'for _ in range(50): print("x" * (1 << 20))')
        self.assertRegex(text.stdout + text.stderr, 'truncated')

    def test_big_value(self):
        result = self.attach('-j', 'exec', '"x" * (20 << 20)')
        self.assertStatus(result, 0)
        self.assertLess(len(result.stdout), 5 << 20)

    def test_empty_code(self):
        result = self.attach('exec', '')
        self.assertIn(result.status, (0, 2), str(result))

    def test_nul_byte(self):
        result = self.attach('-j', 'exec', '-', stdin=b'x = "\0"\n')
        self.assertStatus(result, 1)

    def test_not_utf8(self):
        result = self.attach('-j', 'exec', '-', stdin=b'x = "\xff"\n')
        self.assertStatus(result, 1)
        self.assertEqual(result.json['error']['code'], 'syntax-error')

    def test_threads_started_by_the_code_go_on(self):
        code = 'import threading; t = threading.Timer(0.2, lambda: None); t.start(); t.name and 1'
        self.assertStatus(self.attach('exec', code), 0)
        # The mask of a new thread must not be ours: looked at from inside.
        code = ('import threading, signal; r = []\n'
                't = threading.Thread(target=lambda: r.append(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))))\n'
                't.start(); t.join(); r')
        self.assertEqual(self.attach('-j', 'exec', code).value, '[[]]')

    def test_verbose_shows_timings_on_stderr(self):
        result = self.attach('-v', 'exec', '1')
        self.assertStatus(result, 0)
        self.assertRegex(result.stderr, r'\d')
        self.assertEqual(result.stdout.strip(), '1')

    def test_quiet(self):
        result = self.attach('-q', 'exec', 'x = 1')
        self.assertEqual((result.status, result.stdout, result.stderr), (0, '', ''))


class Exec313(Exec):
    python = REQUIRED[-1]


@expand
class Run(OneTarget):
    def script(self, text):
        file = tempfile.NamedTemporaryFile('w', suffix='.py', prefix='mr-run-')
        file.write(text)
        file.flush()
        self.addCleanup(file.close)
        return file.name

    def test_file(self):
        path = self.script('print(argv)\nprint(__name__)\n')
        result = self.attach('run', path, 'a', '-v', '--json')
        self.assertStatus(result, 0)
        self.assertIn('--json', result.stdout)
        self.assertIn('__mr_attach__', result.stdout)

    def test_the_targets_argv_stays(self):
        path = self.script('import sys\nprint(sys.argv[1])\n')
        self.assertEqual(self.attach('run', path, 'a').stdout, 'read\n')

    def test_traceback_names_the_file(self):
        path = self.script('x = 1\n\n1 / 0\n')
        result = self.attach('run', path)
        self.assertStatus(result, 1)
        self.assertIn(path, result.stderr)
        self.assertIn('line 3', result.stderr)

    def test_stdin(self):
        result = self.attach('run', '-', stdin=b'print(5)\n')
        self.assertStatus(result, 0)
        self.assertEqual(result.stdout, '5\n')

    @each([('missing', '/nonexistent/file.py'), ('folder', '/tmp')])
    def test_unreadable(self, path):
        result = self.attach('run', path)
        self.assertIn(result.status, (1, 2), str(result))
        self.assertIn(path, result.stderr)


class Report(OneTarget):
    def test_json_is_one_line(self):
        result = self.attach('-j', 'exec', '1')
        self.assertEqual(result.stdout.count('\n'), 1)
        self.assertEqual(result.stderr, '')
        report = result.json
        self.assertReport(report)
        self.assertEqual((report['pid'], report['command'], report['interpreter']), (self.target.pid, 'exec', 0))
        self.assertEqual(report['executable'], os.readlink('/proc/%d/exe' % self.target.pid))
        self.assertGreater(report['timing_us']['total'], report['timing_us']['stopped'])
        self.assertGreaterEqual(report['timing_us']['stopped_sum'], report['timing_us']['stopped'])
        self.assertGreaterEqual(report['timing_us']['stops'], 1)

    def test_errors_are_json_too(self):
        result = attach(4194303, '-j', 'exec', '1')
        self.assertStatus(result, 3)
        report = result.json
        self.assertReport(report)
        self.assertEqual((report['status'], report['error']['code']), (3, 'no-such-process'))

    def test_several_processes(self):
        with Target('read') as other:
            result = attach(self.target.pid, other.pid, '-j', 'exec', 'import os; os.getpid()')
            self.assertStatus(result, 0)
            reports = [json.loads(line) for line in result.stdout.splitlines()]
            self.assertEqual([r['value'] for r in reports], [str(self.target.pid), str(other.pid)])
            result = attach(self.target.pid, other.pid, 'exec', 'import os; os.getpid()')
            self.assertIn(str(self.target.pid), result.stdout)
            other.stop()

    def test_statuses_that_differ(self):
        result = attach(self.target.pid, 4194303, '-j', 'exec', '1')
        self.assertStatus(result, 8)
        self.assertEqual([json.loads(line)['status'] for line in result.stdout.splitlines()], [0, 3])

    def test_statuses_that_do_not(self):
        self.assertStatus(attach(4194302, 4194303, 'exec', '1'), 3)

    def test_closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = self.attach('exec', '1', stdout=writer)
        os.close(writer)
        self.assertStatus(result, 74)

    def test_full_disk(self):
        with open('/dev/full', 'w') as full:
            self.assertStatus(self.attach('exec', '1', stdout=full), 74)

    def test_no_escape_sequences_in_a_pipe(self):
        for args in (['exec', '1'], ['exec', '1/0'], ['info']):
            result = self.attach(*args)
            self.assertNotIn('\x1b', result.stdout + result.stderr)

    def test_peak_memory(self):
        wanted = 24 << 10
        code = ('import resource, subprocess, sys; subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL); '
                'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)')
        peak = subprocess.check_output(['python3', '-c', code, MR_ATTACH, str(self.target.pid), 'exec', '1'],
                                       env=environment())
        if not os.environ.get('SAN'):
            self.assertLess(int(peak), wanted)


@expand
class Usage(LiveTest):
    """Exit 2, one clear line and a hint on stderr, nothing on stdout."""

    @each([
        ('nothing', [], 'no PID given'), ('no_pid', ['reload-stale'], 'no PID given'),
        ('no_command', ['1'], 'command'), ('unknown_command', ['1', 'reload-stail'], 'reload-stale'),
        ('abbreviated', ['1', 'inf'], 'info'), ('bad_option', ['--nonsense', '1', 'info'], 'nonsense'),
        ('bad_timeout', ['-t', 'soon', '1', 'info'], 'soon'), ('negative_timeout', ['-t', '-1', '1', 'info'], '-1'),
        ('bad_thread', ['--thread', 'some', '1', 'info'], 'some'), ('zero', ['0', 'info'], '0'),
        ('negative_pid', ['--', '-5', 'info'], '-5'), ('huge_pid', ['99999999999999999999', 'info'], '99999999999999999999'),
        ('reload_nothing', ['1', 'reload'], 'reload'), ('exec_nothing', ['1', 'exec'], 'exec'),
        ('run_nothing', ['1', 'run'], 'run'), ('too_much', ['1', 'info', 'more'], 'more'),
        ('empty_command', ['1', ''], ''), ('empty_pid', ['', 'info'], ''),
    ])
    def test_usage(self, args, named):
        result = attach(*args)
        self.assertStatus(result, 2)
        self.assertEqual(result.stdout, '')
        self.assertIn(named, result.stderr)
        self.assertLess(len(result.stderr.splitlines()), 4, str(result))

    def test_help(self):
        result = attach('--help')
        self.assertStatus(result, 0)
        self.assertIn('reload-stale', result.stdout)
        self.assertEqual(result.stderr, '')

    def test_version(self):
        result = attach('--version')
        self.assertStatus(result, 0)
        self.assertRegex(result.stdout, r'\d+\.\d+\.\d+')

    def test_links_no_libpython(self):
        self.assertNotIn('libpython', subprocess.check_output(['ldd', MR_ATTACH]).decode())


@expand
class EveryPython(LiveTest):
    @each_python()
    def test_value_output_and_traceback(self, python):
        with Target('read', python) as target:
            report = target.attach('-j', 'exec', 'print("out"); "val"').json
            self.assertEqual((report['output'], report['value']), ('out\n', "'val'"))
            self.assertTrue(report['python'].startswith('%d.%d' % python.version), label(python))
            failed = target.attach('-j', 'exec', 'int("x")')
            self.assertStatus(failed, 1)
            self.assertIn('ValueError', failed.json['error']['traceback'])
            self.assertUnharmed(target)
            self.assertEqual(target.stop()['modules'], [], 'modules were loaded on the way')

    @each_python()
    def test_nothing_of_ours_is_compiled_where_it_came_compiled(self, python):
        look = '__import__("sys")._getframe(1).f_globals["compiled"]'
        sent = re.search('compiled for CPython: (.*)', attach('--version').stdout).group(1).split(', ')
        with Target('read', python) as target:
            expected = '%d.%d' % python.version in sent
            self.assertEqual(target.attach('-j', 'exec', look).value, repr(expected))
            target.stop()

    @each_python()
    def test_nothing_is_left_in_the_interpreter(self, python):
        look = ('import sys, gc, threading; (sorted(m for m in sys.modules if "mr_attach" in m), len(threading.enumerate()), '
                'threading.active_count())')
        with Target('read', python) as target:
            self.assertEqual(target.attach('-j', 'exec', look).value, '([], 1, 1)')
            target.stop()


expand(Exec)
expand(Exec313)
del OneTarget  # no test by itself


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""payload/compile.py: what is sent compiled does what the source does, and is left alone where it is for another Python."""
import builtins
import importlib.util
import io
import marshal
import os
import sys
import types
import unittest
from unittest import mock

from harness import EXECUTE, PACKAGE, PAYLOAD, SOURCE, Program, command

SPEC = importlib.util.spec_from_file_location('payload_compile', os.path.join(PAYLOAD, 'compile.py'))
COMPILER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(COMPILER)
BROKEN = b'execute.code 3\n...'


def with_code(package):
    return package + b''.join(COMPILER.packed(name, source) for name, source in COMPILER.unpacked(package))


def compiled_here():
    """A mock of compile() that notes the files of ours that are compiled."""
    real, files = builtins.compile, []

    def noted(source, filename, *args, **more):
        files.extend([filename] if filename.startswith('<mr-attach') else [])
        return real(source, filename, *args, **more)
    return mock.patch.object(builtins, 'compile', noted), files


class Compiled(Program):
    def test_exec_compiles_nothing_of_ours(self):
        sent, (patch, files) = with_code(EXECUTE), compiled_here()
        with patch:
            answer = command('exec', code='1 + 1', filename='<exec>', sent=sent, compiled=True)
        self.assertEqual((answer['value'], files), ('2', []))

    def test_reload_and_undo_compile_nothing_of_ours(self):
        self.write(m='def f():\n    return 1\n')
        m, sent = self.load('m'), with_code(PACKAGE)
        self.write(m='def f():\n    return 2\n')
        patch, files = compiled_here()
        with patch:
            self.assertEqual(command('reload-stale', sent=sent, compiled=True)['status'], 0)
            self.assertEqual(m.f(), 2)
            self.assertEqual(command('undo', sent=sent, compiled=True)['status'], 0)
            self.assertEqual(m.f(), 1)
        self.assertEqual(files, [])

    def test_code_for_another_python_is_left_alone(self):
        self.assertEqual(command('exec', code='1 + 1', filename='<exec>', sent=EXECUTE + BROKEN)['value'], '2')

    def test_what_the_build_writes(self):
        def pack(name, source):
            return b'%s %d\n' % (name.encode(), len(source)) + source
        given = pack('boot', SOURCE) + EXECUTE + pack('lazy', b'a = 1\n') + pack('host', b'b = 2\n')
        out = types.SimpleNamespace(buffer=io.BytesIO())
        with mock.patch.object(sys, 'stdin', types.SimpleNamespace(buffer=io.BytesIO(given))), \
                mock.patch.object(sys, 'stdout', out):
            COMPILER.main()
        head, _, rest = out.buffer.getvalue().partition(b'\n')
        version, magic, *sizes = head.decode().split(' ')
        boot, base, engine = map(int, sizes)
        self.assertEqual((version, magic), ('%d.%d' % sys.version_info[:2], importlib.util.MAGIC_NUMBER.hex()))
        self.assertEqual(len(rest), boot + base + engine)
        self.assertEqual(marshal.loads(rest[:boot]).co_filename, '<mr-attach>')
        self.assertEqual([name for name, _ in COMPILER.unpacked(rest[boot:boot + base])],
                         ['trouble.code', 'escapes.code', 'execute.code', 'handlers.code'])
        parts = dict(COMPILER.unpacked(rest[boot + base:]))
        self.assertEqual(sorted(parts), ['host.code', 'lazy.code'])
        self.assertEqual(marshal.loads(parts['lazy.code']).co_filename, '<mr-attach>/lazy.py')


if __name__ == '__main__':
    unittest.main()

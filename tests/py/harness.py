# SPDX-License-Identifier: MIT
"""Runs payload/boot.py as the stub does: as a script with a memoryview of a request block, in this process."""
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import textwrap
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAYLOAD = os.path.join(ROOT, 'payload')
OPTIONS = {'dry_run': False, 'full': False, 'keep': [], 'reinit': [], 'dependents': False, 'on_stack': 'report',
           'all': False, 'force': False, 'verbose': 0, 'work_timeout': 10.0}
KEYS = {'status', 'python', 'executable', 'interpreter', 'gil_longest', 'modules', 'excluded_stale', 'heap', 'output',
        'value', 'error', 'history', 'engine', 'notes'}
START = 4096

with open(os.path.join(PAYLOAD, 'boot.py'), 'rb') as stream:
    SOURCE = stream.read()
    BOOT = compile(SOURCE, '<mr-attach>', 'exec', 0, True)


def packed(*files):
    """Files as they are sent."""
    found = b''
    for name in files:
        with open(os.path.join(PAYLOAD, name), 'rb') as stream:
            data = stream.read()
        found += ('%s %d\n' % (os.path.basename(name)[:-3], len(data))).encode() + data
    return found


TROUBLE = packed('trouble.py', 'escapes.py', 'module_reloader/handlers.py')
EXECUTE = TROUBLE + packed('execute.py')
PACKAGE = TROUBLE + packed(*('module_reloader/' + name for name in sorted(os.listdir(os.path.join(PAYLOAD, 'module_reloader')))
                             if name.endswith('.py') and name != 'handlers.py'))


def latin(text):
    """A text as attach/ sends it: each byte as one character."""
    return text if isinstance(text, str) and text.isascii() else \
        (text if isinstance(text, bytes) else os.fsencode(text)).decode('latin-1')


if not hasattr(str, 'isascii'):
    def latin(text):                         # noqa: F811: Python 3.6
        return (text if isinstance(text, bytes) else os.fsencode(text)).decode('latin-1')


def request(command, args=(), code=None, filename=None, argv=(), targets=None, who=None, limits=None, **options):
    """The request for a command, its targets made as attach/ makes them."""
    if targets is None:
        targets = [target(one) for one in args]
    return {'schema': 1, 'version': '0.1.0', 'command': command, 'args': [latin(one) for one in args],
            'targets': targets, 'code': None if code is None else latin(code),
            'filename': None if filename is None else latin(filename), 'argv': [latin(one) for one in argv],
            'options': dict(OPTIONS, **options), 'who': who or {'uid': 0, 'sudo_user': None},
            'limits': limits or {'output': 1 << 20, 'value': 1 << 18}}


def target(text):
    text = os.fsdecode(text)
    path = '/' in text or text.endswith('.py')
    ours = None
    if path and os.path.exists(text):
        found = os.stat(text)
        ours = {'dev': found.st_dev, 'ino': found.st_ino, 'path': latin(os.path.realpath(text))}
    return {'text': latin(text), 'kind': 'path' if path else 'name', 'ours': ours}


class Block:
    """A request block in our own memory."""

    def __init__(self, content, with_package=True, room=1 << 21, mask=0, sent=None):
        data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode('utf-8')
        sent = sent or (PACKAGE if with_package else EXECUTE)
        self.memory = bytearray(START + len(data) + len(sent) + room)
        self.memory[START:START + len(data) + len(sent)] = data + sent
        self.answer_at = START + len(data) + len(sent)
        for offset, value in ((64, START), (72, len(data)), (80, START + len(data)), (88, len(sent)),
                              (96, self.answer_at), (104, room), (136, mask)):
            self.put(offset, value)
        self.view = memoryview(self.memory)

    def with_questions(self, room=1 << 16):
        """With room for a question and what is told."""
        self.view.release()
        for offset in (240, 264):
            self.put(offset, len(self.memory))
            self.put(offset + 8, room)
            self.memory += bytes(room)
        self.view = memoryview(self.memory)
        return self

    def put(self, offset, value):
        self.memory[offset:offset + 8] = value.to_bytes(8, 'little')

    def get(self, offset):
        return int.from_bytes(self.memory[offset:offset + 8], 'little')

    def run_until_interrupted(self, seconds):
        """Run it, and do after SECONDS as the tool does at the end of the time for the work."""
        def interrupt():
            self.put(128, 1)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.main_thread().ident),
                                                       ctypes.py_object(KeyboardInterrupt))
        import ctypes                        # not all that tests here have it loaded
        timer = threading.Timer(seconds, interrupt)
        timer.start()
        answer = self.run()
        timer.join()
        return answer

    def run(self, compiled=False, making=0):
        """Run boot.py over it: the answer.  COMPILED: what was sent is compiled for this Python; MAKING it lasted so long."""
        self.put(296, int((time.monotonic() - making) * 1e9))
        view = self.view
        self.view = None
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        names, done = {'view': view, 'source': SOURCE, 'compiled': compiled}, 0
        try:
            for _ in range(200):
                try:
                    if 'main' not in names:
                        exec(BOOT, names)
                    names['settle' if done else 'main']()
                    done += 1
                    if done == 2:
                        break
                except BaseException as error:
                    names['raised'] = error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            view.release()
            names.clear()
            names['__builtins__'] = __builtins__
        text = bytes(self.memory[self.answer_at:self.answer_at + self.get(112)])
        text.decode('ascii')
        return json.loads(text.decode())


def other_engine(name, change):
    """The engine with the source of its module NAME changed by CHANGE, as another version would send it."""
    found, start = b'', 0
    while start < len(PACKAGE):
        end = PACKAGE.index(b'\n', start)
        part, size = PACKAGE[start:end].decode().split(' ')
        data, start = PACKAGE[end + 1:end + 1 + int(size)], end + 1 + int(size)
        data = change(data) if part == name else data
        found += ('%s %d\n' % (part, len(data))).encode() + data
    return found


def command(name, *args, **more):
    """Run one command here, as mr-attach would."""
    with_package = name not in ('exec', 'run')
    sent, compiled = more.pop('sent', None), more.pop('compiled', False)
    answer = Block(request(name, args, **more), with_package, sent=sent).run(compiled)
    missing = KEYS ^ set(answer)
    if missing:
        raise AssertionError('keys of the answer: %s' % missing)
    return answer


class Program(unittest.TestCase):
    """A test with a folder of modules of its own on sys.path."""

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix='mr-attach-test-'))
        sys.path.insert(0, self.folder)
        self.before, self.no_pyc = dict(sys.modules), sys.dont_write_bytecode
        sys.dont_write_bytecode = False
        self.meta_path = list(sys.meta_path)
        importlib.invalidate_caches()

    def tearDown(self):
        sys.path.remove(self.folder)
        sys.dont_write_bytecode = self.no_pyc
        sys.meta_path[:] = self.meta_path
        engine = sys.modules.get('_mr_attach')
        if engine is not None and hasattr(engine, 'state'):
            engine.state.STATE.update(tracked={}, history=[], journal=[], undone={}, last=0)
            if hasattr(engine, 'tracking'):
                engine.tracking.loaded_modules.clear()
        for name in set(sys.modules) - set(self.before):
            entry = sys.modules[name]
            path = getattr(entry, '__file__', None) or ''
            # Until 3.9 CPython keeps a pointer to its module atexit.
            kept = name in sys.builtin_module_names or '_mr_attach' in name
            if path.startswith(self.folder) or name == 'module_reloader' or not path and not kept:
                del sys.modules[name]
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, **files):
        """Write modules: name=source; `pkg__init` is pkg/__init__.py, `pkg__m` is pkg/m.py."""
        for name, text in files.items():
            parts = name.split('__')
            if parts[-1] == 'init':
                parts[-1] = '__init__'
            path = self.path('/'.join(parts) + '.py')
            os.makedirs(os.path.dirname(path), exist_ok=True)
            data = text if isinstance(text, bytes) else textwrap.dedent(text).encode('utf-8')
            with open(path, 'wb') as out:
                out.write(data)
        importlib.invalidate_caches()

    def load(self, *names):
        found = [importlib.import_module(name) for name in names]
        return found[0] if len(found) == 1 else found

    def reload(self, *args, **options):
        """reload-stale, or reload of ARGS; it must succeed."""
        answer = self.attempt(*args, **options)
        self.assertIsNone(answer['error'], answer['error'] and (answer['error']['message'] + '\n' +
                                                                str(answer['error']['traceback'])))
        self.assertEqual(answer['status'], 0)
        return answer

    def attempt(self, *args, **options):
        return command('reload' if args else 'reload-stale', *args, **options)

    def entry(self, answer, name='m'):
        found = [one for one in answer['modules'] if one['name'] == name]
        self.assertEqual(len(found), 1, 'entries of %s in %s' % (name, answer['modules']))
        return found[0]

    def refused(self, answer, code):
        self.assertEqual(answer['status'], 1)
        self.assertIsNotNone(answer['error'])
        self.assertEqual(answer['error']['code'], code, answer['error'])
        self.assertTrue(answer['error']['message'])
        return answer['error']

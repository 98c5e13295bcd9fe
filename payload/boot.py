# SPDX-License-Identifier: MIT
"""The first of our code that runs inside the target: takes one request, does it, writes one answer.

It is executed as a script whose namespace holds `view`, a writable memoryview of the request block (request.h).  It
runs in a process that is not ours, at a moment nobody chose, so it keeps these rules:

* nothing is imported: what it needs is built into the interpreter, and is taken out of sys.modules again if the
  program had not loaded it; the program's import hooks never see us;
* it prints nothing, raises nothing, and leaves nothing behind: no name, no reference to the block, no cache entry;
* an exception that a signal handler of the program raised in the middle of our work belongs to the program: the
  signal is sent again to this thread, where it is taken when we are gone;
* signals are blocked in this thread while we work, and not while code of the user or of a module runs.
"""
import sys

INPUT, PACKAGE, ANSWER, ANSWER_LEN, ANSWER_FULL, INTERRUPT, SIGMASK, ENGINE = 64, 80, 96, 112, 120, 128, 136, 144
OURS = '<mr-attach'                          # what the file names of our own code begin with
ONLY_AST = 0x400                             # PyCF_ONLY_AST
JSON_ESCAPES = {'\\': '\\\\', '"': '\\"', '\n': '\\n', '\t': '\\t', '\r': '\\r'}


def builtin(name):
    """The built-in module NAME, without the import system's locks and finders, and without leaving it loaded."""
    module = sys.modules.get(name)
    if module is None:
        bootstrap, imp = sys.modules['_frozen_importlib'], sys.modules['_imp']
        module = imp.create_builtin(bootstrap.ModuleSpec(name, bootstrap.BuiltinImporter, origin='built-in'))
        imp.exec_builtin(module)
        sys.modules.pop(name, None)
    return module


_thread, _signal, gc, time = builtin('_thread'), builtin('_signal'), builtin('gc'), builtin('time')
# Without those that the C library keeps for itself: naming one makes pthread_sigmask() warn, in the program's stderr.
ALL_SIGNALS = tuple(range(1, 32)) + tuple(range(_signal.SIGRTMIN, _signal.SIGRTMAX + 1))


class Failed(Exception):
    """The request cannot be done: what the answer's `error` says."""

    def __init__(self, code, message, hint=None, **more):
        Exception.__init__(self, message)
        self.error = dict(more, code=code, message=message, hint=hint)


class Escapes(dict):
    """What str.translate puts for each character that JSON in ASCII cannot hold; remembers what it was asked."""

    def __missing__(self, code):
        if code < 0x20 or 0x7f <= code < 0xd800 or 0xe000 <= code < 0x10000:
            text = '\\u%04x' % code
        elif code < 0x7f:
            text = chr(code)
        elif 0xdc80 <= code <= 0xdcff:       # a byte that could not be decoded: a private character that attach/ knows
            text = '\\udbf7\\u%04x' % code
        elif code < 0xe000:
            text = '\\ufffd'
        else:
            text = '\\u%04x\\u%04x' % (0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff))
        self[code] = text
        return text


def json_text(value):
    """VALUE as JSON in ASCII; what JSON cannot say becomes its repr or null."""
    if value is None or value is True or value is False:
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, str):
        text = str.__str__(value)
        for char, escape in JSON_ESCAPES.items():
            text = text.replace(char, escape)
        if len(text.encode('ascii', 'ignore')) != len(text) or not text.isprintable():
            text = text.translate(Escapes())
        return '"' + text + '"'
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if value - value == 0 else 'null'
    if isinstance(value, dict):
        return '{' + ', '.join(json_text(str(key)) + ': ' + json_text(item) for key, item in value.items()) + '}'
    return '[' + ', '.join(map(json_text, value)) + ']'


def text_of(bytes_as_latin1):
    """A file name or an argument of the command line as Python names it: as sys.argv would hold it."""
    return bytes_as_latin1.encode('latin-1').decode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


class Output:
    """What our thread prints through sys.stdout and sys.stderr, up to a limit; beyond it only the length is kept."""

    def __init__(self, limit):
        self.limit, self.parts, self.kept, self.total, self.streams = limit, [], 0, 0, []
        self.ident, self.thread = _thread.get_ident, _thread.get_ident()

    def add(self, text):
        self.total += len(text)
        if self.kept < self.limit:
            part = str.__str__(text[:self.limit - self.kept])
            self.kept += len(part)
            self.parts.append(part)

    def begin(self):
        for name in ('stdout', 'stderr'):
            original = sys.__dict__.get(name, self)
            stream = Stream(self, None if original is self else original)
            self.streams.append((name, stream, original))
            setattr(sys, name, stream)

    def end(self):
        """Put the streams back, unless the user's code put something else there."""
        self.thread = None
        while self.streams:
            name, stream, original = self.streams[-1]
            if sys.__dict__.get(name) is stream:
                if original is self:
                    delattr(sys, name)
                else:
                    setattr(sys, name, original)
            self.streams.pop()

    def text(self, notes):
        if self.total > self.kept:
            notes.append('output truncated: %d of %d characters kept' % (self.kept, self.total))
        return ''.join(self.parts)


class Stream:
    """Stands in for sys.stdout or sys.stderr while the user's code runs.

    What our thread writes is kept; what other threads write, and anything written after the end through a reference
    that somebody kept, goes to the original, and so does every question about the stream.  Such a reference may
    outlive our namespace: nothing here uses a global name.
    """

    def __init__(self, output, original, binary=False):
        self._output, self._original, self._binary = output, original, binary

    def write(self, text):
        if self._output.thread != self._output.ident():
            return None if self._original is None else self._original.write(text)
        if self._binary:
            text = bytes(text)
            self._output.add(text.decode('utf-8', 'surrogateescape'))
            return len(text)
        if not isinstance(text, str):
            raise TypeError('write() argument must be str, not ' + type(text).__name__)
        self._output.add(text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if self._original is not None and self._output.thread != self._output.ident():
            self._original.flush()

    @property
    def buffer(self):
        original = None if self._original is None else self._original.buffer
        return type(self)(self._output, original, True)

    def __getattr__(self, name):
        if self._original is None:
            try:
                return {'encoding': 'utf-8', 'errors': 'strict', 'closed': False, 'newlines': None,
                        'isatty': lambda: False, 'writable': lambda: True}[name]
            except KeyError:
                raise AttributeError(name) from None
        return getattr(self._original, name)

    def __iter__(self):
        return iter(self._original)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.flush()


def parts():
    """The sources that came with the request, by name: trouble.py, and for most commands the engine."""
    found, start = {}, 0
    package = bytes(view[word(PACKAGE):word(PACKAGE) + word(PACKAGE + 8)])
    while start < len(package):
        end = package.index(b'\n', start)
        name, size = package[start:end].decode('ascii').split(' ')
        found[name], start = package[end + 1:end + 1 + int(size)], end + 1 + int(size)
    return found, hash(package)


def trouble():
    """What only something that went wrong needs is compiled only then; it takes the place of the names below."""
    exec(compile(parts()[0]['trouble'], OURS + '>/trouble.py', 'exec', 0, True), globals())


def Traceback(outer, sources):
    trouble()
    return globals()['Traceback'](outer, sources)


def handler_signal(error):
    trouble()
    return globals()['handler_signal'](error)


class Context:
    """What a command may ask of its surroundings: run the user's code, know the time, say something."""

    def __init__(self, request):
        self.request, self.notes, self.sources, self.longest, self.pass_on = request, [], {}, 0.0, []
        self.output = Output(request['limits']['output'])
        self.old_mask = [number for number in ALL_SIGNALS if word(SIGMASK) >> (number - 1) & 1]
        self.outer = sys.exc_info()[1]
        self.collecting, self.text_of, self.view = False, text_of, view

    def timed(self, function, *args, **kwargs):
        """Call FUNCTION, which holds the GIL until it returns, and remember the longest such time."""
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            self.longest = max(self.longest, time.perf_counter() - start)

    def user(self, function, *args):
        """Call FUNCTION, code of the user or of the program: with its signals, its garbage collection."""
        try:
            if self.collecting:
                gc.enable()
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self.old_mask)
            return function(*args)
        finally:
            self.surely(self.quiet)

    def quiet(self):
        """Block the signals, and automatic collection, which would run finalizers of the program in our work."""
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ALL_SIGNALS)
        if gc.isenabled():
            self.collecting = True
            gc.disable()

    def surely(self, action):
        """Do what must be done even if a late interrupt or a handler of the program raises in the middle."""
        for _ in range(8):
            try:
                return action()
            except BaseException as error:
                self.take(error)

    def take(self, error):
        """Whether ERROR is the program's, raised by a handler: then its signal is sent again when we are done."""
        number = None if word(INTERRUPT) else handler_signal(error)
        if number is not None:
            self.pass_on.append(number)
        return number

    def failure(self, error):
        """The `error` of the answer for what ended the work."""
        return error.error if isinstance(error, Failed) else failure_of(self, error)


def failure_of(context, error):
    trouble()
    return globals()['failure_of'](context, error)


def shorten(value, limit):
    trouble()
    return globals()['shorten'](value, limit)


def word(offset):
    return int.from_bytes(view[offset:offset + 8], 'little')


def compile_user(source, filename):
    """SOURCE as two code objects: the statements, and the final expression if there is one."""
    had_ast, value = '_ast' in sys.modules, None
    try:
        tree = compile(source, filename, 'exec', ONLY_AST, True)
        if tree.body and type(tree.body[-1]).__name__ == 'Expr':
            value = compile('0', filename, 'eval', ONLY_AST, True)
            value.body = tree.body.pop().value
            value = compile(value, filename, 'eval', 0, True)
        return compile(tree, filename, 'exec', 0, True), value
    except (ValueError, MemoryError, RecursionError) as error:
        raise Failed('syntax-error', Traceback(None, {}).message(error), file=filename)
    finally:
        if not had_ast:
            sys.modules.pop('_ast', None)


def estimate(source):
    """Seconds for which the compiler will probably hold the GIL: it has no place in it to let others run."""
    return source.count(b'\n') * 8e-6 + sum(map(source.count, (b',', b'(', b'=', b'.', b'+'))) * 1.2e-6


def execute(request, context, answer):
    """exec and run: the code in a fresh namespace, and the value of its final expression."""
    source, filename = request['code'].encode('latin-1'), text_of(request['filename'] or '<exec>')
    if estimate(source) > 1 and not request['options']['force']:
        raise Failed('too-large', 'compiling this code would hold up the process for about %.1f s' % estimate(source),
                     '--force does it all the same')
    context.sources[filename] = source
    namespace = {'__name__': '__mr_attach__', '__builtins__': builtin('builtins')}
    if request['command'] == 'run':
        namespace.update(__file__=filename, argv=[text_of(arg) for arg in request['argv']])
    context.output.begin()                   # before compiling, which may print a SyntaxWarning
    try:
        codes = context.timed(compile_user, source, filename)
        answer['value'] = context.user(evaluate, codes, namespace, request['limits']['value'], context.notes)
    finally:
        context.surely(context.output.end)


def evaluate(codes, namespace, limit, notes):
    exec(codes[0], namespace)
    value = None if codes[1] is None else eval(codes[1], namespace)
    if value is None:
        return None
    try:
        text = repr(value)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return '<repr raised %s>' % type(error).__name__
    if len(text) > limit:
        notes.append('value truncated: %d of %d characters kept' % (limit, len(text)))
    return str.__str__(text[:limit])


def engine(request, context):
    """Any other command: the engine's loader, which comes with its source, knows what to do."""
    found, digest = parts()
    if 'attached' not in found:
        raise Failed('engine', 'the engine was not sent with the command ' + request['command'])
    namespace = {'__name__': '__mr_boot__'}
    exec(context.timed(compile, found['attached'], OURS + '>/attached.py', 'exec', 0, True), namespace)
    return namespace['run'](request, context, found, digest)


def work():
    """Do the request: the answer, always with the same keys, and the signals to pass on."""
    answer = {'status': 0, 'python': sys.version.split()[0], 'executable': sys.executable, 'interpreter': 0,
              'gil_longest': None, 'modules': [], 'excluded_stale': [], 'heap': None, 'output': '', 'value': None,
              'error': None, 'history': None, 'engine': None, 'notes': []}
    text = bytes(view[word(INPUT):word(INPUT) + word(INPUT + 8)]).decode('utf-8')
    request = eval(text, {'true': True, 'false': False, 'null': None, '__builtins__': {}})
    context = Context(request)
    try:
        context.quiet()
        if request['command'] in ('exec', 'run'):
            execute(request, context, answer)
        else:
            answer.update(engine(request, context))
    except BaseException as error:
        known = dict.fromkeys(('code', 'message', 'module', 'file', 'line', 'traceback', 'hint'))
        answer['error'] = dict(known, **context.surely(lambda: context.failure(error)))
        answer['modules'] = getattr(error, 'modules', None) or []
        answer['status'] = 7 if answer['error']['code'] == 'interrupted' else 1
    finally:
        if context.collecting:
            context.surely(gc.enable)
    answer['notes'] += context.notes
    answer['output'] = context.output.text(answer['notes'])
    answer['gil_longest'] = int(context.longest * 1e6)
    return answer, context.pass_on


def write(answer):
    """Write ANSWER; when it does not fit, with its long texts cut until it does, and a note that says so."""
    room, data = word(ANSWER + 8), json_text(answer).encode('ascii')
    full = len(data)
    for limit in (room // 4, room // 16, room // 64, 256, 32):
        if len(data) <= room:
            break
        note = 'answer truncated: it was %d bytes long, there is room for %d' % (full, room)
        data = json_text(dict(shorten(answer, limit), notes=answer['notes'][:8] + [note])).encode('ascii')
    if len(data) > room:
        data = json_text(dict(shorten(answer, 32), modules=[], excluded_stale=[], history=None, notes=[note])).encode('ascii')
    if len(data) > room:
        data = b''
    view[ENGINE:ENGINE + 8] = int('_mr_attach' in sys.modules).to_bytes(8, 'little')
    start = word(ANSWER)
    view[start:start + len(data)] = data
    view[ANSWER_FULL:ANSWER_FULL + 8] = full.to_bytes(8, 'little')
    view[ANSWER_LEN:ANSWER_LEN + 8] = len(data).to_bytes(8, 'little')


def main():
    answer, signals = None, []
    for attempt in range(4):
        try:
            if answer is None:
                answer, signals = work()
            write(answer)
            break
        except BaseException as error:
            number = None if word(INTERRUPT) else handler_signal(error)
            if number is not None:
                signals.append(number)
            if answer is None:
                message = '%s: %s' % (type(error).__name__, error)
                answer = {'status': 7 if word(INTERRUPT) else 1, 'python': sys.version.split()[0], 'executable': None,
                          'interpreter': 0, 'gil_longest': None, 'modules': [], 'excluded_stale': [], 'heap': None,
                          'output': '', 'value': None, 'history': None, 'engine': None, 'notes': [],
                          'error': {'code': 'interrupted' if word(INTERRUPT) else 'engine', 'message': message,
                                    'module': None, 'file': None, 'line': None, 'traceback': None, 'hint': None}}
    for number in signals:
        _signal.pthread_kill(_thread.get_ident(), number)


try:
    main()
except BaseException:
    pass                                     # nobody is left to tell: an answer of length 0 is reported as our bug
finally:
    view.release()
    for name in [name for name in globals() if name != '__builtins__']:
        del globals()[name]                  # functions and their globals are a cycle, and the collector may be off

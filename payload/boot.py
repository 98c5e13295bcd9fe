# SPDX-License-Identifier: MIT
"""The first of our code that runs inside the target: takes one request, does it, writes one answer.

It is executed as a script whose namespace holds `view`, a writable memoryview of the request block (request.h), and
`source`, this text.  It runs in a process that is not ours, at a moment nobody chose, so it keeps these rules:

* nothing is imported: what it needs is built into the interpreter, and is taken out of sys.modules again if the
  program had not loaded it; the program's import hooks never see us;
* what is not always needed is in parts of its own (late()): compiling holds the GIL, 1 ms for 100 lines;
* it prints nothing, raises nothing, and leaves nothing behind: no name, no reference to the block, no cache entry;
* an exception that a signal handler of the program raised in the middle of our work belongs to the program: the
  signal is sent again to this thread, where it is taken when we are gone;
* signals are blocked in this thread while we work, and not while code of the user or of a module runs.
"""
import sys

INPUT, PACKAGE, ANSWER, ANSWER_LEN, ANSWER_FULL, INTERRUPT, SIGMASK, ENGINE = 64, 80, 96, 112, 120, 128, 136, 144
OURS = '<mr-attach'                          # what the file names of our own code begin with
BOOT = globals().get('source'), sys._getframe().f_code  # an engine that stays keeps it: compiling it is most of our work
ERROR_KEYS = ('code', 'message', 'module', 'file', 'line', 'traceback', 'hint')
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


def json_text(value):
    """VALUE as JSON in ASCII; what JSON cannot say becomes its repr or null."""
    if value is None or value is True or value is False:
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, str):
        text = str.__str__(value)
        for char, escape in JSON_ESCAPES.items():
            text = text.replace(char, escape)
        if len(text.encode('ascii', 'ignore')) != len(text) or not text.isprintable():
            text = late('escaped', 'escapes')(text)
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


def parts():
    """The sources that came with the request, by name: trouble.py, and for most commands the engine."""
    found, start = {}, 0
    package = bytes(view[word(PACKAGE):word(PACKAGE) + word(PACKAGE + 8)])
    while start < len(package):
        end = package.index(b'\n', start)
        name, size = package[start:end].decode('ascii').split(' ')
        found[name], start = package[end + 1:end + 1 + int(size)], end + 1 + int(size)
    return found, hash(package)


def late(name, part='trouble'):
    """What NAME is in another PART, which is compiled only when it is needed, into this namespace."""
    if name not in globals():
        exec(compile(parts()[0][part], OURS + '>/%s.py' % part, 'exec', 0, True), globals())
    return globals()[name]


class Context:
    """What a command may ask of its surroundings: run the user's code, know the time, say something."""

    def __init__(self, request):
        self.request, self.notes, self.sources, self.longest, self.pass_on = request, [], {}, 0.0, []
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
        number = None if word(INTERRUPT) else late('handler_signal')(error)
        if number is not None:
            self.pass_on.append(number)
        return number

    def failure(self, error):
        """The `error` of the answer for what ended the work."""
        return error.error if isinstance(error, Failed) else late('failure_of')(self, error)


def word(offset):
    return int.from_bytes(view[offset:offset + 8], 'little')


def engine(request, context):
    """Any other command: the engine's loader, which comes with its source, knows what to do."""
    found, digest = parts()
    if 'attached' not in found:
        raise Failed('engine', 'the engine was not sent with the command ' + request['command'])
    known, code = getattr(sys.modules.get('_mr_attach'), 'loader', (None, None))
    if known != digest:
        code = context.timed(compile, found['attached'], OURS + '>/attached.py', 'exec', 0, True)
    context.compiled = {'boot': BOOT, 'loader': (digest, code)}
    namespace = {'__name__': '__mr_boot__'}
    exec(code, namespace)
    return namespace['run'](request, context, found, digest)


def blank(status=0):
    """An answer: always with the same keys."""
    return {'status': status, 'python': sys.version.split()[0], 'executable': sys.executable, 'interpreter': 0,
            'gil_longest': None, 'modules': [], 'excluded_stale': [], 'heap': None, 'output': '', 'value': None,
            'error': None, 'history': None, 'engine': None, 'notes': []}


def work():
    """Do the request: the answer, and the signals to pass on."""
    answer = blank()
    text = bytes(view[word(INPUT):word(INPUT) + word(INPUT + 8)]).decode('utf-8')
    request = eval(text, {'true': True, 'false': False, 'null': None, '__builtins__': {}})
    context = Context(request)
    try:
        context.quiet()
        if request['command'] in ('exec', 'run'):
            late('execute', 'execute')(request, context, answer)
        else:
            answer.update(engine(request, context))
    except BaseException as error:
        answer['error'] = dict(dict.fromkeys(ERROR_KEYS), **context.surely(lambda: context.failure(error)))
        answer['modules'] = getattr(error, 'modules', None) or []
        answer['status'] = 7 if answer['error']['code'] == 'interrupted' else 1
    finally:
        if context.collecting:
            context.surely(gc.enable)
    answer['notes'] += context.notes
    answer['gil_longest'] = int(context.longest * 1e6)
    return answer, context.pass_on


def write(answer):
    """Write ANSWER; when it does not fit, shortened."""
    start, room, data = word(ANSWER), word(ANSWER + 8), json_text(answer).encode('ascii')
    full = len(data)
    if full > room:
        data = late('fitting')(answer, full, room)
    view[ENGINE:ENGINE + 8] = int('_mr_attach' in sys.modules).to_bytes(8, 'little')
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
            number = None if word(INTERRUPT) else late('handler_signal')(error)
            if number is not None:
                signals.append(number)
            if answer is None:
                answer = late('last_words')(error)
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

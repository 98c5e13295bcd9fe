# SPDX-License-Identifier: MIT
"""The first of our code that runs inside the target: takes one request, does it, writes one answer.

It is executed as a script whose namespace holds `view`, a writable memoryview of the request block (request.h),
`source`, this text, and `compiled`, whether the compiled code that came along is for this Python; then main() is
called.  When an exception leaves that, which can only be one that was raised from outside where nothing here catches,
the stub does it again in the same namespace, with the exception as `raised`; `kept` knows how far it had come.  It runs
in a process that is not ours, at a moment nobody chose, so it keeps these rules:

* nothing is imported: what it needs is built into the interpreter, and is taken out of sys.modules again if the
  program had not loaded it; the program's import hooks never see us;
* what is not always needed is in parts of its own (late()): compiling, where it must be done, holds the GIL, 1 ms for
  100 lines;
* it prints nothing, raises nothing, and leaves nothing behind: no name, no reference to the block, no cache entry;
* an exception that a signal handler of the program raised in the middle of our work belongs to the program: the
  signal is sent again to this thread, where it is taken when we are gone;
* signals are blocked in this thread while we work, and not while code of the user or of a module runs.
"""
import sys

__name__ = '__mr_boot__'
INPUT, PACKAGE, ANSWER, ANSWER_LEN, ANSWER_FULL, INTERRUPT, SIGMASK, ENGINE, BOOT_NS = 64, 80, 96, 112, 120, 128, 136, 144, 296
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


_thread, _signal, gc, time, marshal = map(builtin, ('_thread', '_signal', 'gc', 'time', 'marshal'))
# Without those that the C library keeps for itself: naming one makes pthread_sigmask() warn, in the program's stderr.
ALL_SIGNALS = tuple(range(1, 32)) + tuple(range(_signal.SIGRTMIN, _signal.SIGRTMAX + 1))


class Failed(Exception):
    """The request cannot be done: what the answer's `error` says."""

    def __init__(self, code, message, hint=None, **more):
        Exception.__init__(self, message)
        self.error = dict(more, code=code, message=message, hint=hint)


def json_text(value):
    """VALUE as JSON in ASCII.  Once something was raised, what was made of each part is kept for the next time."""
    if not kept['raised']:
        return json_made(value)
    known = kept['json'].get(id(value))
    if known is None:
        known = kept['json'][id(value)] = value, json_made(value)
    return known[1]


def json_made(value):
    """What JSON cannot say becomes its repr or null."""
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
    """Where the parts that came with the request lie, by name: trouble.py, and for most commands the engine; compiled: "name.code"."""
    found, end, usable = kept['parts'], word(PACKAGE) + word(PACKAGE + 8), globals().get('compiled')
    while kept['seen'] < end:                # goes on where it was ended
        start = kept['seen'] or word(PACKAGE)
        line = bytes(view[start:start + 80]).partition(b'\n')[0]
        name, size = line.decode('ascii').split(' ')
        start += len(line) + 1
        if usable or not name.endswith('.code'):
            found[name] = slice(start, start + int(size))
        kept['seen'] = start + int(size)
    return found


def making(name):
    """How the code of a part is made, as the arguments of map()."""
    found = parts()
    if name + '.code' in found:
        return marshal.loads, (bytes(view[found[name + '.code']]),)
    return compile, (bytes(view[found[name]]),), (OURS + '>/%s.py' % name,), ('exec',), (0,), (True,)


def late(name, part='trouble'):
    """What NAME is in another PART, which is compiled only when it is needed, into this namespace.

    It is compiled and kept in one C call: handlers that raise a thousand times a second must not undo that for ever.
    """
    if part not in kept:
        start = time.monotonic()
        kept.update(zip((part,), map(*making(part))))
        kept['longest'] = max(kept['longest'], time.monotonic() - start)
    if part not in kept['ready']:
        exec(kept[part], globals())
        kept['ready'].append(part)
    return globals()[name]


def once(name, action, *args):
    """What ACTION returns, which is kept as NAME: however often our code is ended in the middle, it goes on from there."""
    if name not in kept:
        kept[name] = action(*args)
    return kept[name]


class Context:
    """What a command may ask of its surroundings: run the user's code, know the time, say something."""

    def __init__(self, request):
        self.request, self.notes, self.sources, self.ends = request, [], {}, []
        self.longest = time.monotonic() - word(BOOT_NS) / 1e9   # compiling or loading this took it in one go
        mask = word(SIGMASK)
        self.old_mask = [number for number in ALL_SIGNALS if mask >> (number - 1) & 1]
        self.outer = sys.exc_info()[1]
        self.collecting, self.text_of, self.view = False, text_of, view
        self.result = None                   # parts of the answer of what is done and stays done, whatever comes after it

    def timed(self, function, *args, **kwargs):
        """Call FUNCTION, which holds the GIL until it returns, and remember the longest such time."""
        start = time.monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            self.longest = max(self.longest, time.monotonic() - start)

    def user(self, function, *args):
        """Call FUNCTION, code of the user or of the program: with its signals, its garbage collection."""
        try:
            if self.collecting:
                gc.enable()
                self.collecting = False      # from now on it is for FUNCTION to say
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
        """Do what must be done even if a late interrupt or a handler of the program raises in the middle.

        ACTION can be begun again, and is brief; what it raises the last time goes on, so that nothing seems done that is not.
        """
        for _ in range(8):
            try:
                return action()
            except BaseException as error:
                kept['raised'].append(error)
        return action()

    def at_end(self, action):
        """Do ACTION when the work has ended, however it did, whether it was done before or not."""
        self.ends.append(action)

    def put_back(self):
        """Make all be as it was before the work, but for what it was for; again, if something ended this in the middle."""
        for action in self.ends:
            action()
        if self.collecting:
            gc.enable()

    def take(self, error):
        return take(error)

    def failure(self, error):
        """The `error` of the answer for what ended the work."""
        return error.error if isinstance(error, Failed) else late('failure_of')(self, error)


class Guard:
    """Lies in a dictionary of our thread.  When another thread forks, there is no such thread in the child: it is let go."""

    def __init__(self, context):
        self.context, self.getpid = context, builtin('posix').getpid
        self.pid = self.getpid()


class Armed(Guard):
    """It is not let go here: no bytecode of it, at which a handler of the program might raise, ever runs in this process."""

    def __del__(self):
        try:
            if self.getpid() != self.pid:
                self.context.put_back()
        except BaseException:                # would be printed, and nobody is there any more to be told
            pass


def word(offset):
    return int.from_bytes(view[offset:offset + 8], 'little')


def engine(request, context):
    """Any other command: the engine's loader, which comes with its source, knows what to do."""
    found = {name: bytes(view[where]) for name, where in parts().items()}
    digest = hash(tuple(found.values()))
    if 'attached' not in found:
        raise Failed('engine', 'the engine was not sent with the command ' + request['command'])
    known, loader = getattr(sys.modules.get('_mr_attach'), 'loader', (None, None))
    if known != digest:
        lazy, loader = {'__name__': '_mr_attach.lazy'}, {'__name__': '__mr_boot__'}
        exec(context.timed(next, map(*making('lazy'))), lazy)
        lazy['marshal'] = marshal
        lazy['load'](loader, found, 'attached')
        loader['LAZY'] = lazy
    context.compiled = {'boot': BOOT, 'loader': (digest, loader)}
    return loader['run'](request, context, found, digest)


def blank():
    """An answer: always with the same keys."""
    return {'status': 0, 'python': sys.version.split()[0], 'executable': sys.executable, 'interpreter': 0,
            'gil_longest': None, 'modules': [], 'excluded_stale': [], 'heap': None, 'output': '', 'value': None,
            'error': None, 'history': None, 'engine': None, 'notes': []}


def failed(answer, error):
    """Put into ANSWER what ended the work."""
    answer['error'] = dict(dict.fromkeys(ERROR_KEYS), **error)
    answer['status'] = 7 if answer['error']['code'] == 'interrupted' else 1


def read_request():
    text = bytes(view[word(INPUT):word(INPUT) + word(INPUT + 8)]).decode('utf-8')
    return eval(text, {'true': True, 'false': False, 'null': None, '__builtins__': {}})


def work(context, answer):
    """Do the request, once."""
    request, kept['begun'] = context.request, True
    try:
        try:
            alone = _thread._local()
            alone.guard = Armed(context)
            kept['alone'] = alone
            context.quiet()
            if request['command'] in ('exec', 'run'):
                late('execute', 'execute')(request, context, answer)
            else:
                answer.update(engine(request, context))
        except BaseException as error:
            kept['error'] = error
    except BaseException as error:           # a handler raised again, right where that was caught
        kept['raised'].append(error)
        kept.setdefault('error', error.__context__ or error)
    kept['done'] = True


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


kept = {'raised': [], 'looked': None, 'judged': 0, 'signals': [], 'sent': 0, 'parts': {}, 'seen': 0, 'ready': [], 'longest': 0,
        'answer': blank(), 'json': {}}


def interrupted(error):
    """Whether ERROR is the interrupt that the tool has sent."""
    return word(INTERRUPT) and type(error) is KeyboardInterrupt


def take(error):
    """Whether ERROR is the program's, raised by a handler: then its signal is sent again when we are done."""
    number = None if interrupted(error) else late('signal_of', 'handlers')(error, _signal)
    if number is not None and number not in kept['signals']:
        kept['signals'].append(number)
    return number


def finish(context, answer):
    """The report, when the work is done, or was ended where nobody could say how far it had come."""
    context.quiet()                          # a handler may have raised right before that was done
    context.put_back()
    if 'alone' in kept:
        kept['alone'].guard.__class__ = Guard
        del kept['alone']
    if context.result is not None and ('error' in kept or 'done' not in kept):
        answer.update(context.result)
        if 'error' in kept:
            take(kept['error'])
    elif 'error' in kept and answer['error'] is None:
        answer['modules'] = getattr(kept['error'], 'modules', None) or []
        failed(answer, context.failure(kept['error']))
    elif 'done' not in kept and answer['error'] is None:
        code = 'interrupted' if word(INTERRUPT) else 'interrupted-by-program'
        failed(answer, {'code': code, 'message': 'how far the work came is not known'})
    return dict(answer, notes=answer['notes'] + context.notes, gil_longest=int(max(context.longest, kept['longest']) * 1e6))


def look_back():
    """What ended our code the last time, if something did."""
    last = globals().get('raised')
    if last is not kept['looked']:
        kept.update(raised=kept['raised'] + [last], looked=last)


def pass_on():
    """Send the signals again whose handlers raised in our code, each once."""
    for error in kept['raised'][kept['judged']:]:
        take(error)
        kept['judged'] += 1
    for number in kept['signals'][kept['sent']:]:
        _signal.pthread_kill(_thread.get_ident(), number)
        kept['sent'] += 1


def settle():
    """After main(), when nobody interrupts any more: one that came too late for it is raised here."""
    look_back()
    for _ in range(100):
        pass
    pass_on()


def main():
    """All that is to be done, each step once, however often an exception from outside ended one in the middle.

    Handlers of the program may raise again and again: what a step has found is kept, so that each time more of it is done.
    """
    look_back()
    answer = kept['answer']
    for error in kept['raised'][kept['judged']:]:     # each once: a thousand times a second another one comes
        if take(error) is None and not interrupted(error) and not late('was_sent')(error) and not word(INTERRUPT) and \
                answer['error'] is None:     # a mistake of ours
            failed(answer, {'code': 'engine', 'message': '%s: %s' % (type(error).__name__, error)})
            kept['begun'] = True
            kept.pop('report', None)
        kept['judged'] += 1
    if 'context' not in kept and answer['error'] is None:
        kept['context'] = Context(read_request())
    if 'begun' not in kept:
        work(kept['context'], answer)
    write(once('report', finish, kept['context'], answer) if 'context' in kept else answer)
    pass_on()

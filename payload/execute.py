# SPDX-License-Identifier: MIT
"""The commands exec and run: the user's code, its value, and what it prints.

It is executed in the namespace of boot.py.
"""


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
            known = {'encoding': 'utf-8', 'errors': 'strict', 'closed': False, 'newlines': None,
                     'isatty': lambda: False, 'writable': lambda: True}
            if name not in known:
                raise AttributeError(name)
            return known[name]
        return getattr(self._original, name)

    def __iter__(self):
        return iter(self._original)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.flush()


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
    except late('faults', 'handlers')(ValueError, MemoryError, RecursionError) as error:
        raise Failed('syntax-error', late('Traceback')(None, {}).message(error), file=filename)
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
    names = {'__name__': '__mr_attach__', '__builtins__': builtin('builtins')}
    if request['command'] == 'run':
        names.update(__file__=filename, argv=[text_of(arg) for arg in request['argv']])
    output = Output(request['limits']['output'])
    context.at_end(output.end)
    output.begin()                           # before compiling, which may print a SyntaxWarning
    try:
        codes = context.timed(compile_user, source, filename)
        answer['value'] = context.user(evaluate, codes, names, request['limits']['value'], context.notes)
    finally:
        context.surely(output.end)
        context.surely(lambda: answer.update(output=output.text(context.notes)))


def evaluate(codes, names, limit, notes):
    """Nobody else holds the namespace: what is let go with it ends here, with the signals of the program."""
    namespace = dict(names)
    exec(codes[0], namespace)
    value = None if codes[1] is None else eval(codes[1], namespace)
    if value is None:
        return None
    try:
        text = repr(value)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if take(error) is not None:          # a handler of the program did, in the middle of it
            raise
        return '<repr raised %s>' % type(error).__name__
    if len(text) > limit:
        notes.append('value truncated: %d of %d characters kept' % (limit, len(text)))
    return str.__str__(text[:limit])

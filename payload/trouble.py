# SPDX-License-Identifier: MIT
"""What boot.py needs only when something went wrong: tracebacks, and whose exception it is.

It is executed in the namespace of boot.py, in place of the names that it defines there.
"""


class Traceback:
    """Writes tracebacks as the interpreter does, without the traceback module (it may not be loaded, and it caches)."""

    def __init__(self, outer, sources):
        self.outer, self.sources, self.files, self.texts, self.own = outer, sources, {}, {}, False

    def source_line(self, filename, number):
        lines = self.files.get(filename)
        if lines is None:
            try:
                data = self.sources.get(filename)
                if data is None and filename[:1] != '<' and (builtin('posix').stat(filename).st_mode & 0o170000) == 0o100000:
                    with builtin('_io').open(filename, 'rb') as stream:
                        data = stream.read(1 << 22)
                lines = (data or b'').decode('utf-8', 'replace').split('\n')
            except BaseException as error:
                if take(error) is None and not isinstance(error, Exception):
                    raise
                lines = []
            self.files[filename] = lines
        return lines[number - 1].strip() if 0 < number <= len(lines) else ''

    def frames(self, error):
        """(file, line, function) of each frame that is not ours; of ours as well if the mistake is ours."""
        found, step = [], error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            if self.own or step.tb_frame.f_globals is not globals() and not code.co_filename.startswith(OURS):
                found.append((code.co_filename, step.tb_lineno or 0, code.co_name))
            step = step.tb_next
        return found

    def message(self, error):
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ in ('builtins', '__main__') else kind.__module__ + '.' + kind.__qualname__
        try:
            text = str(error.msg if isinstance(error, SyntaxError) else error)
        except BaseException as raised:
            take(raised)
            text = '<str() of the exception raised>'
        return name + ': ' + text if text else name

    def text(self, error, seen=()):
        if error is None or error is self.outer or error in seen or len(seen) > 20:
            return ''
        if id(error) not in self.texts:      # what was told of it is kept, for when something ends this in the middle
            self.texts[id(error)] = error, self.one(error, seen + (error,))
        return self.texts[id(error)][1]

    def one(self, error, seen):
        before = ''
        if error.__cause__ is not None:
            before = self.text(error.__cause__, seen)
            link = 'The above exception was the direct cause of the following exception'
        elif error.__context__ is not None and not error.__suppress_context__:
            before = self.text(error.__context__, seen)
            link = 'During handling of the above exception, another exception occurred'
        lines, frames = [before + '\n' + link + ':\n'] if before else [], self.frames(error)
        if frames:
            lines.append('Traceback (most recent call last):')
        for number, (filename, line, name) in enumerate(frames):
            if len(frames) > 100 and 50 <= number < len(frames) - 50:
                if number == 50:
                    lines.append('  [%d frames left out]' % (len(frames) - 100))
                continue
            lines.append('  File "%s", line %d, in %s' % (filename, line, name))
            source = self.source_line(filename, line)
            if source:
                lines.append('    ' + source)
        if isinstance(error, SyntaxError) and error.filename:
            lines.append('  File "%s", line %s' % (error.filename, error.lineno))
            source = (error.text or '').rstrip('\n')
            if source.strip():
                indent = len(source) - len(source.lstrip())
                lines.append('    ' + source.strip())
                if error.offset:
                    lines.append('    ' + ' ' * max(0, error.offset - 1 - indent) + '^')
        lines.append(self.message(error))
        for note in getattr(error, '__notes__', None) or ():
            lines.append(str(note))
        for number, part in enumerate(getattr(error, 'exceptions', None) or (), 1):
            lines.append('  +-- %d' % number)
            lines.extend('  | ' + line for line in self.text(part, seen).rstrip('\n').split('\n'))
        return '\n'.join(lines) + '\n'


def was_sent(error):
    """Whether the program had sent ERROR to this thread: the stub's script that does nothing has raised it, and sends it again."""
    step = error.__traceback__
    if step is None or step.tb_next is not None or step.tb_frame.f_code.co_names:
        return False
    globals()['sent'] = type(error)
    return True


def failure_of(context, error):
    """The `error` of the answer for what ended the work."""
    report = once('telling', Traceback, context.outer, context.sources)
    number = context.take(error)
    if number is not None:
        return {'code': 'interrupted-by-program', 'traceback': report.text(error),
                'message': 'a signal handler of the program raised %s; it was passed on to the program, '
                'nothing was changed; try again' % type(error).__name__}
    frames = report.frames(error)
    own = [frame for frame in frames if frame[0] in context.sources] or frames or [(None, None, None)]
    code = 'system-exit' if isinstance(error, SystemExit) else 'exception'
    if not frames:
        code = 'engine' if code == 'exception' else code
    result = {'file': own[-1][0], 'line': own[-1][1]}
    if word(INTERRUPT):
        code = 'interrupted'
    elif isinstance(error, SyntaxError) and not frames:
        code, result['file'], result['line'] = 'syntax-error', error.filename, error.lineno
    elif code == 'engine':
        found = globals()['parts']()
        report = Traceback(context.outer, {OURS + '>/%s.py' % name: bytes(view[where]) for name, where in found.items()})
        report.own = True
        result['hint'] = 'please report it; mr-attach PID untrack removes the engine'
    return dict(result, code=code, message=report.message(error), traceback=report.text(error))


def shorten(value, limit):
    """VALUE with every long text in it cut."""
    if isinstance(value, str):
        return value if len(value) <= limit else value[:limit] + '...'
    if isinstance(value, dict):
        return {key: shorten(item, limit) for key, item in value.items()}
    return [shorten(item, limit) for item in value] if isinstance(value, (list, tuple)) else value


def fitting(answer, full, room):
    """ANSWER, FULL bytes long, with its long texts cut until it fits into ROOM, and a note that says so."""
    note = 'answer truncated: it was %d bytes long, there is room for %d' % (full, room)
    notes = answer['notes'][:8] + [note]
    for limit in (room // 4, room // 16, room // 64, 256, 32):
        data = json_made(dict(once('at most %d' % limit, shorten, answer, limit), notes=notes)).encode('ascii')
        if len(data) <= room:
            return data
    data = json_made(dict(once('at most 32', shorten, answer, 32), modules=[], excluded_stale=[], history=None, notes=[note]))
    data = data.encode('ascii')
    return data if len(data) <= room else b''

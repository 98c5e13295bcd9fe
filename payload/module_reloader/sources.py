# SPDX-License-Identifier: MIT
"""Sources and .pyc files: reading them whole, and compiling as the program would have.

A source is read between two looks at the file, some time after it was last written to, so that an editor in the middle of a
save, which may just have emptied it, is not believed.  Only regular files are opened.  PEP 263 and byte order marks are
left to compile(), which gets bytes.  A loader that makes code out of source its own way is asked to do so.  A .pyc is a
witness of what was loaded, never of the source.
"""
from . import codes, host, scope

STANDARD = ('_frozen_importlib_external', '_frozen_importlib', 'importlib', 'zipimport', 'imp', 'pkgutil', 'builtins')
REGULAR, KIND = 0o100000, 0o170000
NO_FOLDER, LARGEST = 20, 1 << 26             # ENOTDIR; bytes
QUIET = 0.005                                # seconds: a file that was written to since may be half of what it will be


class Problem(Exception):
    """Why a module's source cannot be used: a code of the report, a sentence, and where."""

    def __init__(self, code, message, hint=None, **more):
        Exception.__init__(self, message)
        self.error = dict(more, code=code, message=message, hint=hint)


def look(path):
    """The stat of PATH if it is a regular file; of the archive that it lies in."""
    try:
        found = host.posix.stat(path)
    except host.faults(OSError, ValueError) as error:
        archive = host.part('archives').find(path) if getattr(error, 'errno', 0) == NO_FOLDER else None
        if archive is not None:
            return host.posix.stat(archive)
        gone = getattr(error, 'errno', 0) in (2, 20) or isinstance(error, ValueError)
        raise Problem('missing-source' if gone else 'unreadable-source',
                      '%s: %s' % (path, getattr(error, 'strerror', None) or error), file=path)
    if found.st_mode & KIND != REGULAR:
        raise Problem('unreadable-source', '%s is not a regular file' % path, file=path)
    return found


def identity(found):
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def slurp(path):
    try:
        descriptor = host.posix.open(path, host.posix.O_RDONLY | host.posix.O_CLOEXEC | host.posix.O_NONBLOCK)
    except host.faults(OSError) as error:
        if error.errno != NO_FOLDER:
            raise
        return host.part('archives').slurp(path)
    parts = []
    try:
        while True:
            part = host.posix.read(descriptor, 1 << 20)
            if not part:
                return b''.join(parts)
            parts.append(part)
    finally:
        host.posix.close(descriptor)


def read(path, loader=None, context=None):
    """(bytes, stat) of the source at PATH, as it was at one moment; if its LOADER reads it in a way of its own, so do we."""
    for _ in range(5):
        before = look(path)
        if before.st_size > LARGEST and host.part('archives').find(path) is None:
            raise Problem('too-large', '%s has %d bytes' % (path, before.st_size), file=path)
        try:
            data = slurp(path)
        except host.faults(OSError) as error:
            raise Problem('unreadable-source', '%s: %s' % (path, error.strerror), file=path,
                          hint='the process runs as uid %d, which must be able to read it' % host.posix.geteuid())
        if identity(look(path)) == identity(before) and not 0 <= host.time.time() - before.st_mtime < QUIET:
            get_data = own(loader, 'get_data')
            return (data if get_data is None else context.user(get_data, path)), before
        host.rest(QUIET)
    raise Problem('unreadable-source', '%s is being written to' % path, 'try again when it is complete', file=path)


def check_text(data, path):
    """Tell a file that is not text from a mistake in a program."""
    if b'\0' in data:
        line = data.count(b'\n', 0, data.index(b'\0')) + 1
        raise Problem('not-text', '%s is not text: it holds NUL bytes, the first in line %d' % (path, line), file=path, line=line)
    head = b'\n'.join(data.split(b'\n', 2)[:2])
    if b'coding' not in head:
        try:
            data.decode('utf-8')
        except host.faults(UnicodeDecodeError) as error:
            line = data.count(b'\n', 0, error.start) + 1
            raise Problem('not-text', '%s is not text in UTF-8, and names no other encoding: line %d, byte %d of the file'
                          % (path, line, error.start), 'a coding line (PEP 263) names the encoding', file=path, line=line)


def own(loader, name):
    """The method NAME of a loader if it is not a standard one."""
    for kind in type(loader).__mro__ if loader is not None else ():
        if name in kind.__dict__:
            standard = kind.__module__.partition('.')[0] in STANDARD
            return None if standard else getattr(loader, name)
    return None


def loader_problem(module):
    """A loader that does all by itself cannot be asked what code it makes of a source: it would put it to work."""
    found = [name for name in ('exec_module', 'get_code', 'load_module') if own(module.loader, name)]
    if not found or own(module.loader, 'source_to_code'):
        return None
    return Problem('refused', 'its loader, %s, has a way of its own to make code of a source (%s)' % (
        type(module.loader).__name__, found[0]), '--force takes the source as Python does', file=module.path).error


def compiled(data, filename, context, loader=None, force=True, module=None):
    """The code of a module, and its syntax tree."""
    check_text(data, filename)
    if not force and host.estimate(data) > 1:
        raise Problem('too-large', 'compiling %s would hold up the process for about %.1f s'
                      % (filename, host.estimate(data)), '--force does it all the same', file=filename)
    try:
        compiler, code = own(loader, 'source_to_code'), None
        if compiler is not None:
            code = context.user(compiler, data, filename)
        tree = context.timed(host.compile_quietly, data, filename, 'exec', host.ONLY_AST)
        if not codes.is_code(code):
            code = context.timed(host.compile_quietly, tree, filename, 'exec')
        return code, tree
    except host.faults(SyntaxError) as error:
        raise Problem('syntax-error', '%s: %s' % (type(error).__name__, error.msg), file=error.filename or filename,
                      line=error.lineno or 1, traceback=syntax_text(error, filename))
    except host.faults(ValueError, RecursionError, MemoryError) as error:
        raise Problem('syntax-error', '%s: %s' % (type(error).__name__, str(error) or 'it is nested too deeply'), file=filename)


def syntax_text(error, filename):
    lines = ['  File "%s", line %s' % (error.filename or filename, error.lineno)]
    text = (error.text or '').rstrip('\n')
    if text.strip():
        lines.append('    ' + text.strip())
        if error.offset:
            lines.append('    ' + ' ' * max(0, error.offset - 1 - len(text) + len(text.lstrip())) + '^')
    return '\n'.join(lines) + '\n%s: %s\n' % (type(error).__name__, error.msg)


def cache_file(module):
    """The path of the .pyc that belongs to a module, or None."""
    spec = scope.spec_of(module.dict)
    for path in (module.dict.get('__cached__'), getattr(spec, 'cached', None) if spec is not None else None):
        if isinstance(path, str):
            return path
    return None


def cached(module):
    """(code, recorded mtime, recorded size, stat) out of the module's .pyc, or None."""
    path = cache_file(module)
    header = 16 if host.sys.version_info >= (3, 7) else 12
    try:
        found = look(path)
        data = slurp(path)
        magic = host.sys.modules['_frozen_importlib_external'].MAGIC_NUMBER
        if data[:4] != magic or len(data) < header:
            return None
        numbers = [int.from_bytes(data[start:start + 4], 'little') for start in range(4, header, 4)]
        code = host.marshal.loads(memoryview(data)[header:])
    except host.faults(TypeError, Problem, OSError, ValueError, EOFError, KeyError):
        return None
    if not codes.is_code(code):
        return None
    hashed = header == 16 and numbers[0] & 1
    return code, (None if hashed else numbers[-2]), (None if hashed else numbers[-1]), found

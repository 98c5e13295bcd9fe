# SPDX-License-Identifier: MIT
"""The process that we are a guest in: what may be used of it, and how work is done without leaving a trace.

Rules: nothing is imported that the program has not loaded, except what is built into the interpreter and plain tables
out of the standard library's directory, which are read by path into a namespace of their own (a program may have an
`opcode.py` of its own).  The warnings filters of the program do not change: a filter that stands in the list while one
call of ours runs matches nothing but that call.  Compiling holds the GIL; every such time is measured.
"""
import sys

VERSION = '0.1.0'
ONLY_AST = 0x400
FUTURE_FLAGS = 0x1fff000                     # the bits of co_flags that say which __future__ features were on
# A compile cannot let other threads run.  What it costs, per line and per punctuation mark, on a slow machine.
LINE_COST, MARK_COST = 8e-6, 1.2e-6
# More references than that has only what is never freed, and is not counted; without a GIL counts are not exact.
COUNTED = 0 if 't' in getattr(sys, 'abiflags', '') else 1 << 28


PACKAGE = __name__.rpartition('.')[0]
PARTS = {}                                   # what is not loaded yet of the engine, where no finder knows it: boot.py's parts()


def part(name):
    """The engine's module NAME, loaded when it is first needed: what a command does not use is not compiled.

    In a process that did not import us, no finder and no import lock is asked: the module is made, registered and
    executed, after those that it imports.
    """
    package = sys.modules[PACKAGE]
    found = package.__dict__.get(name)
    if type(found) is not type(sys) and name in PARTS:
        for line in PARTS[name].decode('utf-8').split('\nfrom . import ')[1:]:
            for one in line.partition('\n')[0].split(','):
                part(one.split()[0])
        found = type(sys)(PACKAGE + '.' + name)
        found.__dict__['__package__'] = PACKAGE
        sys.modules[PACKAGE + '.' + name] = found
        package.lazy.load(found.__dict__, PARTS, name)
        setattr(package, name, found)
        PARTS.pop(name)
        PARTS.pop(name + '.code', None)
    elif type(found) is not type(sys):
        found = getattr(__import__(PACKAGE, fromlist=[name]), name)
    return found


def faults(*kinds):
    """KINDS, for an except clause of ours: none if it was a signal handler of the program that raised (handlers.py)."""
    return kinds if sys.exc_info()[2].tb_next is None else part('handlers').faults(*kinds)


class Refusal(Exception):
    """The command cannot be done; nothing was changed.  ERROR is the answer's `error`, MODULES its module entries."""

    def __init__(self, code, message, hint=None, modules=(), **more):
        Exception.__init__(self, message)
        self.error = dict(more, code=code, message=message, hint=hint)
        self.modules = list(modules)


def builtin(name):
    """The built-in module NAME, without the import system's locks and finders, and without leaving it loaded."""
    module = sys.modules.get(name)
    if module is None:
        bootstrap, imp = sys.modules['_frozen_importlib'], sys.modules['_imp']
        module = imp.create_builtin(bootstrap.ModuleSpec(name, bootstrap.BuiltinImporter, origin='built-in'))
        imp.exec_builtin(module)
        sys.modules.pop(name, None)
    return module


posix, time, gc, _io, _thread, marshal = map(builtin, ('posix', 'time', 'gc', '_io', '_thread', 'marshal'))
FunctionType, ModuleType, CodeType = type(builtin), type(sys), type(builtin.__code__)


CLASS_DICT = type.__dict__['__dict__']


def is_class(value):
    """Whether VALUE is a class; isinstance() would ask a proxy what it pretends to be."""
    return issubclass(type(value), type)


def among(kind, kinds):
    """Whether KIND is one of KINDS; `in` would ask a metaclass of the program, which may compare its own way."""
    for one in kinds:
        if one is kind:
            return True
    return False


def class_dict(kind):
    """The dictionary of a class, whatever its metaclass does about attributes."""
    return CLASS_DICT.__get__(kind)


class Surroundings:
    """How to work when a program called us itself: there is no signal mask to care for, and its output is its own."""

    def __init__(self):
        self.longest, self.notes, self.sources = 0.0, [], {}

    def timed(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def user(self, function, *args):
        return function(*args)


class PlainText:
    """Matches one text exactly: a pattern for a warnings filter.

    In C, so that no other thread has a turn while the interpreter looks through its filters: when ours goes away, the others
    move up, and it would step over one.
    """

    def __init__(self, text):
        self.match = text.__eq__


def warning_filters():
    """The list of the program's warning filters, or None."""
    for name in ('warnings', '_warnings'):
        filters = getattr(sys.modules.get(name), 'filters', None)
        if type(filters) is list:
            return filters
    return None


def silently(module, function, *args):
    """Call FUNCTION; a warning that names MODULE as its place is dropped, all others go the program's way."""
    filters = warning_filters()
    if filters is None:
        return function(*args)
    entry = ('ignore', None, Warning, PlainText(module), 0)
    filters.insert(0, entry)
    try:
        return function(*args)
    finally:
        for number, found in enumerate(filters):
            if found is entry:
                del filters[number]
                break


def compile_quietly(source, filename, mode='exec', flags=0):
    """compile(), without the SyntaxWarnings that the program saw when it loaded the module."""
    place = filename[:-3] if filename.endswith('.py') else filename
    had_ast = '_ast' in sys.modules
    try:
        return silently(place, compile, source, filename, mode, flags, True)
    finally:
        if not had_ast:
            sys.modules.pop('_ast', None)


def estimate(source):
    """Seconds for which compiling SOURCE will probably hold the GIL."""
    return source.count(b'\n') * LINE_COST + sum(map(source.count, (b',', b'(', b'=', b'.', b'+'))) * MARK_COST


def standard_library():
    """The directory of the standard library, or None."""
    for name in ('os', 'abc', 'codecs', 'io'):
        module = sys.modules.get(name)
        path = type(module) is ModuleType and (module.__dict__.get('__file__') or
                                               getattr(module.__dict__.get('__spec__'), 'origin', None))
        if isinstance(path, str) and path.endswith(name + '.py'):
            return path[:-len(name) - 4]
    base = '%s/%s/python%d.%d' % ((sys.base_prefix, getattr(sys, 'platlibdir', 'lib')) + sys.version_info[:2])
    try:
        posix.stat(base + '/os.py')
    except faults(OSError, ValueError):
        return None
    return base


def no_import(name, *unused):
    """Such a file may import what is not loaded (opcode.py: _opcode, a shared library of some builds)."""
    raise ImportError(name)


def standard_namespace(name):
    """What the file NAME.py of the standard library defines, in a namespace of its own; None without that file."""
    directory = standard_library()
    if directory is None:
        return None
    path = '%s/%s.py' % (directory, name)
    try:
        with _io.open(path, 'rb') as stream:
            source = stream.read()
        builtins = dict(builtin('builtins').__dict__, __import__=no_import)
        namespace = {'__name__': '_mr_attach_' + name, '__builtins__': builtins}
        exec(compile_quietly(source, path), namespace)
    except faults(OSError, SyntaxError, ImportError):
        return None
    return namespace


def rest(seconds):
    """Let the other threads have the GIL for at least SECONDS.

    Not by time.sleep(): the kernel keeps one restart for a thread, and a sleep of ours would take the place of that of
    the wait which our thread was called out of.
    """
    lock = _thread.allocate_lock()
    lock.acquire()
    lock.acquire(True, seconds)


def referrers(*objects):
    """(what refers to one of OBJECTS, or all objects, how many objects were frozen, seconds): one walk over the heap.

    Objects that a pre-fork server froze are hidden from the collector, so they are thawed for the walk.
    """
    start = time.perf_counter()
    frozen = gc.get_freeze_count() if hasattr(gc, 'get_freeze_count') else 0
    if frozen:
        gc.unfreeze()
    found = gc.get_referrers(*objects) if objects else gc.get_objects()
    if frozen:
        gc.freeze()
    return found, frozen, time.perf_counter() - start

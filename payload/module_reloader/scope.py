# SPDX-License-Identifier: MIT
"""Which modules there are, where they came from, and which of them are the user's.

Nothing of the program runs while we look: a module's dictionary is read through the descriptor of the module type,
never through getattr, and what is odd is skipped.  User code is what came from a source file that is neither in the
standard library nor in site-packages or dist-packages.  One file may be loaded under several names, and one module
object may stand under several; each object counts once, under the first of its names.
"""
from . import host

DICT = host.ModuleType.__dict__['__dict__']
INSTALLED = ('/site-packages/', '/dist-packages/')
OWN = ('_mr_attach', 'module_reloader')
BORN = []
GRAIN = 0.05                                 # seconds: how far clocks of files and processes may be apart
CLOCK_BOOTTIME, FORKED = 7, 0x40             # PF_FORKNOEXEC in the flags of a process


class Module:
    """One loaded module: its names, its dictionary, its source file, and what kind of thing it is."""

    def __init__(self, name, namespace):
        self.name, self.names, self.dict = name, [name], namespace
        spec = spec_of(namespace)
        self.loader = namespace.get('__loader__')
        if self.loader is None:
            self.loader = getattr(spec, 'loader', None)
        path = namespace.get('__file__')
        self.path = path if type(path) is str and path else None
        self.kind = self.find_kind(spec)
        self.excluded = self.kind == 'source' and is_excluded(self.path)
        self.known_filename = None

    def find_kind(self, spec):
        origin = getattr(spec, 'origin', None)
        loader = type(self.loader).__name__
        if origin in ('built-in', 'frozen') or any(self.loader is one for one in special_loaders()):
            return origin if origin in ('built-in', 'frozen') else 'built-in'
        if self.path is None:
            return 'namespace' if '__path__' in self.dict else 'odd'
        if self.path.endswith(('.so', '.pyd')):
            return 'extension'
        if self.path.endswith(('.pyc', '.pyo')):
            return 'sourceless'
        return 'zip' if loader == 'zipimporter' else 'source'

    def filename(self):
        """The name of the source in the code that the module runs now, which may differ from __file__."""
        if self.known_filename is None:
            self.known_filename = self.path
            names = [value.__code__.co_filename for value in list(self.dict.values())
                     if type(value) is host.FunctionType and value.__globals__ is self.dict]
            base = self.path.rpartition('/')[2]
            for name in names:
                if name.rpartition('/')[2] == base:
                    self.known_filename = name
                    break
        return self.known_filename

    def initializing(self):
        return getattr(spec_of(self.dict), '_initializing', False) is True


def spec_of(namespace):
    """The spec of a module, if it is of the standard type; anything else could run code of the program."""
    spec, kind = namespace.get('__spec__'), getattr(host.sys.modules.get('_frozen_importlib'), 'ModuleSpec', None)
    return spec if type(spec) is kind else None


def special_loaders():
    bootstrap = host.sys.modules.get('_frozen_importlib')
    return (getattr(bootstrap, 'BuiltinImporter', bootstrap), getattr(bootstrap, 'FrozenImporter', bootstrap))


def is_excluded(path):
    library = host.standard_library()
    if library is not None and path.startswith(library + '/'):
        return True
    return any(part in path for part in INSTALLED)


def namespace_of(name, entry):
    """The dictionary of what stands in sys.modules under NAME, or None."""
    if issubclass(type(entry), host.ModuleType):
        if type(entry).__name__ == '_LazyModule':
            return None                      # not loaded yet: looking closer would load it
        return DICT.__get__(entry)
    for value in list(host.class_dict(type(entry)).values()) if entry is not None else ():
        if type(value) is host.FunctionType and value.__globals__.get('__name__') == name:
            return value.__globals__         # a module that put an object in its own place
    return None


def modules():
    """All loaded modules, once each, in the order in which their import began."""
    found, seen = [], {}
    for name, entry in list(host.sys.modules.items()):
        if type(name) is not str or name.partition('.')[0] in OWN:
            continue
        namespace = namespace_of(name, entry)
        if type(namespace) is not dict:
            continue
        if id(namespace) in seen:
            seen[id(namespace)].names.append(name)
            continue
        module = seen[id(namespace)] = Module(name, namespace)
        if type(module.dict.get('__name__')) is not str or module.dict['__name__'] not in OWN:
            found.append(module)
    return found


def users(everything=False):
    """The modules with a source that commands are about by default."""
    return [module for module in modules() if module.kind == 'source' and (everything or not module.excluded)]


def process(pid):
    """(program, name, whether it never called exec() itself, pid of the parent, start in ticks since boot)."""
    with host._io.open('/proc/%d/stat' % pid, 'rb') as stream:
        name, _, rest = stream.read().rpartition(b')')
    try:
        program = host.posix.readlink('/proc/%d/exe' % pid)
    except OSError:                          # of another user: its start can be read all the same
        program = None
    fields = rest.split()
    return program, name.partition(b'(')[2], int(fields[6]) & FORKED, int(fields[1]), int(fields[19])


def oldest():
    """(the start in ticks of the process that our modules may have been loaded in first, whether that is certain).

    A worker runs modules that its master loaded before the fork. Who called exec() began with nothing; who did not
    has them from its parent, or, when that is gone, from somebody whose place an older process has taken.
    """
    mine = program, name, forked, parent, start = process(host.posix.getpid())
    for _ in range(20):
        if not forked:
            return start, True
        if parent < 1:
            break
        program, name, forked, parent, before = process(parent)
        if program is not None and program != mine[0] or program is None and parent < 1 and name != mine[1]:
            break
        start = min(start, before)
    return start, False


def born():
    """The time before which no module of this process was loaded.

    Both clocks that it is made of, and that of files, are coarse. Ten seconds more where a parent is gone.
    """
    if not BORN:
        try:
            ticks, certain = oldest()
            boot = host.time.clock_gettime(host.time.CLOCK_REALTIME) - host.time.clock_gettime(CLOCK_BOOTTIME)
            BORN.append(boot + ticks / host.posix.sysconf('SC_CLK_TCK') - (GRAIN if certain else 10))
        except (OSError, ValueError, IndexError):
            BORN.append(0)
    return BORN[0]


def changed(found, when):
    """Whether a file may have changed since WHEN: some file systems know whole seconds only."""
    return found.st_ctime > when - (found.st_ctime_ns % 1000000000 == 0)


def changed_since(path, when):
    """Whether the file at PATH may be another one, or have other content, than at the time WHEN.

    Editors, rsync and git fake dates of content, nobody fakes st_ctime.  A switched link shows in the link's own
    ctime, a renamed folder in its ctime without a change of its mtime.
    """
    try:
        if changed(host.posix.stat(path), when):
            return True
        step = path
        while step not in ('', '/'):
            found = host.posix.lstat(step)
            kind = found.st_mode & 0o170000
            if changed(found, when) and (kind == 0o120000 or
                                         kind == 0o040000 and found.st_ctime_ns != found.st_mtime_ns):
                return True
            step = step.rpartition('/')[0]
        return False
    except (OSError, ValueError):
        return True

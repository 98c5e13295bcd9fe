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
LIBRARY_ZIP = '/python%d%d.zip/' % host.sys.version_info[:2]
OWN = ('_mr_attach', 'module_reloader')
BORN, FOLDERS, KNOWN = [], {}, {}            # what was found out: when, {folder: whether excluded}, {name: Known}
GRAIN = 0.05                                 # seconds: how far clocks of files and processes may be apart
CLOCK_BOOTTIME, FORKED = 7, 0x40             # PF_FORKNOEXEC in the flags of a process
BOOTSTRAP = host.sys.modules.get('_frozen_importlib')
SPEC = getattr(BOOTSTRAP, 'ModuleSpec', None)
SOURCE_LOADER = getattr(host.sys.modules.get('_frozen_importlib_external'), 'SourceFileLoader', None)
SPECIAL = (getattr(BOOTSTRAP, 'BuiltinImporter', BOOTSTRAP), getattr(BOOTSTRAP, 'FrozenImporter', BOOTSTRAP))


class Known:
    """What is so of a module as long as its dictionary, its spec and its __file__ are the same objects.

    With thousands of modules, finding it out anew would be most of the work of a command that finds nothing changed.
    """

    __slots__ = 'ident', 'spec', 'file', 'kind', 'excluded', 'archive', 'newest', 'seen', 'record'

    def __init__(self, ident, spec, file, kind, excluded, archive):
        self.ident, self.spec, self.file, self.kind, self.excluded = ident, spec, file, kind, excluded
        self.archive = archive               # the zip file that it came out of
        self.newest, self.seen, self.record = 0, None, None      # stale.py's

    @property
    def path(self):
        return self.file if type(self.file) is str and self.file else None


def text(value):
    """VALUE if it is a text: comparing anything else could run code of the program."""
    return value if type(value) is str else None


def learn(name, namespace, spec, file):
    """Find it out; the first lines are for what nearly all modules are."""
    loader, excluded, archive = namespace.get('__loader__'), False, None
    if type(loader) is SOURCE_LOADER and type(spec) is SPEC and type(file) is str and text(spec.origin) == file and \
            file.endswith('.py'):
        kind = 'source'
    else:
        kind = find_kind(namespace, spec, file if type(file) is str and file else None)
        if kind == 'source' and type(loader).__name__ == 'zipimporter' and type(getattr(loader, 'archive', None)) is str:
            archive = loader.archive
    if name.startswith(OWN) and name.partition('.')[0] in OWN or text(namespace.get('__name__')) in OWN:
        kind = None
    if kind == 'source':
        excluded = leaves_out(file)
    return Known(id(namespace), spec, file, kind, excluded, archive)


class Module:
    """One loaded module: its names, its dictionary, its source file, and what kind of thing it is."""

    def __init__(self, name, namespace, known, names):
        self.name, self.names, self.dict, self.known = name, names, namespace, known
        self.path, self.kind, self.excluded, self.known_filename = known.path, known.kind, known.excluded, None

    def local(self, text):
        """The name TEXT without that of the module before it."""
        for name in self.names:
            if text.startswith(name + '.'):
                text = text[len(name) + 1:]
        return text

    @property
    def loader(self):
        return loader_of(self.dict, self.known.spec)

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


def loader_of(namespace, spec):
    loader = namespace.get('__loader__')
    return getattr(spec, 'loader', None) if loader is None and type(spec) is SPEC else loader


def find_kind(namespace, spec, path):
    loader, origin = loader_of(namespace, spec), text(getattr(spec, 'origin', None)) if type(spec) is SPEC else None
    if origin in ('built-in', 'frozen'):
        return origin
    if loader is not None and (loader is SPECIAL[0] or loader is SPECIAL[1]):
        return 'odd' if spec is None else 'built-in'         # __main__ of `python -c`
    if path is None:
        return 'namespace' if '__path__' in namespace else 'odd'
    if path.endswith(('.so', '.pyd')):
        return 'extension'
    if path.endswith(('.pyc', '.pyo')):
        return 'sourceless'
    return 'source'


def spec_of(namespace):
    """The spec of a module, if it is of the standard type; anything else could run code of the program."""
    spec = namespace.get('__spec__')
    return spec if type(spec) is SPEC else None


def leaves_out(path):
    """is_excluded(), for a __file__ that may be anything, remembered by folder."""
    folder = path.rpartition('/')[0] if type(path) is str else None
    found = FOLDERS.get(folder)
    if found is None:
        found = FOLDERS[folder] = folder is None or is_excluded(path)
    return found


def is_excluded(path):
    library = host.standard_library()
    if library is not None and path.startswith(library + '/'):
        return True
    return any(part in path for part in INSTALLED) or LIBRARY_ZIP in path


def namespace_of(name, entry):
    """The dictionary of what stands in sys.modules under NAME, or None."""
    if issubclass(type(entry), host.ModuleType):
        if type(entry).__name__ == '_LazyModule':
            return None                      # not loaded yet: looking closer would load it
        return DICT.__get__(entry)
    for value in list(host.class_dict(type(entry)).values()) if entry is not None else ():
        if type(value) is host.FunctionType and text(value.__globals__.get('__name__')) == name:
            return value.__globals__         # a module that put an object in its own place
    return None


def entries(items=None):
    """(name, dictionary, file) of all loaded modules, or of ITEMS of sys.modules, in the order in which their import began.

    This and rows() are plain loops, since programs have thousands of them.
    """
    found, plain = [], host.ModuleType
    for name, entry in list(host.sys.modules.items()) if items is None else items:
        namespace = entry.__dict__ if type(entry) is plain else namespace_of(name, entry)
        if type(namespace) is dict and type(name) is str:
            found.append((name, namespace, namespace.get('__file__')))
    return found


def rows(chosen=None):
    """(all loaded modules, or those CHOSEN of entries(), once each: (name, dictionary, Known); the names of those that have
    several, by the id of the dictionary)."""
    found, others, seen, known_ones = [], {}, {}, KNOWN
    for name, namespace, file in entries() if chosen is None else chosen:
        known, spec = known_ones.get(name), namespace.get('__spec__')
        if known is None or known.file is not file or known.spec is not spec or known.ident != id(namespace):
            known = known_ones[name] = learn(name, namespace, spec, file)
        if known.kind is None:
            continue
        first = seen.setdefault(known.ident, name)
        if first is name:
            found.append((name, namespace, known))
        else:
            others.setdefault(known.ident, [first]).append(name)
    if len(known_ones) > 2 * len(host.sys.modules):
        for name in set(known_ones) - set(host.sys.modules):
            del known_ones[name]
    return found, others


def holding(objects):
    """The modules that have a file, not among the installed ones, and whose names lead to one of OBJECTS.

    What many dictionaries hold is asked for at once, which takes a tenth of the time of going through each; and all steps
    are taken for these before the next, for which the processor has to get them from memory once.
    """
    library, found, ids = (host.standard_library() or '?') + '/', [], set(map(id, objects))
    countable = all(host.sys.getrefcount(one) < host.COUNTED for one in objects)
    items, size = list(host.sys.modules.items()), max(64, min(len(objects), 512))
    for start in range(0, len(items), size):
        part = [(name, namespace, file) for name, namespace, file in entries(items[start:start + size]) if type(file) is str and
                not file.startswith(library) and INSTALLED[0] not in file and INSTALLED[1] not in file]
        if part and (not countable or raises_count(objects, [namespace for _, namespace, _ in part])):
            found.extend(row for row in part if not ids.isdisjoint(map(id, host.gc.get_referents(row[1]))))
    return made(*rows(found))


def raises_count(objects, namespaces):
    """Whether NAMESPACES lead to one of OBJECTS: a list of all that they lead to raises the number of references to it.

    It is counted before and after that in one step of C, in which nothing else runs.
    """
    count, held = host.sys.getrefcount, [[one] for one in namespaces]
    before, _, after = next(zip(map(list, [map(count, objects)]), map(host.gc.get_referents, *held), map(list, [map(count, objects)])))
    return before != after


def made(found, others):
    """The rows FOUND as modules."""
    return [Module(name, namespace, known, others.get(known.ident) or [name]) for name, namespace, known in found]


def modules():
    """All loaded modules, once each."""
    return made(*rows())


def users(everything=False):
    """The modules with a source that commands are about by default."""
    return [module for module in modules() if module.kind == 'source' and (everything or not module.excluded)]


def process(pid):
    """(program, name, whether it never called exec() itself, pid of the parent, start in ticks since boot)."""
    with host._io.open('/proc/%d/stat' % pid, 'rb') as stream:
        name, _, rest = stream.read().rpartition(b')')
    try:
        program = host.posix.readlink('/proc/%d/exe' % pid)
    except host.faults(OSError):             # of another user: its start can be read all the same
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
        except host.faults(OSError, ValueError, IndexError):
            BORN.append(0)
    return BORN[0]

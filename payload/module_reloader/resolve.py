# SPDX-License-Identifier: MIT
"""From what the user named to modules: a dotted name, a source file, or a folder.

A path may be the user's, who sees other folders than the process does (a container, a chroot): it comes with device
and inode, which are the same everywhere.  Else it is looked up as the process would.  Two different hits are an error,
two modules with one file are not: both are meant.
"""
from . import evidence, host, scope, sources

KINDS = {'extension': 'it is an extension module, which can only be loaded anew by a restart',
         'built-in': 'it is built into the interpreter', 'frozen': 'it is frozen into the interpreter',
         'namespace': 'it is a namespace package, which has no file', 'odd': 'it was not loaded from a file'}


class Target:
    """What the user named, as it came with the request."""

    def __init__(self, text, kind, ours=None):
        self.text, self.kind, self.ours = text, kind, ours


def stat_key(path):
    try:
        found = host.posix.stat(path)
    except host.faults(OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


class Files:
    """The loaded modules by file, and by the folders above it."""

    def __init__(self, modules):
        self.modules = [module for module in modules if module.path is not None]
        self.keys = {}

    def key(self, path):
        if path not in self.keys:
            self.keys[path] = stat_key(path)
        return self.keys[path]

    def hits(self, key, path):
        """(modules whose file is the one of KEY or PATH, modules that lie below it as a folder)."""
        files, below = [], []
        for module in self.modules:
            if key is not None and self.key(module.path) == key or path == module.path:
                files.append(module)
            elif path is not None and path.endswith('.pyc') and sources.cache_file(module) is not None and \
                    self.key(sources.cache_file(module)) == key is not None:
                files.append(module)
            elif any(key is not None and self.key(folder) == key for folder in folders(module.path)):
                below.append(module)
        return files, below


def folders(path):
    while '/' in path.strip('/'):
        path = path.rpartition('/')[0]
        yield path or '/'


def by_name(target, modules):
    found = [module for module in modules if target.text in module.names]
    if not found:
        if target.text in host.sys.modules:
            raise host.Refusal('no-source', '%s cannot be reloaded: what stands in sys.modules is not a module'
                               % target.text)
        last = target.text.rpartition('.')[2]
        near = sorted(name for module in modules for name in module.names if name.rpartition('.')[2] == last and last)
        like = None if near else nearest(target.text, modules)
        hint = 'loaded is ' + ', '.join(near[:3]) if near else 'did you mean %s?' % like if like else \
            'mr-attach PID list shows what is loaded'
        raise host.Refusal('no-such-module', 'no module named %s is loaded' % ascii(target.text), hint)
    return found


def nearest(text, modules):
    """The name of a loaded module of the user that TEXT may be a misspelling of, or None."""
    names = sorted(name for module in modules if module.kind == 'source' and not module.excluded for name in module.names)
    found = [(distance(text, name), name) for name in names if abs(len(name) - len(text)) < 3 and len(text) < 200]
    best = min(found) if found else (3, None)
    return best[1] if best[0] <= min(2, len(text) // 3) else None


def distance(one, other):
    """How many letters have to be changed, added, left out, or swapped with the next."""
    before, row = [], list(range(len(other) + 1))
    for i, letter in enumerate(one):
        older, before, row = before, row, [i + 1]
        for j, there in enumerate(other):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (letter != there)))
            if i and j and letter == other[j - 1] and there == one[i - 1]:
                row[-1] = min(row[-1], older[j - 1] + 1)
    return row[-1]


def full_path(text):
    return text if text.startswith('/') else host.posix.getcwd().rstrip('/') + '/' + text


def by_path(target, files):
    text, full = target.text, full_path(target.text)
    theirs = files.hits(stat_key(full), full)
    ours = ([], [])
    if target.ours is not None:
        ours = files.hits((target.ours['dev'], target.ours['ino']), None)
        if not any(ours) and not any(theirs):
            ours = files.hits(None, target.ours['path'])
    first, second = ours[0] or ours[1], theirs[0] or theirs[1]
    if first and second and {id(one.dict) for one in first} != {id(one.dict) for one in second}:
        raise host.Refusal('ambiguous-path', '%s is %s for you and %s for the process' % (
            ascii(text), first[0].path, second[0].path), 'name the module instead')
    found = first or second
    if found:
        return found
    base = text.rstrip('/').rpartition('/')[2]
    near = [one.path for one in files.modules if one.path.rpartition('/')[2] == base] or \
        sorted((one.path for one in files.modules if not one.excluded and one.kind == 'source'),
               key=lambda path: -common_length(path, full))
    exists = target.ours is not None or stat_key(full) is not None
    raise host.Refusal('not-a-module-path', 'no loaded module came from %s%s' % (
        ascii(text), '' if exists else ', which does not exist'),
        'the nearest loaded file is ' + near[0] if near else None, file=text)


def common_length(one, other):
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


def resolve(targets, context):
    """The modules that TARGETS name, each once; Refusal when one of them names nothing that can be reloaded."""
    modules = scope.modules()
    files, found, seen = Files(modules), [], set()
    named = {target.text: by_name(target, modules) for target in targets if target.kind != 'path'}
    # Refused where a look would hang: who imports from them is looked for in the sources of all.
    paths = [module.path for module in modules if module.path is not None]
    evidence.ask(paths + [full_path(target.text) for target in targets if target.kind == 'path'], context)
    for target in targets:
        hits = by_path(target, files) if target.kind == 'path' else named[target.text]
        sure = [module for module in hits if module.kind in ('source', 'sourceless')]
        if not sure:
            raise host.Refusal('no-source', '%s cannot be reloaded: %s' % (hits[0].name, KINDS[hits[0].kind]),
                               module=hits[0].name)
        paths = {}
        for module in sure:
            paths.setdefault(files.key(module.path), []).append(module.name)
            if id(module.dict) not in seen:
                seen.add(id(module.dict))
                found.append(module)
        for names in paths.values():
            if len(names) > 1:
                context.notes.append('one file is loaded under several names, all are reloaded: ' + ', '.join(names))
    return found

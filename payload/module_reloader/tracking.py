# SPDX-License-Identifier: MIT
"""Tracking: later imports are timed, and the source that they load is kept as the baseline of later edits.

The finder stands first on sys.meta_path and finds nothing by itself: it asks the finders after it, and reads the
source at that moment.  What it read is checked against the code that the module runs before it is believed.
"""
import sys

from . import codes, handlers, host, scope, sources, stale, state


class LoadedModuleInfo:
    """What is known of a loaded module, under the names of the original package."""

    def __init__(self, module_name, path, load_time):
        self.module_name, self.path, self.load_time = module_name, path, load_time

    def __repr__(self):
        return 'LoadedModuleInfo(module_name=%r, path=%r, load_time=%r)' % (
            self.module_name, self.path, self.load_time)

    def __eq__(self, other):
        return isinstance(other, LoadedModuleInfo) and vars(self) == vars(other)

    __hash__ = None


class LoadedModules(dict):
    """The records of tracking, by module name; filled from the engine's state when it is asked."""


loaded_modules = LoadedModules()


class CustomImportFinder:
    """The finder that times imports."""

    def find_spec(self, fullname, path=None, target=None):
        after = False
        for finder in list(sys.meta_path):
            if finder is self:
                after = True
            elif after and not isinstance(finder, CustomImportFinder) and hasattr(finder, 'find_spec'):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    self.note(spec)
                    return spec
        return None

    def note(self, spec):
        try:
            track_module(spec)
        except handlers.faults(Exception):   # loaded already: the engine may be on its way out
            pass                             # an import of the program never fails because of us

    def invalidate_caches(self):
        pass


def track_module(spec):
    """Remember that the module of SPEC is loaded now."""
    path = getattr(spec, 'origin', None)
    if not isinstance(path, str) or not path.endswith('.py') or not getattr(spec, 'has_location', False) or \
            spec.name.partition('.')[0] in scope.OWN:
        return
    now = host.time.time()
    loaded_modules[spec.name] = LoadedModuleInfo(spec.name, path, now)
    if not scope.is_excluded(path):
        try:
            data = sources.slurp(path)
        except host.faults(OSError):
            return
        state.STATE['tracked'][spec.name] = {'path': path, 'time': now, 'exact': True, 'source': data,
                                             'filename': path, 'id': None}


def record_loaded(context):
    """Keep the sources of the modules that are loaded already and run what their source says: their entries."""
    signatures, found, (rows, others), when = codes.Signatures(), [], scope.rows(), host.time.time()
    rows = [row for row in rows if row[2].kind == 'source' and not row[2].excluded]
    for examined in stale.look(rows, others, context, signatures):
        module = examined.module
        found.append(examined)
        if examined.state == 'fresh' and state.tracked(module) is None:
            try:
                data = examined.data if examined.data is not None else sources.read(module.path)[0]
            except sources.Problem:
                continue
            state.remember(module, data, when, False)
        if module.path is not None:
            loaded_modules.setdefault(module.name, LoadedModuleInfo(module.name, module.path, when))
    bare = [one.module.name for one in found if state.tracked(one.module) is None]
    if bare:
        context.notes.append('no baseline for %s: what %s is not what the source says now' % (
            ', '.join(bare), 'it runs' if len(bare) == 1 else 'they run'))
    return found


def installed():
    return [one for one in sys.meta_path if type(one).__name__ == 'CustomImportFinder' and
            type(one).__module__.partition('.')[0] in scope.OWN]


def install():
    """Put the finder first on sys.meta_path, if none of ours is there."""
    if not installed():
        sys.meta_path.insert(0, CustomImportFinder())


def uninstall():
    """Take our finder away; the one of a module_reloader that the program imported itself stays."""
    for one in installed():
        if type(one).__module__.partition('.')[0] == __name__.partition('.')[0]:
            sys.meta_path.remove(one)

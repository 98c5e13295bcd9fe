# SPDX-License-Identifier: MIT
"""New code for functions that live: `__code__` is assigned on every function that runs an old code object.

They are found by their __globals__ (living.py): closures, wrapped functions, partials, registries, callbacks and bound
methods alike, and no function of another module.  Nothing is executed.  A function whose free variables would differ
cannot take the new code, since CPython passes cells by position; it keeps the old one and is reported.
"""
from . import baseline, codes, host

COPIED = ('__doc__', '__annotations__', '__annotate__')
KINDS = (staticmethod, classmethod)
DEEP = 20


class Target:
    """Which new code object belongs to which live function of one module."""

    def __init__(self, module, old_root, new_root, signatures):
        self.module, self.signatures, self.by_code, self.by_path = module, signatures, {}, {}
        self.exact, self.live = old_root is not None, {}
        for node in old_root.walk() if old_root is not None else ():
            key = (signatures.of(node.code), node.code.co_firstlineno)
            self.by_code.setdefault(key, []).append(node)
        self.classes = {node.path: node.code.co_firstlineno for node in new_root.walk() if codes.is_class_body(node.code)}
        for node in new_root.walk():
            if not codes.is_class_body(node.code):
                self.by_path.setdefault(node.path, []).append(node)
        self.new_codes = {id(node.code): node for node in new_root.walk()}
        self.new_root = new_root

    def find(self, function):
        """(new code, why there is none, path) for FUNCTION."""
        code = function.__code__
        if code.co_name == '<module>':       # from 3.11 on a body that runs has a function, too
            return None, None, code.co_name
        if id(code) in self.new_codes:
            return None, None, self.new_codes[id(code)].path
        if self.exact:
            return self.find_exact(function)
        path, mine = codes.path_of(function), self.signatures.of(code)
        nodes = self.by_path.get(path, [])
        same = [node for node in nodes if self.signatures.of(node.code) == mine]
        if same:
            return same[0].code, None, path
        if len(nodes) == 1 and (len(self.live.get(path, ())) < 2 or code.co_argcount == nodes[0].code.co_argcount):
            return nodes[0].code, None, path
        if len(nodes) == 1:                  # such as a setter, and the source has a getter only
            return None, 'the new source has nothing that is certainly its successor', path
        live = self.live.get(path, set())    # of several with one name, those that others run are taken
        free = [node for node in nodes if self.signatures.of(node.code) not in live]
        if len(free) == 1 and len(live - {self.signatures.of(node.code) for node in nodes}) == 1:
            return free[0].code, None, path
        return None, 'several definitions have this name' if nodes else None, path

    def find_exact(self, function):
        code = function.__code__
        nodes = self.by_code.get((self.signatures.of(code), code.co_firstlineno))
        if not nodes:                        # of an attempt that failed, and is garbage, or of an earlier version
            mine = self.signatures.of(code)
            if any(self.signatures.of(node.code) == mine for node in self.new_root.walk()):
                return None, None, code.co_name
            return None, 'it runs code of an earlier version', codes.path_of(function)
        partners = {id(node.partner.code): node.partner for node in nodes if node.partner is not None}
        wanted = {self.signatures.of(node.code) for node in partners.values()}
        if len(wanted) == 1:
            return next(iter(partners.values())).code, None, nodes[0].path
        if partners:
            return None, 'it stands in one line with others that it cannot be told from', nodes[0].path
        if '<' in nodes[0].path:
            return None, 'the new source has nothing that is certainly its successor', nodes[0].path
        return None, None, nodes[0].path


def follow_lines(plan, journal):
    """Classes say from 3.13 on in which line they stand."""
    for name, kind in baseline.classes_of(plan.module) if host.sys.version_info >= (3, 13) else ():
        if name in plan.target.classes and '__firstlineno__' in host.class_dict(kind):
            journal.set('class', kind, '__firstlineno__', plan.target.classes[name])


class Patch:
    """One function and what it gets: CODE, or a TARGET to forward to, or, for a REASON, nothing."""

    def __init__(self, function, code, path, changed, target=None, reason=None):
        self.function, self.code, self.path, self.changed = function, code, path, changed
        self.target, self.reason, self.old = target, reason, function.__code__
        self.expected = False                # a statement that runs will find it a way
        self.defaults = None                 # (positional, keyword-only) ones, where it gets others


def patches(target, functions):
    """(what to patch, what is left on old code and why) in one module."""
    todo, left = [], []
    filename = target.module.filename()
    for function in functions if not target.exact else ():
        if function.__code__.co_filename == filename:
            target.live.setdefault(codes.path_of(function), set()).add(target.signatures.of(function.__code__))
    for function in functions:
        if function.__code__.co_filename != filename:
            continue
        code, reason, path = target.find(function)
        if code is None:
            if reason is not None:
                left.append(Patch(function, None, path, True, None, reason))
            continue
        changed = target.signatures.of(code) != target.signatures.of(function.__code__)
        if codes.same_variables(function.__code__, code):
            todo.append(Patch(function, codes.like(function.__code__, code), path, changed))
        else:
            left.append(Patch(function, code, path, True, None, 'its free variables changed from (%s) to (%s)' % (
                ', '.join(function.__code__.co_freevars), ', '.join(code.co_freevars))))
    return todo, left


def watch(old, new):
    """What watches the code OLD by sys.monitoring, such as a debugger or a measurement of coverage, watches NEW as well."""
    monitoring = host.sys.monitoring
    for tool in range(6):
        events = monitoring.get_local_events(tool, old) if monitoring.get_tool(tool) is not None else 0
        if events:
            monitoring.set_local_events(tool, new, events)


def apply(plan, journal):
    """Assign the code objects: no code of the program runs, nothing is read from anywhere."""
    for one in plan.patches:
        function = one.function
        if one.target is not None:
            plan.forwards.point(function, one.target, journal)
            continue
        if codes.docstring(one.old) != codes.docstring(one.code) and function.__doc__ == codes.docstring(one.old):
            journal.set('function', function, '__doc__', codes.docstring(one.code))
        if hasattr(host.sys, 'monitoring'):
            watch(one.old, one.code)
        assign(one, journal)


def assign(one, journal):
    journal.set('function', one.function, '__code__', one.code)
    for name, value in zip(('__defaults__', '__kwdefaults__'), one.defaults or ()):
        journal.set('function', one.function, name, value)


def transplant(old, new, journal):
    """Make the function OLD what NEW is, keeping its identity; False when that is impossible."""
    if not codes.same_variables(old.__code__, new.__code__):
        return False
    for name in ('__code__', '__defaults__', '__kwdefaults__'):
        journal.set('function', old, name, getattr(new, name))
    describe(old, new, journal)
    for name, value in new.__dict__.items():
        journal.set('item', old.__dict__, name, value)
    return True


def describe(old, new, journal):
    """Give the function OLD the docstring and annotations of NEW."""
    journal.set('function', old, '__doc__', new.__doc__)
    if hasattr(new, '__annotate__'):
        journal.set('function', old, '__annotate__', new.__annotate__)
    elif list(new.__annotations__.items()) != list(old.__annotations__.items()):
        journal.set('function', old, '__annotations__', new.__annotations__)
    if hasattr(new, '__type_params__') and new.__type_params__ != old.__type_params__:
        journal.set('function', old, '__type_params__', new.__type_params__)


def inner(value):
    """The plain functions that a staticmethod, classmethod or property holds, by role."""
    if host.among(type(value), KINDS):
        return {'func': value.__func__}
    if type(value) is property:
        return {'fget': value.fget, 'fset': value.fset, 'fdel': value.fdel}
    return {'self': value} if type(value) is host.FunctionType else {}


def same_cells(one, other):
    """Whether the variables that two functions close over hold the same objects."""
    pairs = zip(one.__closure__ or (), other.__closure__ or ())
    return all(mine is its or cell_content(mine) is cell_content(its) for mine, its in pairs)


def cell_content(cell):
    try:
        return cell.cell_contents
    except host.faults(ValueError):          # it is empty
        return cell


def pairs_of(old, new, namespace):
    """The functions in OLD and NEW, which may stand in a module or class, if OLD can become NEW; else None."""
    if type(old) is not type(new):
        return None
    olds, news = inner(old), inner(new)
    if not olds or {role for role in olds if olds[role]} != {role for role in news if news[role]}:
        return None
    pairs = [(olds[role], news[role]) for role in olds if olds[role]]
    if any(type(one) is not host.FunctionType or one.__globals__ is not namespace or
           not codes.same_place(one, other) or one.__code__.co_filename != other.__code__.co_filename or
           not codes.same_variables(one.__code__, other.__code__) or not same_cells(one, other)
           for one, other in pairs if one is not other and type(other) is host.FunctionType) or \
            any(type(other) is not host.FunctionType for _, other in pairs):
        return None
    return pairs


def transplant_value(old, new, namespace, journal):
    """transplant() for what may stand in a module or class; True when OLD has become NEW and can stay."""
    pairs = pairs_of(old, new, namespace)
    for one, other in pairs or ():
        if one is not other:
            transplant(one, other, journal)
    return pairs is not None


def compiled(plan):
    """The names of functions that change, of which numba holds machine code: it goes on, and nothing of ours can tell it."""
    wanted = {id(one.function): one.path for one in plan.patches if one.changed}
    for value in list(plan.module.dict.values()) if wanted else ():
        kind = getattr(type(value), '__module__', None)
        function = value.__dict__.get('py_func') if type(kind) is str and kind.startswith('numba.') else None
        if id(function) in wanted:
            yield wanted[id(function)]


def members(module, journal):
    """What will stand in the module, and what stands in its classes."""
    values = list(journal.seen(module.dict).values())
    for _, kind in baseline.classes_of(module):
        values.extend(list(host.class_dict(kind).values()))
    return values


def wrapper_caches(module, patched, journal):
    """The functools.lru_cache wrappers in the module and its classes whose function was patched."""
    found = []
    for value in members(module, journal):
        value = getattr(value, '__func__', value) if host.among(type(value), KINDS) else value
        if type(value).__name__ == '_lru_cache_wrapper' and type(value).__module__ == 'functools' and \
                id(value.__wrapped__) in patched:
            found.append(value)
    return found


def follow_copies(module, journal):
    """What copied the docstring or the annotations of a function that gets others, as functools.wraps() does, gets them too."""
    steps = journal.steps + journal.planned()
    told = {(id(step[1]), step[2]): step[3:] for step in steps if step[0] == 'function' and step[2] in COPIED}
    for value in members(module, journal) if told else ():
        chain = layers(value)
        for one, original in reversed(list(zip(chain, chain[1:]))):
            copy(one, original, told, journal)


def copy(value, original, told, journal):
    """The same for one VALUE, made of ORIGINAL; TOLD: {(id of an original, name): (old, new)}."""
    for name in COPIED:
        old, new = told.get((id(original), name), (None, None))
        if old is not new and getattr(value, name, told) is old and journal.set('function', value, name, new):
            told[id(value), name] = old, new


def layers(value):
    """VALUE, and what it is made of, as far as it describes itself by that."""
    found = []
    while value is not None and len(found) < DEEP:       # a program can make it a circle
        found.append(value)
        value = wrapped(value)
    return found


def wrapped(value):
    """What VALUE was made of and describes itself by."""
    kind = type(value)
    if kind is host.FunctionType:
        return value.__dict__.get('__wrapped__') if codes.forwards_to(value) is None else None
    if kind is property:
        return value.fget
    name = baseline.FUNCTOOLS.get(kind.__name__) if kind.__module__ == 'functools' else None
    return getattr(value, name, None) if name else getattr(value, '__func__', None) if host.among(kind, KINDS) else None

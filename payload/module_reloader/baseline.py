# SPDX-License-Identifier: MIT
"""What a module ran before: the source that tracking kept; else the code of its own frame, if it is still being run, as
__main__ often is; else the .pyc whose code the live functions run; else nothing.

A .pyc is believed if every function of the module that can be reached runs code that is in it, and it is not a later
one: it was written before the process began or before the source last changed, or it was made from another source
than the one on disk now, or the constants in it are the module's.
"""
from . import codes, host, scope, sources, state

DEPTH = 12
NAME = type.__dict__['__name__']             # read past whatever a metaclass does about attributes
METHODS = (host.FunctionType, staticmethod, classmethod, property)
FUNCTOOLS = {'_lru_cache_wrapper': '__wrapped__', 'cached_property': 'func', 'partial': 'func', 'partialmethod': 'func',
             'singledispatchmethod': 'func'}


def inner_functions(value, depth=0):
    """The functions that VALUE, found in a module or class, is made of: wrappers, properties, closures."""
    if depth > DEPTH:
        return
    kind = type(value)
    while kind is host.FunctionType and codes.forwards_to(value) is not None:
        value = codes.forwards_to(value)
        kind = type(value)
    if kind is host.FunctionType:
        yield value
        for cell in value.__closure__ or ():
            try:
                content = cell.cell_contents
            except host.faults(ValueError):
                continue
            if type(content) is host.FunctionType:
                for found in inner_functions(content, depth + 1):
                    yield found
        value = value.__dict__.get('__wrapped__')
        parts = [value] if value is not None else []
    elif kind is staticmethod or kind is classmethod:
        parts = [value.__func__]
    elif kind is property:
        parts = [value.fget, value.fset, value.fdel]
    elif kind.__module__ == 'functools' and kind.__name__ in FUNCTOOLS:
        parts = [getattr(value, FUNCTOOLS[kind.__name__], None)]
    elif host.among(kind, (list, tuple, dict)) and depth < 2 and len(value) < 1000:
        parts = list(value.values() if kind is dict else value)
    else:
        parts = []
    for part in parts:
        for found in inner_functions(part, depth + 1):
            yield found


def classes_of(module):
    """The classes that the module defined and still names: (path, class), nested ones after their outer ones.

    One with several names has its own, whichever was there first.
    """
    found, todo, seen = [], [('', module.dict)], set()
    while todo:
        prefix, namespace = todo.pop(0)
        there = [(name, value) for name, value in list(namespace.items()) if host.is_class(value) and type(name) is str]
        for name, value in sorted(there, key=lambda one: one[0] != NAME.__get__(one[1])):
            if id(value) in seen:
                continue
            owner = host.class_dict(value).get('__module__')
            if type(owner) is not str or owner != scope.text(module.dict.get('__name__')) and \
                    not made_here(value, prefix + name, module):
                continue
            seen.add(id(value))
            found.append((prefix + name, value))
            if len(prefix) < 200:
                todo.append((prefix + name + '.', host.class_dict(value)))
    return found


def made_here(kind, path, module):
    """Whether a class that says it is of another module, as a package's interface does, is this one's: its first method is."""
    members = [value for value in list(host.class_dict(kind).values()) if host.among(type(value), METHODS)]
    return any(one.__globals__ is module.dict and one.__qualname__ == '%s.%s' % (path, one.__name__)
               for value in members[:1] for one in inner_functions(value))


def reachable(module):
    """The functions of the module that its names and its classes lead to."""
    found, seen = [], set()
    values = list(module.dict.values())
    for _, kind in classes_of(module):
        values.extend(list(host.class_dict(kind).values()))
    for value in values:
        for function in inner_functions(value):
            if id(function) not in seen and function.__globals__ is module.dict:
                seen.add(id(function))
                if function.__code__.co_filename == module.filename():
                    found.append(function)
    return found


def known(code, signatures):
    """What the tree of a module's code holds: (what it does, first line) of each code object."""
    return {(signatures.of(node.code), node.code.co_firstlineno) for node in codes.tree(code).walk()}


def place(function, signatures):
    return signatures.of(function.__code__), function.__code__.co_firstlineno


def runs(code, functions, signatures):
    """Whether all of FUNCTIONS run code that is in the tree of the module code CODE, at the same lines."""
    there = known(code, signatures)
    return all(place(one, signatures) in there for one in functions)


def constants_agree(module, code, signatures):
    """Whether names that CODE gives only constants have one of those now: which branch of several ran, it does not tell."""
    units = host.part('units')
    found = units.units_of(code, signatures)
    for name, given in units.stores(found or ()).items():
        plain = [one[1] for one in given if one[0] in units.CONSTANT and one[1] not in ('code', 'body')]
        if len(plain) == len(given) and not name.startswith('__') and name in module.dict and \
                codes.live_key(module.dict[name]) not in plain:
            return False
    return found is not None



def running(module):
    """The frame that runs the module's own body, in some thread, or None."""
    for frame in list(host.sys._current_frames().values()):
        while frame is not None:
            if frame.f_globals is module.dict and frame.f_code.co_name == '<module>' and \
                    frame.f_code.co_filename == module.filename():
                return frame
            frame = frame.f_back
    return None


def find(module, found, context, signatures):
    """(kind, code) of the baseline; FOUND is the stat of the source as it is now."""
    functions = reachable(module)
    record = state.tracked(module)
    if record is not None:
        try:
            code, _ = sources.compiled(record['source'], record['filename'], context, module.loader)
        except sources.Problem:
            code = None
        # closures that could not follow an earlier reload were reported then, and say nothing about the rest
        whole = [one for one in functions if '<locals>' not in one.__qualname__]
        if code is not None and runs(code, whole, signatures):
            return 'tracked', code
    frame = running(module)
    if frame is not None and runs(frame.f_code, functions, signatures):
        return 'frame', frame.f_code
    witness = sources.cached(module)
    if witness is not None:
        code, mtime, size, cache = witness
        if runs(code, functions, signatures):
            other = (mtime, size) != (int(found.st_mtime) & 0xffffffff, found.st_size & 0xffffffff)
            older = cache.st_ctime < scope.born() or cache.st_ctime_ns < found.st_ctime_ns
            if older or mtime is not None and other or constants_agree(module, code, signatures):
                return 'pyc', code
    return 'none', None

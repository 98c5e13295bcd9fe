# SPDX-License-Identifier: MIT
"""Code objects compared: what is the same code, and which new code object replaces which old one.

Two code objects are the same when they do the same, whatever lines they stand in; line numbers and file names are
left out, recursively.  Python's own equality does not do that, in any version.  Constants are compared by type and
value: 1, 1.0 and True are three things.

Nested code objects are matched by parent and name.  Where a name occurs several times, the ones that are the same go
together first, then the rest by position, if equally many are left; what cannot be matched keeps its old code and is
reported.
"""
from . import host

ITERABLE = 0x100                             # set on a live generator function by types.coroutine
GENERATORS = 0x20 | 0x80 | 0x200             # generator, coroutine, asynchronous generator
VARARGS, VARKEYWORDS, OPTIMIZED, NEWLOCALS, HAS_DOCSTRING = 4, 8, 1, 2, 0x4000000
FORWARD = '<forwarded by mr-attach>'         # the file name of code that only calls another function: see trampolines.py
CLASS_NAMES = ('__firstlineno__', '__static_attributes__')


def is_code(value):
    return type(value) is host.CodeType


def children(code):
    return [const for const in code.co_consts if is_code(const)]


def is_class_body(code):
    return not code.co_flags & (OPTIMIZED | NEWLOCALS) and code.co_name != '<module>'


def is_generic(code):
    """Whether the code object is what is around a definition that has type parameters, and run where that is made (3.12 on)."""
    return code.co_name.startswith('<generic parameters')


def is_inline(code):
    """Whether the code object is run where it is made: a comprehension is part of the expression it stands in."""
    return code.co_name in ('<listcomp>', '<setcomp>', '<dictcomp>', '<genexpr>')


def docstring(code):
    """The docstring of a function's code, or None."""
    if code.co_name.startswith('<') or is_class_body(code) or not code.co_consts:
        return None
    if host.sys.version_info >= (3, 14) and not code.co_flags & HAS_DOCSTRING:
        return None
    return code.co_consts[0] if isinstance(code.co_consts[0], str) else None


def constant_key(value):
    """A key that two constants share only if they are of one type and one value."""
    if isinstance(value, tuple):
        return ('tuple',) + tuple(map(constant_key, value))
    if isinstance(value, frozenset):
        return ('frozenset',) + tuple(sorted(map(repr, map(constant_key, value))))
    return (type(value).__name__, value if type(value) in (str, bytes, int) else repr(value))


def live_key(value):
    """constant_key() of a value of the program; None if asking for it could run code of the program."""
    if host.among(type(value), (tuple, frozenset)):
        return None if any(live_key(one) is None for one in value) else constant_key(value)
    plain = host.among(type(value), (int, str, bytes, float, complex, bool, type(None), type(Ellipsis)))
    return constant_key(value) if plain else None


class Signatures:
    """Gives code objects numbers: two have the same number if and only if they are the same code."""

    def __init__(self):
        self.numbers, self.known, self.bodies = {}, {}, {}

    def number(self, key):
        return self.numbers.setdefault(key, len(self.numbers))

    def of(self, code):
        found = self.known.get(id(code))
        if found is None:
            raw = code.co_code
            if code.co_flags & ITERABLE:     # 3.15: an instruction knows of it, too
                raw = rebuilt(code, code.co_flags & ~ITERABLE, code.co_name).co_code
            key, marked = self.key(code, code.co_consts, raw), is_class_body(code) and set(CLASS_NAMES) & set(code.co_names)
            number = self.body(code, key) if marked and key not in self.numbers else self.number(key)
            found = self.known[id(code)] = (number, code)
        return found[0]

    def key(self, code, consts, raw):
        consts = tuple(('code', self.of(const)) if is_code(const) else constant_key(const) for const in consts)
        return (code.co_name, code.co_argcount, getattr(code, 'co_posonlyargcount', 0), code.co_kwonlyargcount,
                code.co_flags & ~ITERABLE, raw, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
                consts, getattr(code, 'co_exceptiontable', b''))

    def body(self, code, key):
        """The number of the body of a class that, from 3.13 on, holds its own line, and names in no certain order.

        Telling what else is in it costs reading a table of the standard library: it is put off until there is another one
        of that name in which more differs than the functions.
        """
        own = code.co_code, code.co_names, tuple(constant_key(one) for one in code.co_consts if not is_code(one))
        alike = self.bodies.setdefault(code.co_name, [own, []])
        if alike[0] == own:
            alike[1].append(code)
            return self.number(key)
        for one in alike[1]:
            self.numbers[self.bare(one)] = self.of(one)
        alike[:] = None, []
        self.numbers[key] = self.number(self.bare(code))
        return self.numbers[key]

    def bare(self, code):
        """The key of the body of a class without its line and those names."""
        tokens = host.part('units').tokens_of(code, self)
        if tokens is None:
            return self.key(code, code.co_consts, code.co_code)
        return self.key(code, children(code), tuple(tokens))


class Node:
    """One code object in the tree of a module: its path of names, and its counterpart in the new tree; no cycles."""

    def __init__(self, code, path, inside):
        """INSIDE is what the paths of those in it begin with."""
        self.code, self.path, self.partner = code, path, None
        self.nodes = []
        for child in children(code):
            full = inside + child.co_name
            below = full + ('.' if is_class_body(child) else '.<locals>.')
            self.nodes.append(Node(child, full, inside if is_generic(child) else below))

    def walk(self):
        """All nodes below this one."""
        for node in self.nodes:
            yield node
            for below in node.walk():
                yield below


def tree(code):
    return Node(code, '', '')


def annotators(code):
    """{id of a code object in CODE that makes annotations: the name of what has them, '' for CODE itself} (3.14 on)."""
    found, waiting, units = {}, None, host.part('units')
    for one in units.instructions(code) or ():
        const = code.co_consts[one.arg] if one.name in units.CONSTANT and one.arg < len(code.co_consts) else None
        if is_code(const):
            if waiting is not None:
                found[id(waiting)] = const.co_name
            waiting = const if const.co_name == '__annotate__' else None
        elif one.name == 'STORE_NAME' and code.co_names[one.arg] in ('__annotate__', '__annotate_func__') and waiting is not None:
            found[id(waiting)], waiting = '', None
    return found


def match(old, new, signatures):
    """Give the nodes below OLD their partners below NEW."""
    names = {}
    for side, parent in enumerate((old, new)):
        owners = annotators(parent.code) if any(one.code.co_name == '__annotate__' for one in parent.nodes) else {}
        for node in parent.nodes:
            key = (node.code.co_name, is_class_body(node.code), owners.get(id(node.code)))
            names.setdefault(key, ([], []))[side].append(node)
    for olds, news in names.values():
        for node in list(olds):
            same = [other for other in news if signatures.of(other.code) == signatures.of(node.code)]
            if same:
                pair(node, same[0], signatures)
                olds.remove(node)
                news.remove(same[0])
        if len(olds) == len(news):
            for node, other in zip(olds, news):
                pair(node, other, signatures)


def pair(old, new, signatures):
    old.partner = new
    match(old, new, signatures)


def like(old, new):
    """NEW with the mark that types.coroutine put on OLD."""
    if not old.co_flags & ITERABLE or new.co_flags & ITERABLE:
        return new
    return rebuilt(new, new.co_flags | ITERABLE, new.co_name)


def rebuilt(code, flags, name):
    """CODE with other flags and another name."""
    if hasattr(code, 'replace'):
        return code.replace(co_flags=flags, co_name=name)
    return type(code)(code.co_argcount, code.co_kwonlyargcount, code.co_nlocals, code.co_stacksize, flags, code.co_code,
                      code.co_consts, code.co_names, code.co_varnames, code.co_filename, name, code.co_firstlineno,
                      code.co_lnotab, code.co_freevars, code.co_cellvars)


def forwards_to(function):
    """What FUNCTION calls, if all that it does is to forward; None if it has code of its own."""
    return function.__kwdefaults__['__mr_target__'] if function.__code__.co_filename == FORWARD else None


def path_of(function):
    """The qualified name of a function's definition, which functools.wraps may have hidden."""
    return getattr(function.__code__, 'co_qualname', None) or function.__qualname__


def defined_as(value, name, namespace):
    """Whether VALUE is a function that a module defined under NAME."""
    return type(value) is host.FunctionType and value.__globals__ is namespace and value.__code__.co_name == name


def is_hidden(function):
    """Whether path_of() is that of another function: until 3.10."""
    return '__wrapped__' in function.__dict__ and not hasattr(function.__code__, 'co_qualname')


def same_place(one, other):
    """Whether two functions are the same definition, as far as their names tell: those of the classes around them count."""
    return one.__code__.co_name == other.__code__.co_name and (
        path_of(one) == path_of(other) or is_hidden(one) or is_hidden(other))


def same_variables(old, new):
    """Whether a function with OLD as its code can be given NEW: CPython counts the cells, it does not check names."""
    return old.co_freevars == new.co_freevars

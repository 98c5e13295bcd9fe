# SPDX-License-Identifier: MIT
"""The functions of a module that live, wherever they are held: by what refers to the module's dictionary, __globals__.

A walk over the heap finds them all; but it holds the GIL, the longer the more objects there are.  So references are
counted first: the module's names and classes lead to most functions.  If as many functions were found there as
something refers to the dictionary, besides the module itself, there are no others anywhere, and no walk is needed.
Every reference that is counted as known is one that surely is there; any other, a frame, a variable of ours, makes
the sum too large, and the heap is walked.

The same tells whether an old generator or coroutine may be suspended: something more than its functions refers to
its code.
"""
import sys

from . import baseline, codes, host, scope, state

SUSPENDED = ('generator', 'coroutine', 'async_generator')


WALKS = []                                   # seconds of the walks for instances in this command: see population.py


class Holder:
    """Its attribute is the only thing that refers to its value."""

    def __init__(self):
        self.value = []


def others(count):
    """How many references there are besides an attribute, if sys.getrefcount() of that attribute says COUNT."""
    holder = Holder()
    return count - sys.getrefcount(holder.value)


class Heap:
    """The walk over the heap of one command, if it needs one: what it found, and the `heap` of the report."""

    def __init__(self, context):
        self.context, self.report, self.asked, self.found = context, {}, {}, []

    def look(self, *values):
        """What refers to one of VALUES; all objects, if there are none."""
        found, frozen, seconds = self.context.timed(host.referrers, *values)
        self.count(seconds, frozen)
        return found

    def count(self, seconds, frozen):
        self.report.update(walks=self.report.get('walks', 0) + 1, frozen=frozen, objects=sys.getallocatedblocks() or None,
                           ms=round(self.report.get('ms', 0) + seconds * 1e3, 2))

    def told(self):
        """What the report says of all walks, those for instances included."""
        while WALKS:
            self.count(*WALKS.pop())
        return self.report or None

    def walk(self, values):
        """Find the functions and generators that refer to one of VALUES."""
        found = self.look(*values)
        self.asked.update((id(one), one) for one in values)
        self.found.extend(one for one in found if type(one) is host.FunctionType or type(one).__name__ in SUSPENDED)

    def functions(self, plans):
        """{id of the dictionary: all functions with these globals} for the modules of PLANS."""
        found, rest, also = {}, [], {}
        for plan in plans:
            ident, known = id(plan.module.dict), reachable(plan.module)
            if counted(plan.module, known):
                found[ident] = known
            else:                            # look for what is suspended, too: one walk will do
                found[ident], rest = [], rest + [plan.module.dict]
                also.update((id(code), code) for code in codes_of(known) if code.co_flags & codes.GENERATORS)
        if rest:
            self.walk(rest + list(also.values()))
        for one in self.found:
            if type(one) is host.FunctionType and id(one.__globals__) in self.asked:
                found[id(one.__globals__)].append(one)
        return found

    def suspended(self, wanted):
        """What may be suspended in one of the code objects WANTED."""
        rest = [code for code in wanted if id(code) not in self.asked]
        if rest:
            self.walk(rest)
        return self.found


def reachable(module):
    """The functions with the module's globals that its names, its classes and our journal lead to."""
    found, namespace = {}, module.dict
    values = list(namespace.values()) + [value for entry in state.STATE['journal'] for one in entry['steps'] for value in one]
    for _, kind in baseline.classes_of(module):
        values.extend(list(host.class_dict(kind).values()))
    for value in values:
        for function in baseline.inner_functions(value):
            if function.__globals__ is namespace:
                found[id(function)] = function
    return list(found.values())


def counted(module, known):
    """Whether nothing but the module and the functions KNOWN refers to the module's dictionary."""
    if not host.COUNTED:
        return False
    entry = sys.modules.get(module.name)
    if not issubclass(type(entry), host.ModuleType) or scope.DICT.__get__(entry) is not module.dict:
        return False
    references = 1 + len(known) + sum(one[1] is module.dict for entry in state.STATE['journal'] for one in entry['steps'])
    references += sum(map(holds, frames(module.dict)))
    return others(sys.getrefcount(module.dict)) == references


def frames(namespace):
    """The frames that run now and have these globals."""
    found = []
    for frame in list(sys._current_frames().values()):
        while frame is not None:
            if frame.f_globals is namespace:
                found.append(frame)
            frame = frame.f_back
    return found


def holds(frame):
    """How often a frame refers to its globals: from 3.11 on it borrows them from its function, which that of a body is made for."""
    body = not frame.f_code.co_flags & codes.OPTIMIZED and frame.f_locals is frame.f_globals
    return body + (body or sys.version_info < (3, 11))


def may_be_suspended(patches, functions, signatures):
    """The code objects of generators and coroutines among PATCHES to which more refers than what we know of."""
    asked = [one for one in patches if one.changed and one.old.co_flags & codes.GENERATORS]
    known, found = references(patches, functions) if asked else {}, []
    for one in asked:                        # its own `old` is counted by others()
        if others(sys.getrefcount(one.old)) != known[id(one.old)] - 1 + (signatures.known.get(id(one.old), (0, None))[1] is one.old):
            found.append(one.old)
    return found


def references(patches, functions):
    """{id of a code object: how often FUNCTIONS, their constants and PATCHES refer to it}."""
    found, tuples = {}, {id(code.co_consts): code.co_consts for code in codes_of(functions)}
    for row in list(tuples.values()) + [[function.__code__] for function in functions] + [[one.old] for one in patches]:
        for one in row:
            found[id(one)] = found.get(id(one), 0) + 1
    return found


def codes_of(functions):
    """The code objects of FUNCTIONS and all below, once each."""
    return codes_below([function.__code__ for function in functions])


def codes_below(todo):
    """The code objects TODO and all below, once each."""
    found = {}
    while todo:
        code = todo.pop()
        if id(code) not in found:
            found[id(code)] = code
            todo.extend(codes.children(code))
    return list(found.values())

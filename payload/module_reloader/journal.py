# SPDX-License-Identifier: MIT
"""Every change to the program goes through here: what stood there is written down first, and can be put back.

set() only says what is to be.  commit() makes all that was said true in one call of C code, in which the interpreter
has no place to let another thread run, or a signal handler, a pending call or a finalizer of the program: what is
replaced is held here, and the collector is off.  No other code sees one change without the others, and a failure leaves
none.

A step is a plain list [kind, object, name, old, new]; ABSENT stands for nothing.  The kinds are item (of a dictionary),
class (an attribute of a class), bases (of a class), instances (the class of all instances; the object is a list that
holds it), cache (an item of a dictionary or class, or an lru_cache: whether it is empty), and function: an attribute.  Steps are
put back as they were made, all at once, and each is read again afterwards.  The steps of a command that succeeded are
what `undo` takes back: there, a place whose value is no longer the one that we put is the program's, and is left alone.
"""
from . import host

BASES = type.__dict__['__bases__']           # read past whatever a metaclass does about attributes
ABSENT = host.sys.intern('<absent>')         # compared by identity; interned, so that it is every engine's
RARE = ('bases', 'instances', 'cache')
KIND_OF_CODE = 0x20 | 0x80 | 0x200           # generator, coroutine, asynchronous generator


def read(kind, owner, name):
    if kind == 'item':
        return owner.get(name, ABSENT)
    if kind == 'class':
        found = host.class_dict(owner).get(name, ABSENT)
        return ABSENT if name == '__new__' and host.part('population').is_no_new(found) else found
    if kind == 'bases':
        return BASES.__get__(owner)
    if kind == 'instances':
        return owner[0]
    if kind == 'cache':
        return host.part('population').is_empty(owner, name)
    return getattr(owner, name)


def nothing(_format):
    """The annotations of a function that has none any more."""
    return {}


def calls(changes):
    """What makes CHANGES, [(kind, owner, name, value)], as iterators that run no bytecode; all of it returns None."""
    groups = [((dict.__setitem__, 'item', False), []), ((dict.__delitem__, 'item', True), []),
              ((type.__setattr__, 'class', False), []), ((type.__delattr__, 'class', True), []),
              ((setattr, 'function', False), [])]
    for kind, owner, name, value in changes:
        if kind == 'class' and name == '__new__' and value is ABSENT:
            value = host.part('population').no_new(owner)
        if kind == 'function' and name == '__annotate__' and value is None:     # a function forgets what it evaluated to, but not for None
            groups[-1][1].append((owner, name, nothing))
        for (_, its, away), rows in groups:
            if kind == its and (value is ABSENT) == away:
                rows.append((owner, name) if away else (owner, name, value))
    rare = [one for one in changes if one[0] in RARE]
    return [map(function, *zip(*rows)) for (function, _, _), rows in groups if rows] + \
        (host.part('population').calls(rare) if rare else [])


def unwarned(changes):
    """A filter against the warning that a function becomes a generator or a coroutine, and the list it belongs into."""
    kinds = [getattr(read(*one[:3]), 'co_flags', 0) & KIND_OF_CODE == one[3].co_flags & KIND_OF_CODE
             for one in changes if one[2] == '__code__']
    filters = None if all(kinds) else host.warning_filters()
    return filters, ('ignore', None, DeprecationWarning, None, 0)


def at_once(changes, also=()):
    """Make CHANGES, and call the functions ALSO, which are of C and return None; no code of the program between."""
    if not changes and not also:
        return
    filters, entry = unwarned(changes)
    work = calls(changes) + [map(type(host.sys.intern).__call__, also)]
    if filters is not None:                  # nobody else runs while it stands there
        work = [map(filters.insert, (0,), (entry,))] + work + [map(filters.remove, (entry,))]
    collecting = host.gc.isenabled()
    host.gc.disable()
    try:
        any(map(any, work))
    finally:
        if filters is not None and filters[:1] and filters[0] is entry:
            del filters[0]
        if collecting:
            host.gc.enable()


class Journal:
    """The steps of one command, and what its next commit() will do."""

    def __init__(self):
        self.steps, self.waiting, self.also = [], {}, []     # waiting: {(kind, id of the object): {name: step}}

    def get(self, kind, owner, name):
        """What stands there, or will when all that was said is done."""
        step = self.waiting.get((kind, id(owner)), {}).get(name)
        return read(kind, owner, name) if step is None else step[4]

    def set(self, kind, owner, name, value):
        """VALUE is to stand there; whether that is anything new."""
        there = self.waiting.setdefault((kind, id(owner)), {})
        step = there.get(name)
        if step is not None:
            changes, step[4] = step[4] is not value, value
            return changes
        old = read(kind, owner, name)
        if old is not value:
            there[name] = [kind, owner, name, old, value]
        return old is not value

    def names(self, namespace):
        """The names of a dictionary that wait: {name: step}."""
        return self.waiting.get(('item', id(namespace)), {})

    def planned(self):
        """All steps that wait."""
        return [step for there in self.waiting.values() for step in there.values()]

    def seen(self, namespace):
        """A copy of a dictionary as it will be."""
        found = dict(namespace)
        for name, step in self.names(namespace).items():
            if step[4] is ABSENT:
                found.pop(name, None)
            else:
                found[name] = step[4]
        return found

    def call(self, function):
        """A function of C without arguments that is to be called with the next commit."""
        self.also.append(function)

    def commit(self):
        """Do all that was said, at one moment."""
        steps, also = [step for step in self.planned() if step[3] is not step[4]], self.also
        self.waiting, self.also = {}, []
        self.steps.extend(steps)
        at_once([(kind, owner, name, new) for kind, owner, name, _, new in steps], also)

    def note(self, kind, owner, name, old, new):
        """A change that code of the program made while we ran it."""
        self.steps.append([kind, owner, name, old, new])

    def forget(self, owner, name):
        """Empty a cache of the program, now and again when this is taken back: an item of it, or all of an lru_cache."""
        self.waiting.setdefault(('cache', id(owner)), {})[name] = ['cache', owner, name, True, False]

    def roll_back(self):
        """Put everything back; the names of what could not be."""
        first, failed, kept = {}, [], set(map(id, in_use(self.steps)))
        for step in reversed(self.steps):
            kind, owner, name, old, _ = step
            if id(step) not in kept:
                first[kind, id(owner), name] = (kind, owner, name, old)
        changes = [one for one in first.values() if read(*one[:3]) is not one[3]]
        try:
            at_once(changes)
        except host.faults(Exception):       # whatever can be put back is
            for one in changes:
                try:
                    at_once([one])
                except host.faults(Exception) as error:
                    failed.append('%s (%s)' % (one[2], error))
        failed.extend(str(name) for kind, owner, name, old in changes
                      if kind != 'function' and read(kind, owner, name) is not old)
        self.steps, self.waiting, self.also = [], {}, []
        return failed


def in_use(steps):
    """The steps that brought a module which others use: it stays."""
    return host.part('newcomers').in_use(steps) if any(step[1] is host.sys.modules for step in steps) else []


def take_back(steps):
    """Undo STEPS of an earlier command; the names of what the program has changed since, which is kept."""
    work, used = Journal(), in_use(steps)
    kept, used = sorted('module ' + step[2] for step in used if step[1] is host.sys.modules), set(map(id, used))
    for step in reversed(steps):
        kind, owner, name, old, new = step
        now = work.get(kind, owner, name)
        if id(step) in used:
            continue
        if now is new or kind == 'function' and name in ('__defaults__', '__doc__', '__code__') and now == new:
            work.set(kind, owner, name, old)
        elif now is not old:
            kept.append(str(name))
    kept.extend(host.part('population').stay(work.planned()) if any(key[0] == 'instances' for key in work.waiting) else ())
    try:
        work.commit()
    except BaseException:
        work.roll_back()
        raise
    return kept

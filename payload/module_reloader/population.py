# SPDX-License-Identifier: MIT
"""The rare kinds of changes: bases of classes, the class of instances, caches in dictionaries.

The instances of a class are found in one walk over the heap.  CPython moves them to another class where both lay out
their instances in the same way.  An instance that the collector does not track cannot be found: up to 3.7 those of
classes with empty __slots__.  Whether CPython allows a change is tried, and taken back in the same call of C code.
"""
from . import host, journal, living

CLASS = object.__dict__['__class__']
ANNOTATIONS = '__annotations__', '__annotations_cache__'     # they are there when they are not None
TRACKED = 1 << 14                            # the type flag for instances that the collector knows


def instances(kind):
    """The instances of the class KIND itself; frozen ones are thawed for the walk."""
    gc, start = host.gc, host.time.perf_counter()
    frozen = gc.get_freeze_count() if hasattr(gc, 'get_freeze_count') else 0
    if frozen:
        gc.unfreeze()
    found = [one for one in gc.get_objects() if type(one) is kind]
    if frozen:
        gc.freeze()
    living.WALKS.append((host.time.perf_counter() - start, frozen))
    return found


def is_tracked(kind):
    return type.__dict__['__flags__'].__get__(kind) & TRACKED


def no_new(kind):
    """What stands for no __new__ in a class that had one: a class whose own goes goes on as if it had one, and object's would take
    no arguments.  ABSENT where another base has one.  It leads to nothing of ours.
    """
    if any('__new__' in host.class_dict(one) for one in kind.__mro__[1:] if one is not object):
        return journal.ABSENT

    def __new__(cls, *args, **kwargs):
        make = super(kind, cls).__new__
        if make is object.__new__ and cls.__init__ is not object.__init__:
            return make(cls)
        return make(cls, *args, **kwargs)
    builtins = host.builtin('builtins').__dict__
    made = host.FunctionType(__new__.__code__, {'__builtins__': builtins}, '__new__', None, __new__.__closure__)
    made.__dict__['__mr_absent__'] = True
    return staticmethod(made)


def is_no_new(value):
    return type(value) is staticmethod and type(value.__func__) is host.FunctionType and '__mr_absent__' in value.__func__.__dict__


def calls(changes):
    """What makes CHANGES of these kinds: see journal.calls()."""
    found = []
    for kind, owner, name, value in changes:
        if kind == 'bases':
            found.append(map(journal.BASES.__set__, (owner,), (value,)))
        elif kind == 'cache' and type(owner) is host.FunctionType:     # from 3.14 on, setting the one empties the other
            found.append(map(setattr, (owner,), ('__annotate__',), (owner.__annotate__,)))
        elif kind == 'cache' and name in ANNOTATIONS:
            away = dict.__delitem__ if type(owner) is dict else type.__delattr__
            found.append(map(away, *([], []) if is_empty(owner, name) else ([owner], [name])))
        elif kind == 'cache' and type(owner) is dict:
            found.append(map(dict.__setitem__, (owner,), (name,), (None,)))
        elif kind == 'cache':                # what it holds may have finalizers: it is let go of after the call
            found.append(map(type(owner).cache_clear, (owner,)))
            found.extend(map(dict(one).__contains__, ()) for one in host.gc.get_referents(owner) if type(one) is dict)
        else:
            there = movable(owner[0], value)
            found.append(map(CLASS.__set__, there, [value] * len(there)))
            found.append(map(list.__setitem__, (owner,), (0,), (value,)))
    return found


def is_empty(owner, name):
    """Whether a cache is: see journal.py."""
    there = host.class_dict(owner) if host.is_class(owner) else owner
    if type(there) is host.FunctionType:     # to look would make it
        return False
    return owner.cache_info()[3] == 0 if not hasattr(type(there), 'get') else there.get(name) is None


def movable(kind, other):
    """The instances of the class KIND if CPython lets them become those of OTHER; what one may, all may."""
    found = instances(kind)
    return found if found and possible(CLASS, found[0], other) else []


def stay(steps):
    """Names for the instances that STEPS of a journal cannot give back to their old class: they were made since."""
    for kind, owner, name, _, value in steps:
        if kind == 'instances' and instances(owner[0]) and not movable(owner[0], value):
            yield 'the instances of %s that were made since' % name


def possible(descriptor, owner, value):
    """Whether CPython lets the DESCRIPTOR of OWNER, bases or class, have this VALUE."""
    try:
        any(map(descriptor.__set__, (owner, owner), (value, descriptor.__get__(owner))))
    except host.faults(TypeError):
        return False
    return True

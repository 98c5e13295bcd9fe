# SPDX-License-Identifier: MIT
"""Every change to the program goes through here: what stood there is written down first, and can be put back.

A step is a plain list [kind, object, name, old, new]; ABSENT stands for nothing.  Steps are put back in reverse, and
each is read again afterwards.  The steps of a command that succeeded are what `undo` takes back: there, a place whose
value is no longer the one that we put is the program's, and is left alone.
"""
from . import host

ABSENT = host.sys.intern('<absent>')         # compared by identity; interned, so that it is every engine's


def read(kind, owner, name):
    if kind == 'item':
        return owner.get(name, ABSENT)
    if kind == 'class':
        return host.class_dict(owner).get(name, ABSENT)
    return getattr(owner, name)


def put(kind, owner, name, value):
    if kind == 'item':
        if value is ABSENT:
            owner.pop(name, None)
        else:
            owner[name] = value
    elif kind == 'class':
        if value is ABSENT:
            type.__delattr__(owner, name)
        else:
            type.__setattr__(owner, name, value)
    else:
        setattr(owner, name, value)


def quiet_put(kind, owner, name, value):
    """put(), without the warning that a function becomes a generator or a coroutine."""
    if name == '__code__':
        host.silently(__name__, put, kind, owner, name, value)
    else:
        put(kind, owner, name, value)


class Journal:
    """The steps of one command."""

    def __init__(self):
        self.steps = []

    def set(self, kind, owner, name, value):
        old = read(kind, owner, name)
        if old is value:
            return False
        self.steps.append([kind, owner, name, old, value])
        quiet_put(kind, owner, name, value)
        return True

    def note(self, kind, owner, name, old, new):
        """A change that code of the program made while we ran it."""
        self.steps.append([kind, owner, name, old, new])

    def roll_back(self):
        """Put everything back; the names of what could not be."""
        failed = []
        for kind, owner, name, old, _ in reversed(self.steps):
            try:
                if read(kind, owner, name) is not old:
                    quiet_put(kind, owner, name, old)
                if read(kind, owner, name) is not old and kind != 'function':
                    failed.append(str(name))
            except Exception as error:
                failed.append('%s (%s)' % (name, error))
        self.steps = []
        return failed


def take_back(steps):
    """Undo STEPS of an earlier command; the names of what the program has changed since, which is kept."""
    kept = []
    for kind, owner, name, old, new in reversed(steps):
        now = read(kind, owner, name)
        if now is new or kind == 'function' and name in ('__defaults__', '__doc__', '__code__') and now == new:
            quiet_put(kind, owner, name, old)
        elif now is not old:
            kept.append(str(name))
    return kept

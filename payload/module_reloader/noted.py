# SPDX-License-Identifier: MIT
"""Assignments of which only the annotation came, left or changed: what stands there is state, and is not made again.

Whether the value is made as before is read from the instructions: those up to the one that stores it.  A statement
that is marked `noted` runs without its value.
"""
from . import trees

NOTES = ('__annotations__', '__conditional_annotations__')
MAKERS = ('__annotate__', '__conditional_annotations__')


def only(statements, body, gone, come, owner=''):
    """STATEMENTS of BODY without those that only lost an annotation; where only that changed, they are marked.

    GONE and COME are the units that differ, OWNER is the name of the class.
    """
    times, found, lines = {}, [], {line for unit in come for line in unit.lines}
    for one in trees.inside(body):
        for name in trees.own(one):
            times[name] = times.get(name, 0) + 1
    for one in statements:
        name = target(one)
        if name is None or times[name] != 1:
            found.append(one)
            continue
        olds, news = ([unit for unit in side if trees.mangled(name, owner) in unit.names()] for side in (gone, come))
        same = len(olds) == len(news) == 1 and olds[0].key() != news[0].key() and None is not value_of(olds[0]) == value_of(news[0])
        if trees.kind(one) == 'AnnAssign':
            one.noted = same or not olds and not news and not lines.isdisjoint((one.lineno, one.annotation.lineno))
        if trees.kind(one) == 'AnnAssign' or not same:
            found.append(one)
    return found


def target(statement):
    """The one name that an assignment binds, or None."""
    part = statement.targets if trees.kind(statement) == 'Assign' else \
        [statement.target] if trees.kind(statement) == 'AnnAssign' and statement.value is not None else []
    return part[0].id if len(part) == 1 and trees.kind(part[0]) == 'Name' else None


def value_of(unit):
    """What a unit does up to the one name that it stores, if all that follows is its annotation; else None."""
    tokens = [one for one in unit.tokens if one[0] != 'SETUP_ANNOTATIONS']
    stores = [number for number, one in enumerate(tokens) if one[0] == 'STORE_NAME']
    begins = [number + 1 for number in stores if tokens[number][1] in MAKERS]     # from 3.14 on, in the first unit of a module
    start, ends = max(begins + [0]), [number + 1 for number in stores if tokens[number][1] not in MAKERS]
    rest = tokens[ends[0]:]
    notes = not rest or any(one[0] == 'STORE_ANNOTATION' or one[1:2] and one[1] in NOTES for one in rest)
    return tokens[start:ends[0]] if len(ends) == 1 and notes else None


def first(statements, body):
    """STATEMENTS of a class, and all that annotate, since one function makes all annotations and there was none (3.14 on)."""
    notes = [one for one in body if trees.kind(one) == 'AnnAssign' and one not in statements]
    for one in notes:
        one.noted = True
    return sorted(statements + notes, key=lambda one: one.lineno)

# SPDX-License-Identifier: MIT
"""Names that several statements of a module bind: the last one wins, also when an earlier one is run again.

What a statement bound is put back if a later one, which is not run, binds the name too.  A later one that computes the
name from what it was (`x += 1`, `f = wrap(f)`), and one of which only running it tells what it binds, runs again.  In a class, later
ones always run again: a property and its setter are one.
"""
from . import order, rebind, trees

SIMPLE = ('FunctionDef', 'AsyncFunctionDef', 'ClassDef', 'Import', 'ImportFrom', 'Assign', 'AnnAssign')


def names_of(module, statement):
    """The names that a statement binds; those that a star import takes are told as things stand."""
    names = set(trees.bound(statement))
    for one in trees.starred([statement]):
        names |= set(order.starred(module.dict, one.level, one.module))
    return names


def reads(statement, names):
    """Whether what a statement binds depends on what NAMES were before it."""
    what = trees.kind(statement)
    if what not in SIMPLE:
        return True
    parts = statement.decorator_list + statement.bases if what == 'ClassDef' else trees.made_from(statement)
    return any(rebind.uses(part, names, (), ()) for part in parts)


def arrange(plan, statements):
    """STATEMENTS and those that must run after them; plan.shadowed says what is put back after which."""
    body, chosen = plan.examined.tree.body, list(statements)
    bound, places = [names_of(plan.module, one) for one in body], {}
    for index, names in enumerate(bound):
        for name in names:
            places.setdefault(name, []).append(index)
    for index, statement in enumerate(body):
        if statement in chosen:
            names = {name for name in bound[index] if places[name][-1] > index}
            for number in sorted({number for name in names for number in places[name] if number > index}):
                later, common = body[number], names & bound[number]
                if later not in chosen and not trees.is_main_guard(later) and reads(later, common):
                    chosen.append(later)
                names -= common if later in chosen else set()
            if names:
                plan.shadowed[id(statement)] = names
    return sorted(chosen, key=body.index)


def with_later(body, statements):
    """Of the body of a class the STATEMENTS, and those after them that bind one of their names."""
    found, names = [], set()
    for one in body:
        mine = set(trees.bound(one))
        if one in statements or names & mine:
            found.append(one)
            names |= mine
    return found


def overtaken(old, new):
    """The units of NEW that bind a name last now, and stand in OLD too, where another one did."""
    before, there, found = last(old), {tuple(unit.tokens) for unit in old}, []
    for name, unit in last(new).items():
        if name in before and tuple(unit.tokens) in there and before[name].tokens != unit.tokens:
            found.append(unit)
    return found


def last(units):
    return {name: unit for unit in units for name in unit.names()}

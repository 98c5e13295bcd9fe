# SPDX-License-Identifier: MIT
"""Names that several statements of a module bind: the last one wins, also when an earlier one is run again.

What a statement bound is put back if a later one, which is not run, binds the name too.  A later one that computes the
name from what it was (`x += 1`, `f = wrap(f)`), and one of which only running it tells what it binds, runs again.  In a class, later
ones always run again: a property and its setter are one.

The other way round, a statement that runs may read a name as one above it bound it, while the module has what one below bound.
The one above runs again if all those below do; else the reload is refused: the name would have the wrong value.
"""
from . import host, order, rebind, trees

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
    pull(plan, places, chosen)
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
                plan.hidden |= {name for name in names for one in body[index + 1:min(n for n in places[name] if n > index)]
                                if one not in chosen and looks(evaluated(one), name)}
    for statement, above, name, _ in too_late(plan, places, chosen):
        plan.refuse(name, 'line %d reads it as line %d binds it, and the module has what a later statement binds' % (
            statement.lineno, above.lineno))
    return sorted(chosen, key=body.index)


def evaluated(statement):
    """The nodes of which all is evaluated when a statement runs; the bodies of functions are not."""
    what, inner = trees.kind(statement), trees.bodies(statement)
    if what in ('FunctionDef', 'AsyncFunctionDef'):
        return trees.made_from(statement)
    if what in ('Assign', 'AnnAssign'):
        targets = getattr(statement, 'targets', None) or [statement.target]
        return trees.made_from(statement) + [one for one in targets if trees.kind(one) in ('Attribute', 'Subscript')]
    if what == 'ClassDef':
        inner, found = [statement.body], statement.decorator_list + statement.bases + [one.value for one in statement.keywords]
    else:
        found = [getattr(statement, name) for name in ('test', 'iter', 'subject') if hasattr(statement, name)]
        found += [one.context_expr for one in getattr(statement, 'items', ())]
    return found + [part for body in inner for one in body for part in evaluated(one)] if inner else [statement]


def looks(nodes, name):
    """Whether NODES read a name of the module; one that a comprehension binds is its own."""
    return any(rebind.uses(one, {name}, (), ()) and name not in inner(one) for one in nodes)


def inner(node):
    """The names that the comprehensions in an expression bind."""
    found = set(trees.targets(node.target)) if trees.kind(node) == 'comprehension' else set()
    for field in node._fields:
        part = getattr(node, field, None)
        for one in part if isinstance(part, list) else [part]:
            found |= inner(one) if hasattr(one, '_fields') else set()
    return found


def origins(statement, name):
    """What an import binds to NAME; of any other statement itself, which is like no other."""
    if trees.kind(statement) not in ('Import', 'ImportFrom'):
        return {statement}
    where = getattr(statement, 'module', None), getattr(statement, 'level', None)
    return {where + ((one.name if one.asname else one.name.partition('.')[0]),) for one in statement.names
            if name == (one.asname or one.name.partition('.')[0])}


def too_late(plan, places, chosen):
    """(statement that runs, the one above it that bound a name which it reads, the name, those below that bind it)."""
    body = plan.examined.tree.body
    work = [(body.index(one), one, evaluated(one), set(trees.bound(one))) for one in chosen]
    work += [(next(number for number, top in enumerate(body) if one.path[0] in trees.inside([top])), one.path[-1], [part for made in one.statements for part in evaluated(made)],
              {name for made in one.path[-1].body for name in trees.bound(made)}) for one in plan.classes if one.path]
    for name, there in places.items():
        for index, statement, nodes, own in work if len(there) > 1 else ():
            above = [number for number in there if number < index]
            below = [number for number in there if number > index]
            again = name in own and name in plan.rebound_here and trees.kind(statement) in SIMPLE + ('AugAssign',)
            if not above or not (below or again) or name in own and not again or not looks(nodes, name):
                continue
            if len(set().union(*(origins(body[number], name) for number in above[-1:] + below + [index] * again))) == 1:
                continue
            if body[above[-1]] not in chosen or name in plan.shadowed.get(id(body[above[-1]]), ()):
                yield statement, body[above[-1]], name, [body[number] for number in below]


def pull(plan, places, chosen):
    """Have the statement above run too, where those below will bind the name again and nobody holds what it leads to."""
    for _, above, name, below in list(too_late(plan, places, chosen)):
        live = plan.module.dict.get(name)
        if all(one in chosen for one in below) and above not in chosen and trees.kind(above) in SIMPLE[3:] and \
                type(live) is not host.FunctionType and not host.is_class(live):
            chosen.append(above)


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

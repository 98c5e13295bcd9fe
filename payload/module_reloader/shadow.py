# SPDX-License-Identifier: MIT
"""Names that several statements of a module bind: the last one wins, also when an earlier one is run again.

What a statement bound is put back if a later one, which is not run, binds the name too.  A later one that computes the
name from what it was (`x += 1`, `f = wrap(f)`), and one of which only running it tells what it binds, runs again.  In a class, later
ones always run again: a property and its setter are one.

The other way round, a statement that runs may read a name as one above it bound it, while the module has what one below bound.
The one above runs again if all those below do; else the statement is lent the value for the time that it runs, if it is
a constant or a function that can be found, such as the one in what `f = wrap(f)` made; else the reload is refused: the
name would have the wrong value.  The same holds for what statements in the body of one class read of each other.
"""
from . import host, journal as journals, order, reading, rebind, trees

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
    body, chosen, count = plan.examined.tree.body, {id(one): one for one in statements}, -1
    idle = plan.module.dict.get('__name__') != '__main__'    # what stands under `if __name__ == '__main__':` has not run
    bound, places = [set() if idle and trees.is_main_guard(one) else names_of(plan.module, one) for one in body], {}
    for index, names in enumerate(bound):
        for name in names:
            places.setdefault(name, []).append(index)
    readers = Readers(body)
    while count != len(chosen):
        count = len(chosen)
        follow(plan, bound, places, chosen)
        pull(plan, places, chosen)
    for index, statement in enumerate(body):
        names = {name for name in bound[index] if places[name][-1] > index} if id(statement) in chosen else set()
        passing = {name for name in names if any(id(body[n]) in chosen for n in places[name] if n > index)}
        names -= passing
        if passing:
            plan.passing[id(statement)] = passing
        if names:
            plan.shadowed[id(statement)] = names
            plan.hidden |= {name for name in names for one in readers.between(
                name, index, min(n for n in places[name] if n > index)) if id(one) not in chosen}
        for name in bound[index] if id(statement) in chosen and trees.kind(statement) in SIMPLE[:3] else ():
            above = [n for n in places[name] if n < index and id(body[n]) not in chosen]
            if above and any(id(one) not in chosen for one in readers.between(name, above[-1], index)):
                plan.hidden.add(name)        # what they took leads to the new definition, as all who hold it do
    for found in list(too_late(plan, places, chosen)):
        if not lent(plan, *found):
            above = 'as line %d binds it' % found[1].lineno if found[1] is not None else 'before this module binds it'
            plan.refuse(found[2], 'line %d reads it %s, and the module has what a later statement binds' % (
                found[0].lineno, above))
    for change in plan.classes:
        inside_class(plan, change)
    return [one for one in body if id(one) in chosen]


class Readers:
    """The statements of a body that read a name before they bind it."""

    def __init__(self, body):
        self.body, self.places = body, None

    def between(self, name, above, below):
        if self.places is None:
            self.places = {}
            for number, one in enumerate(self.body):
                for each in reading.mentioned([one]):
                    self.places.setdefault(each, []).append(number)
        return [self.body[number] for number in self.places.get(name, ()) if above < number < below and
                reading.first([self.body[number]], name) == reading.READS]


def follow(plan, bound, places, chosen):
    """Have those run too that compute a name from what a statement above them, which runs, binds."""
    body = plan.examined.tree.body
    for index, statement in enumerate(body):
        names = {name for name in bound[index] if places[name][-1] > index} if id(statement) in chosen else set()
        for number in sorted({number for name in names for number in places[name] if number > index}):
            later, common = body[number], names & bound[number]
            if id(later) not in chosen and not trees.is_main_guard(later) and reads(later, common):
                chosen[id(later)] = later
            names -= common if id(later) in chosen else set()
            if not names:
                break                        # what binds them now follows when it is its turn


def runs(plan, chosen):
    """What runs: (its place in the module, the statement that is named, the statements that are evaluated, the names that
    it binds, those of them that it may have bound before, the change if it is one of a class)."""
    places = {id(one): number for number, top in enumerate(plan.examined.tree.body) for one in trees.inside([top])}
    for one in list(chosen.values()):
        own = set(trees.bound(one))
        yield places[id(one)], one, [one], own, {name for name in own if name in plan.module.dict} if id(one) not in plan.fresh else \
            own & plan.rebound_here, None
    for one in plan.classes:
        if one.path:
            whole = one.whole or one.header
            own = set() if whole else {name for made in one.path[-1].body for name in trees.bound(made)}
            yield places[id(one.path[0])], one.path[-1], [one.path[-1]] if whole else one.statements, own, set(), one


def too_late(plan, places, chosen):
    """(statement that runs, the one above it that bound a name which it reads, the name, those below that bind it, the change):
    the name has been bound again since. Where none is above, Python's own name is meant."""
    body, builtins = plan.examined.tree.body, host.builtin('builtins').__dict__
    several = {name for name, there in places.items() if len(there) > 1 or name in builtins}
    eyes = Eyes(plan, several)
    for index, statement, parts, own, again, change in runs(plan, chosen):
        for name in sorted(eyes.candidates(parts), key=lambda name: places[name][0]):
            there = places[name]
            above, below = [n for n in there if n < index], [n for n in there if n > index]
            if not (below or name in again) or not above and (name not in builtins or name in own) or \
                    name in own and name not in again or not eyes.see(parts, name):
                continue
            if not above:
                yield statement, None, name, [body[number] for number in below], change
            elif not alike(body[above[-1]], body[there[-1]], name) and (
                    id(body[above[-1]]) not in chosen or name in plan.shadowed.get(id(body[above[-1]]), ())):
                yield statement, body[above[-1]], name, [body[number] for number in below], change


class Eyes:
    """Which of the names SEVERAL what runs reads before it binds them, itself or in functions of the module that it calls."""

    def __init__(self, plan, several):
        self.plan, self.several, self.searches = plan, several, {}

    def candidates(self, parts):
        """Those that it may read."""
        reads = self.several and calls(parts) and self.followed(parts, frozenset(self.several))
        return self.several if reads else self.several & reading.mentioned(parts)

    def see(self, parts, name):
        found = reading.first(parts, name)
        return found == reading.READS or found is None and calls(parts) and self.followed(parts, frozenset([name]))

    def followed(self, parts, names):
        """Whether a function that PARTS call reads one of NAMES; what is found out of functions is kept."""
        called, module = host.part('called'), self.plan.module
        if names not in self.searches:
            place = called.Place(module, self.plan.examined.data, self.plan.examined.tree)
            self.searches[names] = called.Search((), {(id(module.dict), name) for name in names}, [place])
        return self.searches[names].reads(evaluated(parts), module.dict)


def evaluated(parts):
    return [node for one in trees.inside(parts) for node in reading.heads(one)]


def calls(parts):
    return any(trees.kind(one) == 'Call' for node in evaluated(parts) for one in reading.below(node))


def pull(plan, places, chosen):
    """Have the statement above run too, where those below will bind the name again and nobody holds what it leads to."""
    for _, above, name, below, _ in list(too_late(plan, places, chosen)):
        live = plan.module.dict.get(name)
        if all(id(one) in chosen for one in below) and id(above) not in chosen and trees.kind(above) in SIMPLE[3:] and \
                type(live) is not host.FunctionType and not host.is_class(live):
            chosen[id(above)] = above


def lent(plan, statement, above, name, below, change):
    """Whether the statement that runs can be lent what the one above it bound."""
    live, namespace = plan.module.dict.get(name), plan.module.dict
    if reading.first([statement] if change is None else change.statements, name) != reading.READS:
        found = None                         # a function reads it, which finds what the module has
    elif above is None:
        found = [host.builtin('builtins').__dict__[name]] if trees.kind(statement) in reading.TAKES else None
    elif change is None:
        found = reading.lend(statement, reading.heads(statement), above, name, live, name, namespace)
    elif not (change.whole or change.header) and all(reading.direct(reading.heads(one), name) for one in change.statements):
        found = reading.known(above, name, live, name, namespace)
    else:
        found = None
    if found is not None:
        where = change.lent if change is not None else plan.lent.setdefault(id(statement), {})
        where[name] = found[0]
    return found is not None


def inside_class(plan, change):
    """The same for what statements of one class read of each other: no others run, but a value can be lent to all that do."""
    body, members = change.path[-1].body if change.path and not change.whole else (), host.class_dict(change.kind)
    places, order, readers = {}, {id(one): number for number, one in enumerate(body)}, {}
    for number, one in enumerate(body):
        for name in set(trees.bound(one)):
            places.setdefault(name, []).append(number)
    for one in change.statements if places else ():
        for name in reading.mentioned([one]):
            readers.setdefault(name, []).append(one)
    for name in sorted(places):
        there, full = places[name], change.name + '.' + name
        inner = trees.mangled(name, change.path[-1].name)
        live = members.get(inner, journals.ABSENT)
        for one in readers.get(name, ()):
            if reading.first([one], name) != reading.READS or reading.accessor(one, name):
                continue
            found = wanted(plan, change, name, body, there, order[id(one)], live)
            if found is None or found and change.lent.setdefault(inner, found[0]) is not found[0]:
                plan.refuse(full, 'line %d reads it as an earlier statement of the class binds it, and the class has what a '
                            'later one binds' % one.lineno)
        if change.lent.get(inner, change) is live:
            del change.lent[inner]


def wanted(plan, change, name, body, there, index, live):
    """[what the statement at INDEX of a class is to find under NAME], [] if something that runs binds it, None if unknown."""
    above, below = [n for n in there if n < index], [n for n in there if n > index]
    again = index in there and (change.rebound is None or name in change.rebound) and live is not journals.ABSENT
    if above and body[above[-1]] in change.statements:
        return []
    if not (below or again) or above and alike(body[above[-1]], body[there[-1]], name):
        return [live]
    if not reading.direct(reading.heads(body[index]), name):
        return None
    return reading.known(body[above[-1]], name, live, change.name + '.' + name, plan.module.dict) if above else [journals.ABSENT]


def alike(one, other, name):
    """Whether two statements surely bind the same to NAME."""
    return len(reading.origins(one, name) | reading.origins(other, name)) == 1


def with_later(body, statements):
    """Of the body of a class the STATEMENTS, and those after them that bind one of their names."""
    found, names, chosen = [], set(), set(map(id, statements))
    for one in body:
        mine = set(trees.bound(one))
        if id(one) in chosen or names & mine:
            found.append(one)
            names |= mine
    return found


def overtaken(old, new, namespace=None):
    """The units of NEW that bind a name last now, and stand in OLD too, where another one did.

    NAMESPACE, of a module, tells what star imports give, as things stand.
    """
    before, there, found = last(old, namespace), {tuple(unit.tokens) for unit in old}, []
    for name, unit in last(new, namespace).items():
        if name in before and tuple(unit.tokens) in there and before[name].tokens != unit.tokens:
            found.append(unit)
    return found


def rebound(body, statements, new, gone, come):
    """The names that STATEMENTS, which changed, may have bound before: those of units that left, or stand in them as they did."""
    starts, changed, fresh = list(map(trees.start_line, body)), set(map(id, statements)), set(map(id, come))
    found, place = {name for unit in gone for name in unit.names()}, 0
    for unit in sorted(new, key=lambda unit: unit.line):
        while place < len(starts) and starts[place] <= unit.line:
            place += 1
        if place and id(body[place - 1]) in changed and id(unit) not in fresh:
            found.update(unit.names())
    return found


def last(units, namespace):
    found = {}
    for unit in units:
        found.update(dict.fromkeys(unit.names(), unit))
        for level, name in host.part('units').starred(unit) if namespace is not None else ():
            found.update(dict.fromkeys(order.starred(namespace, level, name), unit))
    return found

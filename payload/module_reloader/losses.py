# SPDX-License-Identifier: MIT
"""What a dry run says will stay as it is, though the source changed: `kept_old` entries, and refusals that a class meets
only when it is made.  The rules are those of remake.py, enums.py and trampolines.py, applied to what the text of the
statements tells: names that lead to what is there, and constants.  What only running tells is not foreseen.
"""
from . import codes, decorators, enums, host, journal as journals, population, remake, trampolines, trees

FUNCTIONS = ('FunctionDef', 'AsyncFunctionDef')
UNKNOWN = object()


def foresee(plan):
    journal = journals.Journal()             # of what will be, as far as it is known; it is not carried out
    for statement in plan.statements:
        for name in trees.bound(statement):
            journal.set('item', plan.module.dict, name, outcome(plan, statement))
    for statement in plan.statements:
        for name in trees.bound(statement):
            old = plan.module.dict.get(name, UNKNOWN)
            if old is not UNKNOWN and not any(name in names.get(id(statement), ()) for names in (plan.shadowed, plan.passing)):
                succession(plan, statement, name, old, journal)
    for change in plan.classes:
        for one in change.statements:
            there = host.class_dict(change.kind).get(getattr(one, 'name', None))
            if trees.kind(one) in FUNCTIONS and one not in change.undecorated and trampolines.goes_on(
                    plan, there, change.name + '.' + one.name):
                remake.keep(plan, change.name + '.' + one.name, trampolines.DECORATED)
        if change.path and remake.is_enum(change.kind) and change.whole:
            enumeration(plan, change)
        elif change.path and not remake.is_enum(change.kind) and not remake.is_named_tuple(change.kind):
            new_class(plan, change)


def succession(plan, statement, name, old, journal):
    """What becomes of those who hold OLD when a statement binds NAME: see Transaction.settle()."""
    what = trees.kind(statement)
    if what in FUNCTIONS:
        if statement not in plan.undecorated and codes.live_key(old) is None and not (
                type(old) is host.FunctionType and trampolines.belongs(old, name, plan.module)):
            remake.keep(plan, name, trampolines.DECORATED)
    elif what == 'ClassDef' and not host.is_class(old) or what in ('Assign', 'AnnAssign'):
        new = outcome(plan, statement)
        definition = host.is_class(old) or type(old) is host.FunctionType or hasattr(type(old), 'cache_info')
        if new is UNKNOWN or new is old or not definition:
            return
        if host.is_class(old) and host.is_class(new):
            remake.keep(plan, name, remake.ELSEWHERE)
        elif not (type(old) is type(new) is host.FunctionType):
            trampolines.depart(plan, name, old, new, journal)


def outcome(plan, statement):
    """What a statement binds, or something of its type; UNKNOWN where its text does not tell."""
    if trees.kind(statement) == 'ClassDef':
        plain = not (statement.decorator_list or statement.keywords or statement.bases)
        return type('plain', (), {}) if plain else UNKNOWN
    value = statement.value if trees.kind(statement) in ('Assign', 'AnnAssign') else None
    if trees.kind(value) == 'Name' and not any(value.id in trees.bound(one) for one in plan.statements):
        return plan.module.dict.get(value.id, UNKNOWN)
    return trees.literal(value) if value is not None and trees.is_literal(value) else UNKNOWN


def new_class(plan, change):
    """Whether a class that cannot change so will get a successor: see remake.run()."""
    slots, bases = slots_of(change), bases_of(plan, change)
    others = [one for one in change.path[-1].keywords if one.arg != 'metaclass' or
              decorators.resolved(one.value, plan.module.dict) is not type(change.kind)]
    if bases is None or slots is UNKNOWN or others or not (change.header or change.whole):
        return
    there = change.kind.__bases__
    same = len(bases) == len(there) and all(one is other for one, other in zip(bases, there))
    if slots is None and (same or population.possible(journals.BASES, change.kind, bases)):
        return
    left = len(population.instances(change.kind)) if slots is not None else 0
    remake.tell(plan, change, left, [])


def slots_of(change):
    """The names of the slots that a class will have, None if they do not change, or UNKNOWN."""
    if not {'__slots__'} & (set(change.names) | set(change.removed)):
        return None
    given = [one.value for one in change.statements if '__slots__' in trees.bound(one)]
    if len(given) > 1 or given and not trees.is_literal(given[0]):
        return UNKNOWN
    slots = trees.literal(given[0]) if given else ()
    slots = {slots} if type(slots) is str else set(slots)
    old = host.class_dict(change.kind).get('__slots__', ())
    same = '__slots__' in host.class_dict(change.kind) and bool(given)
    return None if same and slots == ({old} if type(old) is str else set(old)) else slots


def bases_of(plan, change):
    """The bases that a class will have; None if that cannot be said."""
    found = [decorators.resolved(one, plan.module.dict) for one in change.path[-1].bases]
    new = {name for one in plan.statements for name in trees.bound(one)}
    generic = getattr(change.path[-1], 'type_params', None)
    again = any(getattr(one, 'id', None) in new for one in change.path[-1].bases)
    if generic or again or not all(map(host.is_class, found)):
        return None
    return tuple(found) or (object,)


def possible_members(plan, change):
    """{name: (the name of its member, the live one that becomes that, or None)}; None if the text does not tell.

    Refused are members that cannot be what they shall: see enums.merge().
    """
    there, bases = host.class_dict(change.kind)['_member_map_'], bases_of(plan, change)
    if bases is not None and bases != change.kind.__bases__:
        enums.refuse_bases(plan, change)
    found = members_of(change, there)
    if found is None:
        return None
    first = {name: next(one for one, its in found.items() if its == value) for name, value in found.items()}
    heirs, taken = {}, set(first.values())
    for name in dict.fromkeys(first.values()):
        live = there.get(name)
        if live is not None and live._name_ != name and live._name_ in taken:
            live = None
        if live is not None and enums.is_value(change.kind) and not enums.same(live._value_, found[name]):
            enums.refuse_value(plan, change, name)
        heirs[name] = live
        taken.add(name if live is None else live._name_)
    return {name: (one, heirs[one]) for name, one in first.items()}


def enumeration(plan, change):
    """Which members will be others."""
    members = possible_members(plan, change)
    for name, live in host.class_dict(change.kind)['_member_map_'].items() if members and not enums.is_flag(change.kind) else ():
        if name in members and members[name][1] is not live:
            remake.keep(plan, '%s.%s' % (change.name, name), enums.ANOTHER)


def members_of(change, there):
    """{name: value} of the members that the class will have, in their order; None if its text does not tell."""
    found, made = {}, '__new__' in {name for one in change.path[-1].body for name in trees.bound(one)}
    for one in change.path[-1].body:
        names = [name for name in trees.bound(one) if not name.startswith('_')]
        if trees.kind(one) in FUNCTIONS + ('ClassDef', 'Expr', 'Pass') or not names:
            continue
        if trees.kind(one) != 'Assign' or made:
            return None
        for name in names:
            if trees.is_literal(one.value):
                found[name] = trees.literal(one.value)
            elif one not in change.statements and name in there:
                found[name] = there[name]._value_
            else:
                return None
    return found


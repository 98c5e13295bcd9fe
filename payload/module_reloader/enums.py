# SPDX-License-Identifier: MIT
"""Enumerations whose members changed: the class and the members that live are kept.

The class is built again beside the live one.  A member that lives takes value and attributes of the new one of its
name; a new member is brought home to the live class, or, if a flag's composite of that value is about already, that one
gets the name; a member that left is a member no more, though who holds it still has it.  The maps that the metaclass
keeps, and whatever else it made, follow.  A value that is the member itself (of an IntEnum, a str) cannot change: that
is refused, as are other bases.
"""
from . import classes, codes, host, remake, trees

ANOTHER = 'it is another member now: who took a reference to it before has the old one'
MAPS = ('_member_map_', '_value2member_map_')


def merge(work, plan, change, new):
    """Let the live enumeration become what NEW is."""
    old = change.kind
    if new is None or type(new) is not type(old) or remake.layout(new) != remake.layout(old) or \
            new.__bases__ != old.__bases__:
        refuse_bases(plan, change)
    members, there = host.class_dict(new), host.class_dict(old)
    heirs = heirs_of(plan, change, there, members['_member_map_'])
    body = change.path[-1].body if change.path else ()
    kept = {name for one in body for name in trees.bound(one)} - set(change.names) - set(members['_member_map_'])
    change.staged = {}
    for name, value in members.items():
        if name in MAPS:
            change.staged[name] = type(value)((key, heirs[id(one)]) for key, one in value.items())
        elif name not in classes.OWN + remake.ABC and not (name in kept and name in there):
            mine = heirs.get(id(value), redirected(value, heirs))
            change.staged[name] = classes.home(mine, remake.own_cell(value, new), old)
    keep_composites(change.staged['_value2member_map_'], there, members)
    change.removed.extend(name for name in there['_member_map_'] if name not in members['_member_map_'] and
                          name not in change.removed)
    for name, live in there['_member_map_'].items():
        if name in members['_member_map_'] and heirs[id(members['_member_map_'][name])] is not live:
            remake.keep(plan, '%s.%s' % (change.name, name), ANOTHER)
    for made in members['_member_map_'].values():
        bring_home(heirs[id(made)], made, old, work.journal)
    for one in there['_value2member_map_'].values() if is_flag(old) else ():
        work.journal.forget(one.__dict__, '_inverted_')
    work.members(plan, change)


def refuse_bases(plan, change):
    refuse(plan, change, 'the bases of %s changed: the members that live could not follow' % change.name)


def refuse_value(plan, change, name):
    refuse(plan, change, '%s.%s is another value now, which a member that lives cannot become' % (change.name, name))


def refuse(plan, change, reason):
    line = change.path[-1].lineno if change.path else None
    raise host.Refusal('refused', reason, '--keep %s leaves the class as it is' % change.name, file=plan.module.path, line=line)


def redirected(value, heirs):
    """VALUE; if it is a property that the metaclass put over a member (3.11 and 3.12), it leads to the heir."""
    member = getattr(value, '__dict__', {}).get('member') if type(value).__name__ == 'property' and type(value) is not \
        property else None
    if id(member) in heirs:
        value.__dict__['member'] = heirs[id(member)]
    return value


def heirs_of(plan, change, there, made):
    """{id of a member in the map MADE: the member of the live class that takes its place}: itself, if there is none.

    Two names of one member may be two members now: who has the name keeps it, else the first that had it as another name.
    """
    found, taken = {}, {one._name_ for one in made.values()}
    for one in made.values():
        if id(one) not in found:
            live = heir(plan, change, there, one, taken)
            found[id(one)] = live
            taken.add(live._name_)
    return found


def heir(plan, change, there, made, taken):
    live = there['_member_map_'].get(made._name_)
    if live is not None and live._name_ != made._name_ and live._name_ in taken:
        return made
    if live is None and is_flag(change.kind):
        live = there['_value2member_map_'].get(made._value_)
        if live is not None and live in there['_member_map_'].values():
            live = None                      # the name of a member changed: a new one
    if live is not None and is_value(change.kind) and not same(live._value_, made._value_):
        refuse_value(plan, change, made._name_)
    return made if live is None else live


def is_flag(kind):
    return any(one.__module__ == 'enum' and one.__name__ == 'Flag' for one in kind.__mro__)


def is_value(kind):
    """Whether members are values themselves, or are hashed by their values."""
    return host.class_dict(kind)['_member_type_'] is not object or is_flag(kind)


def same(one, other):
    return one is other or codes.live_key(one) is not None and codes.live_key(one) == codes.live_key(other)


def bring_home(live, made, old, journal):
    """Make LIVE what MADE is, in the class OLD."""
    if live is made:
        remake.population.CLASS.__set__(made, old)
        made.__dict__['__objclass__'] = old
        return
    for name, value in made.__dict__.items():
        if name not in ('__objclass__', '_inverted_') and not same(live.__dict__.get(name, journal), value):
            journal.set('item', live.__dict__, name, value)


def keep_composites(values, there, members):
    """Leave the nameless combinations of flags that the program has made, as far as the bits are still there."""
    for value, one in there['_value2member_map_'].items():
        named = one._name_ in there['_member_map_']
        if not named and value not in values and not value & ~members.get('_flag_mask_', value):
            values[value] = one

# SPDX-License-Identifier: MIT
"""Classes whose header, layout or making changed: bases, keywords, decorators, metaclass, __slots__, named tuples.

Whenever CPython lets it, the class that lives is kept, and with it every reference, instance and subclass:

- other bases are assigned to __bases__; if they bring another __init_subclass__, or there are keywords, it is called,
  as for a new class;
- a class that decorators, a metaclass of the standard library or collections.namedtuple builds is built again beside
  the live one, which takes over all that was built: the members of statements that did not change excepted.

Where CPython refuses (a plain class gets a base, __slots__ change, another metaclass), a new class takes the place of
the old one: names lead to it, subclasses are put on it, and instances are moved, if all of them can be.  What the
program set on the old class goes over.  The report names what stays with the old class.
"""
from . import baseline, classes, host, journal as journals, patch, population, trees

ABC = ('_abc_impl', '_abc_registry', '_abc_cache', '_abc_negative_cache', '_abc_negative_cache_version')
SIZES = ('__basicsize__', '__itemsize__', '__dictoffset__', '__weakrefoffset__')
ELSEWHERE = 'the name leads to another class now: instances stay with the old one'
DESCRIPTORS = (host.FunctionType, staticmethod, classmethod, property)


def member_names(kind):
    """The names of the slots of a class."""
    slot = type(host.FunctionType.__globals__)
    return sorted(name for name, value in host.class_dict(kind).items() if type(value) is slot)


def layout(kind):
    return member_names(kind), [type.__dict__[name].__get__(kind) for name in SIZES]


def is_enum(kind):
    return any(one.__module__ == 'enum' and one.__name__ in ('EnumMeta', 'EnumType') for one in type(kind).__mro__)


def is_named_tuple(kind):
    return issubclass(kind, tuple) and '_fields' in host.class_dict(kind)


def run(work, plan, change):
    """Carry out a change of a class that is more than one of members."""
    if is_enum(change.kind):
        new = work.watched(plan, fresh, change, plan, work.context)
        return host.part('enums').merge(work, plan, change, new)
    if not change.whole:
        bases, keywords = work.watched(plan, header, change, plan, work.context)
        work.watched(plan, classes.stage, change, plan.module, plan.examined.tree, plan.examined.code, work.context)
        if type(change.kind) is wanted_meta(change, bases, keywords) and set_bases(change.kind, bases, work.journal):
            work.members(plan, change)
            return announce(work, plan, change, keywords)
    return rebuild(work, plan, change)


def rebuild(work, plan, change):
    """Build the class again; the live one takes that over, or the new one its place."""
    new = work.watched(plan, fresh, change, plan, work.context)
    if not host.is_class(new):
        raise host.Refusal('refused', 'the decorators of %s do not make a class' % change.name)
    kept = {name for one in change.path[-1].body for name in trees.bound(one)} - set(change.names)
    take_over(work, plan, change, new, kept)


def settle(work, plan, name, old, new, statement):
    """A statement that is not a class statement of the module's own made the class NEW where OLD stood."""
    homes = [plan.module.dict.get('__name__')] + ['types'] * ('__dataclass_fields__' in host.class_dict(old))    # make_dataclass()
    mine = old.__module__ == new.__module__ and old.__module__ in homes and old.__qualname__ == new.__qualname__ == name
    if not mine or trees.kind(statement) == 'Assign' and trees.kind(statement.value) != 'Call':
        keep(plan, name, ELSEWHERE)
        return
    change = classes.Change(name, old, (), [], [])
    if is_enum(old):
        host.part('enums').merge(work, plan, change, new)
    elif not take_over(work, plan, change, new, set()):
        return
    work.journal.set('item', plan.module.dict, name, old)


def alone(change, plan, statement):
    """The code of a body that holds one statement, in the place of the class in the source."""
    tree, flags = plan.examined.tree, plan.examined.code.co_flags & host.FUTURE_FLAGS
    if len(change.path) > 1:
        outer = classes.Change(change.name.rpartition('.')[0], None, change.path[:-1], [statement], [])
        return classes.body_code(outer, tree, plan.module.filename(), flags)
    return trees.alone(tree, [statement], lambda: host.compile_quietly(tree, plan.module.filename(), 'exec', flags))


def fresh(change, plan, context):
    """Run the class statement, without binding the name: what it makes."""
    namespace = {}
    context.user(host.builtin('builtins').exec, alone(change, plan, change.path[-1]), plan.module.dict, namespace)
    return namespace.get(change.path[-1].name)


def header(change, plan, context):
    """Evaluate the bases and keywords of the class statement: (bases, keywords)."""
    statement, found = change.path[-1], []
    builtins = dict(host.builtin('builtins').__dict__, __build_class__=lambda body, name, *bases, **keywords:
                    found.append((bases, keywords, dict(zip(body.__code__.co_freevars, body.__closure__ or ())))))
    decorators, statement.decorator_list = statement.decorator_list, []
    try:
        code = alone(change, plan, statement)
    finally:
        statement.decorator_list = decorators
    context.user(host.builtin('builtins').exec, code, dict(plan.module.dict, __builtins__=builtins), {})
    bases, keywords, cells = found[0]
    if '.type_params' in cells:              # 3.12 on
        change.staged['__type_params__'] = cells['.type_params'].cell_contents
    resolved = []
    for base in bases:
        entries = None if host.is_class(base) else getattr(base, '__mro_entries__', None)
        resolved.extend([base] if entries is None else context.user(entries, bases))
    if tuple(resolved) != bases:
        change.staged['__orig_bases__'] = bases
    return tuple(resolved) or (object,), keywords


def wanted_meta(change, bases, keywords):
    """The metaclass that the class would have now, as type.__new__ works it out."""
    return derived_meta(keywords.pop('metaclass', type), bases)


def derived_meta(meta, bases):
    for base in bases:
        if host.is_class(meta) and issubclass(type(base), meta):
            meta = type(base)
    return meta


def set_bases(kind, bases, journal):
    """Whether the class can have these bases, and will."""
    if len(bases) == len(kind.__bases__) and all(one is other for one, other in zip(bases, kind.__bases__)):
        return True
    if not population.possible(journals.BASES, kind, bases):
        return False
    journal.set('bases', kind, '__bases__', bases)
    return True


def announce(work, plan, change, keywords):
    """Call the __init_subclass__ that the class inherits, if it may have something to do."""
    work.journal.commit()
    hooks = [one for one in change.kind.__mro__[1:] if '__init_subclass__' in host.class_dict(one)]
    if len(hooks) == 1 and not keywords:     # that of object
        return
    before = dict(host.class_dict(change.kind))
    try:
        work.watched(plan, work.context.user, lambda: super(change.kind, change.kind).__init_subclass__(**keywords))
    finally:
        now = host.class_dict(change.kind)
        for name in set(before) | set(now):
            old, new = before.get(name, journals.ABSENT), now.get(name, journals.ABSENT)
            if old is not new:
                work.journal.note('class', change.kind, name, old, new)


def take_over(work, plan, change, new, kept):
    """Let the live class become what NEW is, else let NEW take its place; whether the live class stays.

    KEPT are the names whose statements did not change."""
    old = change.kind
    if is_named_tuple(old) and is_named_tuple(new):
        kept = set()
    if type(new) is type(old) and layout(new) == layout(old) and set_bases(old, new.__bases__, work.journal):
        adopt(change, new, kept)
        left_over(plan, change, new)
        work.members(plan, change)
        return True
    replace(work, plan, change, new, kept)
    return False


def adopt(change, new, kept):
    """Stage what NEW has for the live class, and what it lacks and had to do with how the class was built."""
    members, change.staged, typing = host.class_dict(change.kind), {}, type(new).__module__ == 'typing'
    slots = member_names(new)                # the live class has its own
    change.removed = [name for name in change.removed if name not in host.class_dict(new)]
    for name, value in host.class_dict(new).items():
        if name not in classes.OWN + ABC and name not in slots and not (name in kept and name in members):
            change.staged[name] = classes.home(value, own_cell(value, new), change.kind)
    for name in members:
        made = name[:2] == '__' == name[-2:] or typing and name[0] == '_' or \
            is_named_tuple(new) and name in members.get('_fields', ())
        if made and name not in host.class_dict(new) and name not in classes.OWN + ABC and name not in change.removed:
            change.removed.append(name)


def left_over(plan, change, new):
    """Name what the class has and its source does not give it: who did cannot be known, so it stays."""
    names = [name for name in host.class_dict(change.kind) if name not in host.class_dict(new) and name[:2] != '__' and
             name not in classes.OWN + ABC and name not in change.removed and name not in member_names(change.kind)]
    if names:
        plan.warnings.append('%s: left alone, set by the program or by a decorator that is gone: %s' % (
            change.name, ', '.join(sorted(names))))


def own_cell(value, kind):
    """The cell in the functions of VALUE that holds the class KIND, for super() and in what dataclasses make, or None."""
    for function in baseline.inner_functions(value):
        for cell in function.__closure__ or ():
            if patch.cell_content(cell) is kind:
                return cell
    return None


def replace(work, plan, change, new, kept):
    """Put NEW, which is complete but for what the program did to the old class, in the place of the old class."""
    old, journal = change.kind, work.journal
    carry_state(old, new, kept, change.removed)
    left_over(plan, change, new)
    there = population.instances(old)
    owner, name = place_of(change, plan)
    journal.set('class' if host.is_class(owner) else 'item', owner, name, new)
    moved = not there or population.possible(population.CLASS, there[0], new)
    if moved:
        journal.set('instances', [old], change.name, new)
        for member, value in list(host.class_dict(old).items()):
            if member in host.class_dict(new):
                host.part('trampolines').succeed_member(plan, change.name + '.' + member, value, host.class_dict(new)[member], journal,
                                                          host.class_dict(old))
    stay = [one for one in type.__subclasses__(old) if not put_on(one, old, new, journal)]
    tell(plan, change, 0 if moved else len(there), [one for one in stay if not again(work, one)])
    for one in plan.classes:
        one.kind = new if one.kind is old else one.kind


def again(work, kind):
    """Build a subclass again that could not be put on the new class, if its statement is at hand; whether it was."""
    for plan in work.plans:
        if dict(baseline.classes_of(plan.module)).get(kind.__qualname__) is kind:
            for path in trees.classes(plan.examined.tree.body).values():
                if '.'.join(one.name for one in path) == kind.__qualname__:
                    work.journal.commit()
                    rebuild(work, plan, classes.Change(kind.__qualname__, kind, path, [], []))
                    return True
    return False


def carry_state(old, new, kept, removed):
    """Give NEW what the program did to the old class: values set at run time, and registered subclasses."""
    fixed = set(classes.OWN + ABC).union(member_names(old), member_names(new))
    for name, value in list(host.class_dict(old).items()):
        function = any(True for _ in baseline.inner_functions(value)) or host.among(type(value), DESCRIPTORS)
        mine = name in kept if name in host.class_dict(new) else name not in removed and name[:2] != '__'
        if mine and not function and name not in fixed:
            type.__setattr__(new, name, value)
    if '_abc_impl' in host.class_dict(old) and '_abc_impl' in host.class_dict(new):
        abc = host.builtin('_abc')
        for one in abc._get_dump(old)[0]:
            if one() is not None:
                abc._abc_register(new, one())
    elif '_abc_registry' in host.class_dict(old) and '_abc_registry' in host.class_dict(new):
        for one in old._abc_registry:
            new._abc_registry.add(one)


def place_of(change, plan):
    """(module dictionary or outer class, name) where the class stands."""
    outer, _, name = change.name.rpartition('.')
    return (dict(baseline.classes_of(plan.module))[outer] if outer else plan.module.dict), name


def put_on(kind, old, new, journal):
    """Whether the subclass KIND of the old class could be made one of NEW."""
    bases = tuple(new if one is old else one for one in kind.__bases__)
    meta = derived_meta(type, bases)         # what it has now may come from the old class
    own = type(kind) is not type(old) and issubclass(type(kind), meta)
    return (own or type(kind) is meta) and set_bases(kind, bases, journal)


def tell(plan, change, left, stay):
    """Say what stays with the old class."""
    plan.changed.append(change.name)
    keep(plan, change.name, 'a new class took its place, because CPython does not let the live one change like this; '
         'what holds the old class itself still does')
    if not population.is_tracked(change.kind):
        keep(plan, change.name, 'its instances have no room for marks of the collector and cannot be found: those that '
             'there are keep the old class')
    if left:
        keep(plan, change.name, 'instances that keep the old class, because their layout cannot follow: %d' % left)
    for one in stay:
        keep(plan, '%s.%s' % (one.__module__, one.__qualname__), 'it still derives from the old %s: its layout cannot '
             'follow' % change.name)


def keep(plan, name, reason):
    plan.kept_old.append({'name': name, 'reason': reason})

# SPDX-License-Identifier: MIT
"""What a plan will change, told before anything runs: all that a dry run reports, and where the report of a real one
begins; that one corrects what came out otherwise.
"""
from . import codes, host, trees

FIELDS = '__dataclass_fields__'
DEFINITIONS = ('FunctionDef', 'AsyncFunctionDef', 'ClassDef')


def foresee(plan):
    """Say what the statements, classes, removals and patches of PLAN will do."""
    there = plan.module.dict
    for statement in plan.statements:
        names = [name for name in trees.stored(statement) if name != '*']
        if trees.kind(statement) == 'Delete':
            plan.added = [name for name in plan.added if name not in names]
            plan.gone.extend(name for name in names if name in there)
        else:
            sort(plan, names, there, '')
        show(plan.executed, statement, there, plan.examined)
    for change in plan.classes:
        members = known(host.class_dict(change.kind))
        sort(plan, members_of(change), members, change.name + '.')
        plan.gone.extend(change.name + '.' + name for name in change.removed if name in members)
        for statement in change.statements:
            show(plan.executed, statement, members, plan.examined)
        if change.header:
            plan.changed.append(change.name)
        if change.header or change.whole:
            show(plan.executed, change.path[-1], {change.path[-1].name: change}, plan.examined)
        host.part('decorators').foresee(plan, change.statements, host.class_dict(change.kind), change.called, change.name + '.')
    if plan.statements:
        host.part('decorators').foresee(plan, plan.statements, there, plan.called)
    plan.gone.extend(name for name in plan.removed if name in there)
    plan.replaced.extend(replaced(plan) if plan.statements or plan.removed else ())
    plan.changed.extend(map(named, (one for one in plan.patches if one.changed or one.defaults)))


def named(patch):
    """What a patch changes, as the source names it: from 3.14 on what makes annotations is a function of its own."""
    owner, _, last = patch.function.__qualname__.rpartition('.')
    return patch.path if last != '__annotate__' or not patch.path.endswith(last) else owner or '__annotations__'


def replaced(plan):
    """The names of the module that will have another value, or none."""
    names = [name for statement in trees.inside(plan.statements) for name in trees.own(statement)
             if not trees.is_noted(statement) and trees.kind(statement) not in DEFINITIONS + ('Import', 'ImportFrom')]
    names += [one.name for one in trees.inside(plan.statements) if trees.kind(one) in DEFINITIONS and
              codes.live_key(plan.module.dict.get(one.name, plan)) is not None]
    names += [name for name, follows in imported(plan) if not follows]
    return [name for name in names + plan.removed if name in plan.module.dict] + starred(plan, True)


def imported(plan):
    """(name, whether who holds the function that it has will be led on) of names that imports give something else."""
    order, there = host.part('order'), plan.module.dict
    package = there.get('__package__') if type(there.get('__package__')) is str else ''
    for one in trees.inside(plan.statements):
        what = trees.kind(one)
        names = one.names if what in ('Import', 'ImportFrom') else ()
        for alias in names:
            name = alias.asname or (alias.name if what == 'ImportFrom' else alias.name.partition('.')[0])
            source = order.origin(one, package) if what == 'ImportFrom' else alias.name if alias.asname else name
            new = host.sys.modules.get(source)
            if what == 'ImportFrom' and type(new) is host.ModuleType:
                new = new.__dict__.get(alias.name, host.sys.modules.get('%s.%s' % (source, alias.name)))
            if name in there and there[name] is not new:
                yield name, codes.defined_as(there[name], name, there) and type(new) is host.FunctionType and \
                    new.__code__.co_name == name


def led(plan):
    """The names of undecorated functions that are no functions of their own now: importers will have the new ones."""
    live = plan.module.dict
    plain = [one.name for one in plan.statements if trees.kind(one) in DEFINITIONS[:2] and not one.decorator_list]
    return [name for name, follows in imported(plan) if follows] + \
        [name for name in plain if name in live and not codes.defined_as(live[name], name, live)]


def starred(plan, there):
    """The names that star imports give when they run: those that are THERE and get another value, or those that are not."""
    found, namespace, order = [], plan.module.dict, host.part('order')
    for statement in plan.statements:
        kept = plan.shadowed.get(id(statement), ())
        for one in trees.starred([statement]):
            taken = order.starred(namespace, one.level, one.module)
            found.extend(name for name in sorted(taken) if name not in kept and (name in namespace) == there and
                         namespace.get(name) is not taken[name])
    return found


def members_of(change):
    """The names that the statements of a class bind in it, or make fields of it."""
    bind = trees.bound if {FIELDS, '_fields'} & set(host.class_dict(change.kind)) else trees.stored
    return [trees.mangled(name, change.path[-1].name) for one in change.statements for name in bind(one)]


def known(members):
    """MEMBERS of a class, and its fields, which need not be attributes."""
    return dict(members.get(FIELDS) or {}, **members)


def sort(plan, names, there, prefix):
    for name in names:
        (plan.changed if name in there else plan.added).append(prefix + name)


def show(found, statement, there, examined):
    """List a statement among those that run; a plain new definition is only added."""
    if trees.kind(statement) in DEFINITIONS and not statement.decorator_list and statement.name not in there:
        return
    text = 'the annotation of ' + trees.bound(statement)[0] if trees.is_noted(statement) else trees.text_of(statement, examined.lines())
    found.append({'line': statement.lineno, 'text': text})


def corrected(plan, names, there, prefix=''):
    """Take back what was foreseen of NAMES and did not come."""
    for name in names:
        if name not in there and prefix + name in plan.added:
            plan.added.remove(prefix + name)


def lines_run(plans):
    """Where the statements stand that PLANS run: {(id of the module's dictionary, line)}."""
    found = set()
    for plan in plans:
        for statement in plan.statements:
            if statement in plan.undecorated or trees.is_noted(statement):
                continue
            found.update((id(plan.module.dict), one.lineno) for one in with_classes([statement]))
        for change in plan.classes:
            header = list(change.path[-1:]) if change.header or change.whole else []
            run = with_classes([one for one in change.statements if not trees.is_noted(one)])
            found.update((id(plan.module.dict), one.lineno) for one in header + list(run))
    return found


def with_classes(statements):
    """All statements that run where STATEMENTS do, those in the bodies of classes included."""
    for statement in trees.inside(statements):
        yield statement
        for one in with_classes(statement.body) if trees.kind(statement) == 'ClassDef' else ():
            yield one

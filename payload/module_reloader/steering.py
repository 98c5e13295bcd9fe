# SPDX-License-Identifier: MIT
"""--keep and --reinit: which statements never run, or always do, by the names that they bind.

A name is that of a module, or of a class in it: NAME or CLASS.NAME, with the module's name before it or without.  Where a
class is kept, so is all that is in it.  Code of functions follows whatever is kept: it is no statement that runs.
"""
from . import baseline, classes, host, trees


def again(plan, reinit):
    """--reinit: run the statements that bind these names, though they did not change."""
    for statement in body(plan):
        if reinit & set(trees.bound(statement)) and statement not in plan.statements:
            plan.statements.append(statement)
    named = dict(baseline.classes_of(plan.module))
    for name, path in in_classes(plan):
        for statement in path[-1].body:
            if name in named and {name + '.' + one for one in trees.bound(statement)} & reinit:
                statement.noted = False
                classes.run_too(plan, name, named[name], path, statement)


def leave(plan, keep):
    """--keep: leave classes as they are, or members of them."""
    plan.refused = [one for one in plan.refused if not owners(one['name']) & keep]
    for change in list(plan.classes):
        names = {name for name in change.names + list(change.removed) if change.name + '.' + name in keep}
        by = sorted(owners(change.name) & keep)
        if by:
            plan.classes.remove(change)
            tell(plan, change.path[-1], by)
        elif names and (change.whole or change.header):
            plan.refuse(change.name, 'it has to be built anew as a whole: --keep %s leaves all of it as it is' % change.name)
        elif names:
            for one in [one for one in change.statements if names & set(trees.bound(one))]:
                change.statements.remove(one)
                tell(plan, one, sorted(change.name + '.' + name for name in names & set(trees.bound(one))))
            change.names = [name for one in change.statements for name in trees.bound(one)]
            change.removed = [name for name in change.removed if name not in names]
            if not change.names and not change.removed:
                plan.classes.remove(change)


def owners(name):
    """NAME, and the names of the classes that it is in."""
    parts = name.split('.')
    return {'.'.join(parts[:end]) for end in range(1, len(parts) + 1)}


def tell(plan, statement, names):
    plan.warnings.append('line %d was not run: --keep %s' % (statement.lineno, ', '.join(names)))


def body(plan):
    return plan.examined.tree.body if plan.examined.tree is not None else ()


def in_classes(plan):
    """(name, path) of the class statements of a module."""
    return [('.'.join(one.name for one in path), path) for path in trees.classes(body(plan)).values()]


def check(work, modules):
    """Names that nothing has are not passed over in silence: who mistyped one would lose what was to be kept."""
    for option, lacks in (('keep', 'none of the modules to reload has this name'),
                          ('reinit', 'no statement of the modules to reload binds this name')):
        for text in work.options.get(option) or ():
            known = [plan for plan in work.plans if knows(plan, option, text)]
            for plan in known if option == 'keep' else ():
                if plan.nodes(plan.module.local(text)):
                    plan.warnings.append('--keep %s keeps no code: that of functions follows all the same' % text)
            if known:
                continue
            loaded = any(has(module, text) for module in modules)
            if work.plans and not loaded:
                raise host.Refusal('refused', '--%s %s: no module has this name' % (option, text),
                                   'a name is NAME, MODULE.NAME or MODULE.CLASS.NAME')
            if option == 'reinit' or not loaded:
                work.context.notes.append('--%s %s: %s' % (option, text, lacks))


def knows(plan, option, text):
    """Whether the new source of a module binds a name; one to keep may also be there only."""
    found = {name for one in body(plan) for name in trees.bound(one)}
    found.update(name + '.' + one for name, path in in_classes(plan) for below in path[-1].body for one in trees.bound(below))
    return plan.module.local(text) in found or option == 'keep' and has(plan.module, text)


def has(module, text):
    """Whether a module, or a class in it, has a name."""
    owner, _, name = module.local(text).rpartition('.')
    there = dict(baseline.classes_of(module)).get(owner) if owner else None
    return name in (module.dict if not owner else () if there is None else host.class_dict(there))

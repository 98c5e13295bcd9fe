# SPDX-License-Identifier: MIT
"""What a module does itself about its reload, if it likes: two functions, called with the rest of the command's code.

    __reload_before__(old)   the one that is loaded, before anything changes; OLD is a copy of the module's namespace
    __reload_after__(new)    the one of the new source, when all new code is in force; NEW is the module

They run for each module that is reloaded, in the order of the reload: dependencies first.  What they return is ignored.
An exception of theirs takes the whole command back, with what they did to names of the modules; names that the later
one binds are followed into other modules.  A module that does not change is not asked, and a dry run only lists them.
"""
from . import host, rebind, trees

BEFORE, AFTER = '__reload_before__', '__reload_after__'


def foresee(plan):
    """List the calls among the statements that run."""
    live, defined = plan.module.dict.get(BEFORE), {}
    for statement in trees.inside(plan.examined.tree.body):
        defined.update((name, statement.lineno) for name in trees.bound(statement))
    if is_callable(live):
        line = live.__code__.co_firstlineno if type(live) is host.FunctionType else 0
        plan.executed.append({'line': line, 'text': BEFORE + '(old)'})
    if AFTER in defined:
        plan.executed.append({'line': defined[AFTER], 'text': AFTER + '(new)'})


def is_callable(value):
    return value is not None and hasattr(type(value), '__call__')


def before(work):
    for plan in work.plans:
        function = plan.module.dict.get(BEFORE)
        if is_callable(function):
            call(work, plan, function, dict(plan.module.dict))


def after(work):
    for plan in work.plans:
        function, module = plan.module.dict.get(AFTER), host.sys.modules.get(plan.module.name)
        if is_callable(function):
            call(work, plan, function, module)


def call(work, plan, function, argument):
    """Call one, and write down what became of the names of all modules of the command."""
    work.current, plan.begun = plan, True
    plan.beyond.append(BEFORE if argument is not host.sys.modules.get(plan.module.name) else AFTER)
    known = [(one, dict(one.module.dict)) for one in work.plans]
    try:
        work.watched(plan, work.context.user, function, argument)
    finally:
        for one, names in known:
            if one is not plan:
                work.noted(one.module.dict, names)
    for one, names in known:
        changed = work.differences(names, one.module.dict)
        if changed:
            work.imports = work.imports or rebind.Imports(work.modules, work.context)
            rebind.follow(one.module, changed, rebind.exported(names), work.imports, work.journal, one)
    work.journal.commit()

# SPDX-License-Identifier: MIT
"""--dependents: values made at import from what a command changes are made again, wherever they are.

What the report lists as derived without it is added to the plans: all statements that bind such a name run again, in
source order, as with --reinit, in the place that their module has among the others.  A module that is not stale itself
gets a plan for it.  Of what was made by calling functions that change, only constants are made again: what else a call gave may
hold state.  One that is stale but was not named stays as it is: its new source must not run in part.
"""
from . import called, forecast, plan as plans, rebind, scope, stale, trees


def extend(work, planned):
    """PLANNED and what depends on it; WORK is the command."""
    imports = rebind.Imports(scope.modules, work.context)
    ran, wanted, modules = forecast.lines_run(planned), {}, {}
    for plan in planned:
        changed = forecast.replaced(plan)
        found = rebind.derived(plan.module, plan.examined, changed, imports, ran) if changed else []
        found.extend(rebind.derived_in_classes(plan, ran))
        for one in called.derived(work, plan, lambda: imports, ran):
            if called.constant(*one[:2]):
                found.append(one)
        for module, name, statement, _ in found:
            if not trees.made_from(statement):       # a branch, a call: what it would do besides is not known
                continue
            names = wanted.setdefault(id(module.dict), [])
            names.extend(one for one in name.split(', ') if one and one not in names)
            modules[id(module.dict)] = module
    by_dict = {id(plan.module.dict): plan for plan in planned}
    for key, names in wanted.items():
        again = remake(work, modules[key], by_dict.get(key), names)
        if again is not None:
            by_dict[key] = again
    return list(by_dict.values())


def remake(work, module, plan, names):
    """The plan for a module that runs again what binds NAMES; None if that cannot be."""
    if plan is None:
        examined = stale.examine(module, work.context, work.signatures, bool(work.options.get('force')))
        if examined.problem is not None or examined.state != 'fresh':
            work.context.notes.append('%s is stale itself and was not to be reloaded: what is derived in it stays'
                                      % module.name)
            return None
        examined = examined if examined.code is not None else work.again(examined)
    else:
        examined = plan.examined
    given = [one for one in work.options.get('reinit') or ()]
    return plans.make(examined, dict(work.options, reinit=given + ['%s.%s' % (module.name, name) for name in names]),
                      work.signatures)

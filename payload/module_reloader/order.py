# SPDX-License-Identifier: MIT
"""The order of a reload: what a module imports comes before it, by its new source; a cycle keeps its order of loading."""
from . import host


def imports(plan):
    """The names of the modules that the new source imports at import time."""
    package = plan.module.dict.get('__package__')
    return imported(plan.examined.tree, package if isinstance(package, str) else '')


def imported(tree, package):
    """The same for a syntax tree; what is imported out of a module may be a module as well."""
    found, trees = set(), host.part('trees')
    for statement in trees.inside(tree.body):
        if trees.kind(statement) == 'Import':
            for one in statement.names:
                parts = one.name.split('.')
                found.update('.'.join(parts[:end]) for end in range(1, len(parts) + 1))
        elif trees.kind(statement) == 'ImportFrom':
            base = origin(statement, package)
            found.add(base)
            found.update(base + '.' + one.name for one in statement.names if one.name != '*')
    return found


def origin(statement, package):
    """The full name of the module that `from ... import` names."""
    if not statement.level:
        return statement.module
    base = package.split('.')
    base = base[:len(base) - statement.level + 1]
    return '.'.join(base + ([statement.module] if statement.module else []))


def arrange(plans):
    """PLANS, dependencies first."""
    if len(plans) < 2:
        return plans
    by_name = {name: plan for plan in plans for name in plan.module.names}
    done, busy = [], set()

    def visit(plan):
        if id(plan) in busy:
            return
        busy.add(id(plan))
        for name in sorted(imports(plan)):
            if name in by_name:
                visit(by_name[name])
        done.append(plan)

    for plan in plans:
        visit(plan)
    return done

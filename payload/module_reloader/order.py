# SPDX-License-Identifier: MIT
"""The order of a reload: what a module imports comes before it, by its new source; a cycle keeps its order of loading."""
from . import host, scope


def imports(plan):
    """The names of the modules that the new source imports at import time, but not of its package where it takes only modules
    out of that: the package imports it in turn."""
    found, trees, package = imported(plan.examined.tree.body, package_of(plan)), host.part('trees'), package_of(plan)
    taken = [one for one in trees.inside(plan.examined.tree.body) if trees.kind(one) == 'ImportFrom' and origin(one, package) == package]
    alone = all(package + '.' + one.name in host.sys.modules for statement in taken for one in statement.names)
    return found - {package} if taken and alone else found


def package_of(plan):
    package = plan.module.dict.get('__package__')
    return package if isinstance(package, str) else ''


def locked(plan):
    """A module that the statements of PLAN import and another thread is importing just now: they would wait for it; or None."""
    locks = getattr(scope.BOOTSTRAP, '_module_locks', {})
    for name in sorted(imported(plan.statements, package_of(plan))):
        lock = locks.get(name, bool)()
        if getattr(lock, 'owner', None) not in (None, host._thread.get_ident()):
            return name
    return None


def imported(statements, package):
    """The same for the body of a syntax tree; what is imported out of a module may be a module as well."""
    found, trees = set(), host.part('trees')
    for statement in trees.inside(statements):
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
    return absolute(statement.level, statement.module, package)


def absolute(level, name, package):
    if not level:
        return name
    base = package.split('.')
    base = base[:len(base) - level + 1]
    return '.'.join(base + ([name] if name else []))


def starred(namespace, level, name):
    """{name: value} that a star import in a module takes, as things stand."""
    package = namespace.get('__package__')
    there = host.sys.modules.get(absolute(level, name, package if isinstance(package, str) else ''))
    there = scope.DICT.__get__(there) if issubclass(type(there), host.ModuleType) else {}
    return {one: there[one] for one in host.part('rebind').exported(there) if one in there}


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

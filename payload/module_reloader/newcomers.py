# SPDX-License-Identifier: MIT
"""Modules that statements of a command imported: they leave again when the command fails or is undone.

Each is in sys.modules and, below a package, in the package's dictionary.  Other threads import as well while our
statements run; a module that anybody else has in hand by then, as itself or by a function or class of it, stays, and so
do those that it imported in turn.  Those in C stay in any case: CPython keeps pointers to some (atexit, until 3.9).
"""
from . import host, journal as journals, scope


def note(before, journal):
    """Write down which modules are loaded beside those in BEFORE."""
    table = host.sys.modules
    for name in [name for name in list(table) if name not in before and type(name) is str and
                 not name.startswith(host.PACKAGE + '.')]:
        module = table.get(name)
        if type(module) is not host.ModuleType:
            continue
        namespace = module.__dict__
        if scope.find_kind(namespace, scope.spec_of(namespace), scope.text(namespace.get('__file__'))) in ('built-in', 'extension'):
            continue
        journal.note('item', table, name, journals.ABSENT, module)
        parent, _, last = name.rpartition('.')
        package = before.get(parent)
        if type(package) is host.ModuleType and package.__dict__.get(last) is module:
            journal.note('item', package.__dict__, last, journals.ABSENT, module)


def in_use(steps):
    """The steps among STEPS that brought a module which somebody else uses by now."""
    table = host.sys.modules
    brought = {id(step[4].__dict__): step for step in steps if step[1] is table}
    names = {step[2]: key for key, step in brought.items()}
    modules = {id(step[4]): key for key, step in brought.items()}
    ours = {(id(step[1]), step[2]) for step in steps if step[0] == 'item'}
    todo = [module.__dict__ for module in list(table.values())
            if type(module) is host.ModuleType and id(module.__dict__) not in brought]
    used = {}
    while todo:
        namespace = todo.pop()
        for name, value in list(namespace.items()):
            key = modules.get(id(value))
            if type(value) is host.FunctionType:
                key = id(value.__globals__)
            elif key is None and host.is_class(value):
                owner = host.class_dict(value).get('__module__')
                key = names.get(owner) if type(owner) is str else None
            if key in brought and key not in used and key != id(namespace) and (id(namespace), name) not in ours:
                used[key] = brought[key]
                todo.append(brought[key][4].__dict__)
    places = set()
    for step in used.values():
        parent, _, last = step[2].rpartition('.')
        places |= {(id(table), step[2]), (id(getattr(table.get(parent), '__dict__', None)), last)}
    return [step for step in steps if step[0] == 'item' and (id(step[1]), step[2]) in places]

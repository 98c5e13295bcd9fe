# SPDX-License-Identifier: MIT
"""What changed in a module of which nobody kept the source: the live objects are compared with the new source.

Functions and methods are compared by qualified name; definitions, imports and names that the module lacks are added.
A constant whose live value differs from what the source says is undecided: the source may have changed, or the
program the value.  It is the program's when a function of the module assigns that name, and a container may have been
filled since.  Other statements leave no trace that could be compared: they are not run, and a warning names them.
"""
from . import baseline, codes, host, trees


class Guess:
    def __init__(self):
        self.changed, self.removed, self.statements, self.undecided, self.warnings = [], [], [], [], []
        self.members = []                    # (path of the class statements, statements to run, names to remove)


def assigned_by_functions(root):
    """The names that functions of the module declare global and assign."""
    table = baseline.units.names_of_instructions()
    found = set()
    for node in root.walk():
        if table is None:
            found.update(node.code.co_names)
            continue
        raw = node.code.co_code
        for offset in range(0, len(raw), 2):
            if table.get(raw[offset]) in ('STORE_GLOBAL', 'DELETE_GLOBAL'):
                found.add(node.code.co_names[raw[offset + 1]] if raw[offset + 1] < len(node.code.co_names) else '')
    return found


def same_value(live, value):
    """Whether a live value is what the source says, compared without running any code of the program."""
    if type(live) is not type(value):
        return False
    if type(value) in (list, tuple):
        return len(live) == len(value) and all(map(same_value, live, value))
    if type(value) is dict:
        return len(live) == len(value) and all(map(same_value, live.keys(), value.keys())) and \
            all(map(same_value, live.values(), value.values()))
    if type(value) is set:
        return len(live) == len(value) and {codes.constant_key(one) for one in value} == \
            {codes.constant_key(one) for one in live if type(one) in (int, str, bytes, float, type(None), bool, tuple)}
    return codes.constant_key(live) == codes.constant_key(value)


def show(value):
    text = repr(value) if type(value) in (int, str, bytes, float, bool, type(None), tuple, list, dict, set) else \
        '<%s>' % type(value).__name__
    return text if len(text) <= 120 else text[:117] + '...'


def compare_constant(guess, statement, namespace, keep, prefix=''):
    """An assignment: the names it lacks, the values that differ."""
    what = trees.kind(statement)
    value = getattr(statement, 'value', None)
    names = trees.bound(statement)
    if value is None or not names:
        return bool(names) and what != 'AnnAssign' and any(name not in namespace for name in names)
    if any(name not in namespace for name in names):
        return True
    try:
        source = trees.literal(value)
    except (ValueError, TypeError):
        guess.warnings.append('line %d: %s cannot be compared with what the module ran before, and was not run again'
                              % (statement.lineno, ', '.join(names)))
        return False
    for target in getattr(statement, 'targets', [getattr(statement, 'target', None)]):
        name = target.id if trees.kind(target) == 'Name' else None
        if name is None or name in keep or same_value(namespace[name], source):
            continue
        if type(source) in (list, dict, set) and type(namespace[name]) is type(source) and not source:
            continue
        guess.undecided.append({'name': prefix + name, 'line': statement.lineno, 'live': show(namespace[name]),
                                'source': show(source)})
    return False


def guess(module, code, tree, signatures, keep=()):
    """Compare the live MODULE with the code and the syntax tree of its source."""
    result, root = Guess(), codes.tree(code)
    paths = {}
    for node in root.walk():
        paths.setdefault(node.path, []).append(signatures.of(node.code))
    functions = baseline.reachable(module)
    seen = set()
    for function in functions:
        name = path_of(function)
        if name in paths and signatures.of(function.__code__) not in paths[name] and name not in seen:
            result.changed.append(name)
        elif name not in paths and '.' not in name and module.dict.get(name) is function:
            result.removed.append(name)
        seen.add(name)
    runtime = assigned_by_functions(root) | set(keep)
    for statement in tree.body:
        compare_statement(result, statement, module.dict, runtime)
    named = dict(baseline.classes_of(module))
    for path in trees.classes(tree.body).values():
        kind = named.get('.'.join(one.name for one in path))
        if kind is not None:
            compare_class(result, kind, path, paths, functions)
    return result


def path_of(function):
    """The qualified name of a function's definition, which functools.wraps may have hidden."""
    return getattr(function.__code__, 'co_qualname', None) or function.__qualname__


def compare_statement(result, statement, namespace, runtime):
    what = trees.kind(statement)
    if trees.is_main_guard(statement) or what in ('Pass', 'Global'):
        return
    if what in ('Assign', 'AnnAssign'):
        if compare_constant(result, statement, namespace, runtime):
            result.statements.append(statement)
    elif what in ('FunctionDef', 'AsyncFunctionDef', 'ClassDef', 'Import', 'ImportFrom'):
        missing = [name for name in trees.bound(statement) if name not in namespace and name != '*']
        if missing:
            result.statements.append(statement)
    elif what == 'Expr' and trees.kind(statement.value) in ('Constant', 'Str'):
        pass
    else:
        missing = [name for name in trees.bound(statement) if name not in namespace]
        if what in ('If', 'Try', 'With') and missing or what not in ('If', 'Try', 'With'):
            result.warnings.append('line %d: this statement cannot be compared with what the module ran before, and was '
                                   'not run again' % statement.lineno)


def compare_class(result, kind, path, paths, functions):
    """The members of a class against its statement."""
    name, namespace = '.'.join(one.name for one in path), dict(kind.__dict__)
    statements, found = [], set()
    for statement in trees.inside(path[-1].body):
        names = trees.bound(statement)
        found.update(names)
        if trees.kind(statement) in ('Assign', 'AnnAssign') and '__slots__' not in names:
            probe = Guess()
            if compare_constant(probe, statement, namespace, ()):
                statements.append(statement)
            for one in probe.undecided:
                result.undecided.append(dict(one, name=name + '.' + one['name']))
        elif trees.kind(statement) in ('FunctionDef', 'AsyncFunctionDef', 'ClassDef'):
            if any(one not in namespace for one in map(lambda n: mangled(n, path[-1].name), names)):
                statements.append(statement)
    gone = []
    for member, value in namespace.items():
        owner = {path_of(one) for one in baseline.inner_functions(value)}
        if owner == {name + '.' + member} and member not in found and name + '.' + member not in paths and \
                any(one in functions for one in baseline.inner_functions(value)):
            gone.append(member)
    if statements or gone:
        result.members.append((path, statements, gone))


def mangled(name, owner):
    if name.startswith('__') and not name.endswith('__') and owner.strip('_'):
        return '_' + owner.lstrip('_') + name
    return name

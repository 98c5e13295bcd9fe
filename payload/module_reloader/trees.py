# SPDX-License-Identifier: MIT
"""Questions about syntax trees, without the ast module: the classes of the nodes are built in, their names suffice."""
from . import host


def kind(node):
    return type(node).__name__


def start_line(statement):
    """The first line of a statement, decorators included."""
    return min([statement.lineno] + [one.lineno for one in getattr(statement, 'decorator_list', ())])


def bodies(statement):
    """The lists of statements that stand inside STATEMENT, in the same scope."""
    if kind(statement) in ('FunctionDef', 'AsyncFunctionDef', 'ClassDef'):
        return []
    found = [getattr(statement, name) for name in ('body', 'orelse', 'finalbody') if isinstance(
        getattr(statement, name, None), list)]
    for part in list(getattr(statement, 'handlers', ())) + list(getattr(statement, 'cases', ())):
        found.append(part.body)
    return found


def inside(statements):
    """All statements of a scope, those inside of others included."""
    for statement in statements:
        yield statement
        for body in bodies(statement):
            for below in inside(body):
                yield below


def classes(statements, path=()):
    """The class statements at module level and in classes: {first line: (the statements from outermost to it)}."""
    found = {}
    for statement in inside(statements):
        if kind(statement) == 'ClassDef':
            found[start_line(statement)] = path + (statement,)
            found.update(classes(statement.body, path + (statement,)))
    return found


def at_lines(statements, lines):
    """(line, the one of STATEMENTS in which it lies) of LINES, in order; none for those above all of them."""
    starts, place = list(map(start_line, statements)), 0
    for line in sorted(lines):
        while place < len(starts) and starts[place] <= line:
            place += 1
        if place:
            yield line, statements[place - 1]


def alone(tree, statements, run):
    """What RUN gives while only STATEMENTS stand in the module TREE."""
    body, tree.body = tree.body, statements + imports(tree)
    try:
        return run()
    finally:
        tree.body = body


def imports(tree):
    """The imports of a module, out of reach: from 3.11 on, attributes of what it imports are called by other instructions."""
    if not hasattr(tree, 'imports'):
        names = {name for one in inside(tree.body) if kind(one) in ('Import', 'ImportFrom') for name in bound(one)} - {'*'}
        text = 'if 0: import ' + ', '.join(sorted(names)) if names and host.sys.version_info >= (3, 11) else ''
        tree.imports = host.compile_quietly(text, '', 'exec', host.ONLY_AST).body
    return tree.imports


def starred(statements):
    """The `from ... import *` among statements, those inside of others included."""
    return [one for one in inside(statements) if kind(one) == 'ImportFrom' and one.names[0].name == '*']


def features(statements):
    """The names that `from __future__ import` takes; nothing but a docstring stands above it."""
    found = []
    for one in statements:
        if kind(one) == 'ImportFrom' and one.module == '__future__':
            found.extend(alias.name for alias in one.names)
        elif kind(one) != 'Expr':
            break
    return found


def is_main_guard(statement):
    """Whether a statement is `if __name__ == '__main__':`."""
    test = getattr(statement, 'test', None)
    if kind(statement) != 'If' or kind(test) != 'Compare' or len(test.ops) != 1 or kind(test.ops[0]) != 'Eq':
        return False
    sides = (test.left, test.comparators[0])
    named = [kind(side) == 'Name' and side.id == '__name__' for side in sides]
    text = [side.s if kind(side) == 'Str' else getattr(side, 'value', None) for side in sides]
    return named[0] and text[1] == '__main__' or named[1] and text[0] == '__main__'


def targets(node):
    """The names that an assignment target binds."""
    if kind(node) == 'Name':
        return [node.id]
    if kind(node) in ('Tuple', 'List'):
        return [name for part in node.elts for name in targets(part)]
    return targets(node.value) if kind(node) == 'Starred' else []


def bound(statement):
    """The names that a statement binds in its scope, as far as its text says."""
    what, found = kind(statement), []
    if what in ('FunctionDef', 'AsyncFunctionDef', 'ClassDef'):
        return [statement.name]
    if what in ('Import', 'ImportFrom'):
        return [one.asname or one.name.partition('.')[0] if what == 'Import' else one.asname or one.name
                for one in statement.names]
    for name in ('targets', 'target', 'optional_vars'):
        part = getattr(statement, name, None)
        for target in part if isinstance(part, list) else [part]:
            found.extend(targets(target))
    for item in getattr(statement, 'items', ()):
        found.extend(targets(item.optional_vars))
    if what == 'TypeAlias':
        found.extend(targets(statement.name))
    for body in bodies(statement):
        for one in body:
            found.extend(bound(one))
    return found


def own(statement):
    """Those of bound() that no statement inside of STATEMENT binds."""
    names = bound(statement)
    return names[:len(names) - sum(len(bound(one)) for body in bodies(statement) for one in body)]


def without_values(statements, run):
    """What RUN gives while those of STATEMENTS of which only the annotation runs have no value."""
    kept = [(one, one.value) for one in statements if is_noted(one)]
    for one, _ in kept:
        one.value = None
    try:
        return run()
    finally:
        for one, value in kept:
            one.value = value


def stored(statement):
    """The names that a statement gives values: not those that it only annotates."""
    return [] if kind(statement) == 'AnnAssign' and (statement.value is None or is_noted(statement)) else bound(statement)


def is_noted(statement):
    """Whether only the annotation of a statement runs: see noted.py."""
    return getattr(statement, 'noted', False)


def made_from(statement):
    """The expressions that an assignment or the definition of a function evaluates when it runs."""
    what = kind(statement)
    if what not in ('FunctionDef', 'AsyncFunctionDef'):
        parts = [statement.value] if what in ('Assign', 'AnnAssign', 'AugAssign') else []
    else:
        given = statement.args
        notes = [one.annotation for one in given.args + given.kwonlyargs + getattr(given, 'posonlyargs', []) +
                 [given.vararg, given.kwarg] if one is not None]
        parts = statement.decorator_list + given.defaults + given.kw_defaults + [statement.returns] + notes
    return [one for one in parts if one is not None]


def literal(node):
    """The value of an expression of constants; ValueError for any other."""
    what = kind(node)
    if what in ('Constant', 'NameConstant', 'Bytes', 'Str', 'Num', 'Ellipsis'):
        return {'Str': lambda: node.s, 'Bytes': lambda: node.s, 'Num': lambda: node.n,
                'Ellipsis': lambda: Ellipsis}.get(what, lambda: node.value)()
    if what == 'UnaryOp' and kind(node.op) in ('USub', 'UAdd', 'Not'):
        value = literal(node.operand)
        return {'USub': lambda: -value, 'UAdd': lambda: +value, 'Not': lambda: not value}[kind(node.op)]()
    if what in ('Tuple', 'List'):
        return {'Tuple': tuple, 'List': list}[what](map(literal, node.elts))
    if what == 'Set':
        return set(map(literal, node.elts))
    if what == 'Dict' and None not in node.keys:
        return dict(zip(map(literal, node.keys), map(literal, node.values)))
    raise ValueError(what)


def text_of(statement, lines):
    """The first line of a statement as it stands in the LINES of the source."""
    line = lines[statement.lineno - 1] if len(lines) >= statement.lineno else b''
    return line.decode('utf-8', 'replace').strip()[:200]


def is_plain(statement):
    """Whether a statement can be run early, because it needs nothing of its module and calls nothing of it."""
    what = kind(statement)
    if what in ('Import', 'ImportFrom'):
        return True
    if what in ('FunctionDef', 'AsyncFunctionDef'):
        parts = statement.args.defaults + [one for one in statement.args.kw_defaults if one is not None]
        notes = [statement.returns] + [one.annotation for one in statement.args.args + statement.args.kwonlyargs]
        if statement.decorator_list or any(one is not None for one in notes):
            return False
        return all(is_literal(part) for part in parts)
    return what == 'Assign' and is_literal(statement.value) and all(kind(one) == 'Name' for one in statement.targets)


def is_literal(node):
    try:
        literal(node)
    except host.faults(ValueError, TypeError):
        return False
    return True


def mangled(name, owner):
    """What a name in the body of the class OWNER is called outside of it."""
    if name.startswith('__') and not name.endswith('__') and owner.strip('_'):
        return '_' + owner.lstrip('_') + name
    return name

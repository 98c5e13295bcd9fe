# SPDX-License-Identifier: MIT
"""What statements read of a name before they surely bind it themselves, in the order in which Python evaluates them.

Bodies of functions are not evaluated with the statement that defines them, bodies of classes are.  Where it depends on
the way that a compound statement takes, it may read what some way reads, and has bound what all ways bind.
"""
from . import codes, decorators, rebind, trees

READS, BINDS = 'reads', 'binds'
COMPREHENSIONS = ('ListComp', 'SetComp', 'DictComp', 'GeneratorExp')
FUNCTIONS = ('FunctionDef', 'AsyncFunctionDef')
TAKES = ('Assign', 'AnnAssign', 'AugAssign') + FUNCTIONS     # those that can be lent a value: see lend()
ACCESSORS = ('getter', 'setter', 'deleter', 'register')


def first(statements, name):
    """Whether STATEMENTS read NAME before they bind it: READS, BINDS, or None where neither is sure."""
    for one in statements:
        found = happens(one, name)
        if found is not None:
            return found
    return None


def happens(statement, name):
    if looks(heads(statement), name):
        return READS
    if trees.kind(statement) == 'ClassDef':
        return READS if first(statement.body, name) == READS else BINDS if name == statement.name else None
    if trees.bodies(statement):
        return compound(statement, name)
    return BINDS if name in trees.bound(statement) else None


def compound(statement, name):
    what, ways = trees.kind(statement), [first(body, name) for body in trees.bodies(statement)]
    if name in trees.own(statement):         # of a loop or with statement: bound before its body
        ways[0] = BINDS
    if what in ('Try', 'TryStar') and ways[0] == BINDS:
        ways[1] = BINDS
    if READS in ways:
        return READS
    if what in ('Try', 'TryStar'):
        sure = ways[2] == BINDS or BINDS in ways[:2] and all(ways[3:])
    else:
        sure = what == 'If' and all(ways) or what in ('With', 'AsyncWith') and bool(ways[0])
    return BINDS if sure else None


def heads(statement):
    """The expressions of a statement that are evaluated, those of statements inside of it excepted."""
    what, inner = trees.kind(statement), trees.bodies(statement)
    if what in FUNCTIONS:
        return trees.made_from(statement)
    if what in ('Assign', 'AnnAssign'):
        return trees.made_from(statement) + places(getattr(statement, 'targets', None) or [statement.target])
    if what == 'ClassDef':
        return statement.decorator_list + statement.bases + [one.value for one in statement.keywords]
    if not inner:
        return [statement]
    found = [getattr(statement, name, None) for name in ('test', 'iter', 'subject')]
    found += [one.context_expr for one in getattr(statement, 'items', ())]
    found += [one.type for one in getattr(statement, 'handlers', ())] + [one.guard for one in getattr(statement, 'cases', ())]
    return [one for one in found if one is not None]


def mentioned(statements):
    """The names in what STATEMENTS evaluate: first() finds no other to be read."""
    found = set()
    for one in trees.inside(statements):
        found.update(node.id for head in heads(one) for node in below(head) if trees.kind(node) == 'Name')
        found.update(mentioned(one.body) if trees.kind(one) == 'ClassDef' else ())
    return found


def places(targets):
    """The attributes and items among the targets of an assignment."""
    found = []
    for one in targets:
        if trees.kind(one) in ('Tuple', 'List', 'Starred'):
            found.extend(places(getattr(one, 'elts', None) or [one.value]))
        elif trees.kind(one) != 'Name':
            found.append(one)
    return found


def looks(nodes, name):
    """Whether NODES read a name of the module; one that a comprehension binds is its own."""
    return any(rebind.uses(one, {name}, (), ()) and name not in inner(one) for one in nodes)


def inner(node):
    """The names that the comprehensions in an expression bind."""
    return {name for one in below(node) if trees.kind(one) == 'comprehension' for name in trees.targets(one.target)}


def below(node):
    """NODE and all nodes in it."""
    yield node
    for field in node._fields:
        part = getattr(node, field, None)
        for one in part if isinstance(part, list) else [part]:
            if hasattr(one, '_fields'):
                for found in below(one):
                    yield found


def direct(nodes, name):
    """Whether NODES read a name nowhere in a comprehension, which looks for it elsewhere than the statement does."""
    return not any(trees.kind(one) in COMPREHENSIONS and looks([one], name) for node in nodes for one in below(node))


def accessor(statement, name):
    """Whether a definition is one more part of what has its name, as `@name.setter` says."""
    return any(trees.kind(one) == 'Attribute' and one.attr in ACCESSORS and rebind.dotted(one.value) == name
               for one in getattr(statement, 'decorator_list', ()))


def origins(statement, name):
    """What an import or an assignment of a constant binds to NAME; of any other statement itself, which is like no other."""
    what = trees.kind(statement)
    if what in ('Import', 'ImportFrom'):
        where = getattr(statement, 'module', None), getattr(statement, 'level', None)
        return {where + ((one.name if one.asname else one.name.partition('.')[0]),) for one in statement.names
                if name == (one.asname or one.name.partition('.')[0])}
    constant = constant_of(statement)
    return {statement} if constant is None else {codes.live_key(constant[0])}


def constant_of(statement):
    """[the value] that an assignment gives its names, if that is a constant that cannot change; else None."""
    targets = getattr(statement, 'targets', None) or [getattr(statement, 'target', None)]
    if trees.kind(statement) not in ('Assign', 'AnnAssign') or any(trees.kind(one) != 'Name' for one in targets) or \
            statement.value is None or not trees.is_literal(statement.value):
        return None
    value = trees.literal(statement.value)
    return None if codes.live_key(value) is None else [value]


def known(above, name, live, path, namespace):
    """[the value] that the statement ABOVE surely gave NAME, which is LIVE now; None if that cannot be said."""
    if trees.kind(above) not in FUNCTIONS or above.decorator_list or getattr(above, 'type_params', None):
        return constant_of(above)
    function = decorators.definition(live, name, namespace)
    return None if function is None or codes.path_of(function) != path else [function]


def lend(statement, nodes, above, name, live, path, namespace):
    """[the value] that STATEMENT is to find under NAME while it runs, in the place of LIVE, if it can be lent; else None."""
    fits = trees.kind(statement) in TAKES and direct(nodes, name)
    return known(above, name, live, path, namespace) if fits else None

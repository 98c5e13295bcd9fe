# SPDX-License-Identifier: MIT
"""Definitions whose header changed and whose decorators did not: what the decorators made stays, with all its state.

The statement runs without them; the function inside of what they made gets the defaults and annotations of the one that
it makes.  Whether the old statement had the same decorators is read from its instructions: they come first, and their
calls last.  Where no such function is found in what they made, they run again, and a warning says so.
"""
from . import baseline, codes, host, journal as journals, trees, units

FUNCTIONS = ('FunctionDef', 'AsyncFunctionDef')
WRAPPERS = (staticmethod, classmethod, property)


def definition(value, name, namespace):
    """The function in VALUE that a module defined under NAME, if there is one only."""
    found = {id(one): one for one in baseline.inner_functions(value) if codes.defined_as(one, name, namespace)}
    return next(iter(found.values())) if len(found) == 1 else None


def undecorated(statement, run):
    """RUN with an identity for all decorators of STATEMENT: the function begins in the line where it did."""
    kept, line = statement.decorator_list, trees.start_line(statement)
    same = host.compile_quietly('lambda f: f', '', 'eval', host.ONLY_AST).body
    todo = [same]
    while todo:
        node = todo.pop()
        if hasattr(node, 'lineno'):
            node.lineno = node.end_lineno = line
        for field in node._fields:
            part = getattr(node, field, None)
            todo.extend(one for one in (part if isinstance(part, list) else [part]) if hasattr(one, '_fields'))
    statement.decorator_list = [same]
    try:
        return run()
    finally:
        statement.decorator_list = kept


def around(tokens):
    """What a definition does before it makes its function, and after.

    How an attribute is called depends on whether its owner is imported elsewhere in the module: from 3.11 on.
    """
    tokens = [('LOAD_ATTR', one[1]) if one[0] in ('LOAD_ATTR', 'LOAD_METHOD') else one for one in tokens
              if one[0] != 'PUSH_NULL']
    made = max(number for number, one in enumerate(tokens) if one[1:2] == ('body',))
    end = made + 1
    while tokens[end][0] in units.CONSTANT or tokens[end][0] in ('MAKE_FUNCTION', 'SET_FUNCTION_ATTRIBUTE'):
        end += 1
    return tokens[:made], tokens[end:]


def bare(statement, tree, flags, signatures):
    """The instructions of a definition without defaults and annotations, in the module TREE."""
    given, body = statement.args, tree.body
    notes = [one for one in given.args + given.kwonlyargs + getattr(given, 'posonlyargs', []) + [given.vararg, given.kwarg]
             if one is not None]
    kept = given.defaults, given.kw_defaults, statement.returns, [one.annotation for one in notes]
    given.defaults, given.kw_defaults, statement.returns, tree.body = [], [None] * len(given.kwonlyargs), None, [statement]
    for one in notes:
        one.annotation = None
    try:
        code = host.compile_quietly(tree, '', 'exec', flags)
    finally:
        given.defaults, given.kw_defaults, statement.returns, notes_kept = kept
        tree.body = body
        for one, note in zip(notes, notes_kept):
            one.annotation = note
    return [one for unit in units.units_of(code, signatures) for one in unit.tokens if one[0] != 'SETUP_ANNOTATIONS']


def same(old, statement, plan, signatures):
    """Whether the unit that made what STATEMENT makes, if only one is in OLD, had the same decorators."""
    if len(old) != 1 or getattr(statement, 'type_params', None):
        return False
    examined = plan.examined
    before, after = around(bare(statement, examined.tree, examined.code.co_flags & host.FUTURE_FLAGS, signatures))
    if not any(one[1:3] == ('body', statement.name) for one in old[0].tokens):
        return False
    first, last = around(old[0].tokens)
    return first[:len(before)] == before and last[:len(after)] == after


def stay(plan, statements, body, gone, there, signatures, prefix=''):
    """Those of STATEMENTS in BODY that run without their decorators; THERE holds what they made, GONE are the old units."""
    found, binding, units_of = [], {}, {}
    for statement in body:
        for name in set(trees.bound(statement)):
            binding[name] = binding.get(name, 0) + 1
    for unit in gone:
        for name in set(unit.names()):
            units_of.setdefault(name, []).append(unit)
    for one in statements:
        name, live = getattr(one, 'name', None), there.get(getattr(one, 'name', None))
        if trees.kind(one) not in FUNCTIONS or not one.decorator_list or live is None or binding[name] != 1 or \
                not same(units_of.get(name, ()), one, plan, signatures):
            continue
        inner = definition(live, name, plan.module.dict)
        if inner is not None and fits(inner, plan.nodes(prefix + name)):
            found.append(one)
        elif inner is None and not host.among(type(live), WRAPPERS):
            plan.warnings.append('%s was decorated again: what its old wrapper kept in variables of its own starts anew'
                                 % (prefix + name))
    return found


def fits(function, nodes):
    """Whether the new code in NODES, if there is one only, can be given to FUNCTION."""
    return len(nodes) == 1 and codes.same_variables(function.__code__, nodes[0].code)


def put(statements):
    """The attributes that STATEMENTS, and those of classes among them, put on anything."""
    found = set()
    for one in trees.inside(statements):
        found.update(target.attr for target in getattr(one, 'targets', ()) if trees.kind(target) == 'Attribute')
        found.update(put(one.body) if trees.kind(one) == 'ClassDef' else ())
    return found


def gone(plan, path, old, new, journal):
    """Decorators are gone from the function OLD, which becomes NEW: what they told about it goes, other marks are named."""
    if type(old) is not host.FunctionType or type(new) is not host.FunctionType:
        return
    source = remain(plan, path, old, new.__dict__)
    for name in ('__name__', '__qualname__', '__module__'):
        if getattr(old, name) != getattr(new, name) and name not in source:
            journal.set('function', old, name, getattr(new, name))
    for name in old.__dict__:
        if is_special(name) and name not in new.__dict__ and name not in source:
            journal.set('item', old.__dict__, name, journals.ABSENT)


def is_special(name):
    return type(name) is str and name[:2] == '__' == name[-2:]


def remain(plan, path, old, new):
    """Name the attributes of the function OLD that are not in NEW; those that the source puts on anything after it was made."""
    if 'put' not in plan.known:
        plan.known['put'] = put(plan.examined.tree.body)
    source = plan.known['put']
    left = sorted(str(name) for name in old.__dict__ if name not in new and name not in source and not is_special(name))
    text = '%s: left alone, set by the program or by a decorator that is gone: %s' % (path, ', '.join(left))
    if left and text not in plan.warnings:
        plan.warnings.append(text)
    return source


def foresee(plan, statements, there, called, prefix=''):
    """The same before STATEMENTS run: those without a decorator make functions without any attributes."""
    for one in statements:
        live = there.get(getattr(one, 'name', None))
        if trees.kind(one) in FUNCTIONS and not one.decorator_list and type(live) is host.FunctionType and \
                (called is None or one.name in called) and codes.defined_as(live, one.name, plan.module.dict):
            remain(plan, prefix + one.name, live, ())


# --- without a baseline

def part(statement, live, namespace):
    """The function in what stands under the name of a decorated definition that the statement itself made, or None."""
    return definition(role(statement, live) if type(live) is property else live, statement.name, namespace)


def role(statement, live):
    """What a property has in the place of a definition: getter, setter or deleter."""
    given = statement.decorator_list[0]
    return getattr(live, {'setter': 'fset', 'deleter': 'fdel'}.get(getattr(given, 'attr', None), 'fget'))


def sure(statement, live, namespace):
    """Whether LIVE is surely what the decorators of a definition make: each one is a name, and what it made shows it."""
    for one in statement.decorator_list:
        name, leads = getattr(one, 'id', None), resolved(one, namespace)
        if type(live) is property and (name == 'property' or getattr(one, 'attr', None) in ('setter', 'deleter', 'getter')):
            return len(statement.decorator_list) == 1
        if host.among(type(live), (staticmethod, classmethod)):
            if name != type(live).__name__:
                return False
            live = live.__func__
        elif type(live).__name__ == '_lru_cache_wrapper' and type(live).__module__ == 'functools':
            if not same_cache(one, live, namespace):
                return False
            live = live.__wrapped__
        elif type(live) is not host.FunctionType:
            return False
        elif getattr(one, 'attr', name) == 'abstractmethod':
            if live.__dict__.get('__isabstractmethod__') is not True:
                return False
        elif type(leads) is host.FunctionType and live.__code__ in codes.children(leads.__code__):
            below = [cell.cell_contents for cell in live.__closure__ or () if filled(cell)]
            below = [value for value in below if host.among(type(value), WRAPPERS + (host.FunctionType,))]
            live = below[0] if len(below) == 1 else None
        else:
            return False
    return codes.defined_as(live, statement.name, namespace)


def marks(statement, live, namespace):
    """Whether `@abstractmethod` surely came: what it leaves alone is not marked."""
    library, given = host.sys.modules.get('abc'), statement.decorator_list
    return type(live) is host.FunctionType and len(given) == 1 and library is not None and \
        resolved(given[0], namespace) is library.abstractmethod and '__isabstractmethod__' not in live.__dict__


def same_cache(node, live, namespace):
    """Whether a decorator of functools is sure to make a cache of the size that LIVE has."""
    functools, call = host.sys.modules['functools'], trees.kind(node) == 'Call'
    kind = resolved(node.func if call else node, namespace)
    given = (node.args + [one.value for one in node.keywords if one.arg == 'maxsize']) if call else []
    if kind is not functools.lru_cache or call and len(given) != len(node.args + node.keywords):
        return kind is not None and kind is getattr(functools, 'cache', None)
    size = live.cache_info()[2]
    return trees.is_literal(given[0]) and trees.literal(given[0]) == size if given else size == 128


def filled(cell):
    try:
        return cell.cell_contents is not cell
    except host.faults(ValueError):
        return False


def resolved(node, scope):
    """What a name, or an attribute of a module, leads to."""
    if trees.kind(node) == 'Name':
        return scope.get(node.id)
    owner = scope.get(node.value.id) if trees.kind(node) == 'Attribute' and trees.kind(node.value) == 'Name' else None
    return owner.__dict__.get(node.attr) if type(owner) is host.ModuleType else None

# SPDX-License-Identifier: MIT
"""What changed in a module of which nobody kept the source: the live objects are compared with the new source.

Functions and methods are compared by qualified name; definitions, imports and names that the module lacks are added.
A constant whose live value differs from what the source says is undecided: the source may have changed, or the
program the value.  It is the program's when a function of the module assigns that name, and a container may have been
filled since.  Other statements leave no trace that could be compared: they are not run, and a warning names them.
"""
from . import baseline, codes, decorators, fields, host, order, shadow, trees, units

SLOT = type(host.FunctionType.__globals__)


class Guess:
    def __init__(self):
        self.changed, self.removed, self.statements, self.undecided, self.warnings = [], [], [], [], []
        self.refused, self.moved = [], False
        self.documents = False               # whether the module itself sets docstrings
        self.unsure = []                     # names of definitions whose decorators cannot be compared
        self.undecorated = []                # of all statements, those whose decorators do not run again
        self.members = []                    # (path of the class statements, statements to run, names to remove, more)
        self.put = set()                     # the attributes that the source puts on anything after it was made
        self.signatures, self.annotates = None, {}  # of the code that makes annotations, by the name of the function


def stored(code, kinds):
    """The names of the instructions of KINDS in a code object; all its names where the instructions cannot be read."""
    table, raw, extended, found = units.names_of_instructions(), code.co_code, 0, set()
    if table is None:
        return set(code.co_names)
    for offset in range(0, len(raw), 2):
        name, arg = table.get(raw[offset]), raw[offset + 1] | extended
        extended = arg << 8 if name == 'EXTENDED_ARG' else 0
        if name in kinds:
            found.add(code.co_names[arg])
    return found


def assigned_by_functions(root):
    """The names that functions of the module declare global and assign."""
    return {name for node in root.walk() for name in stored(node.code, ('STORE_GLOBAL', 'DELETE_GLOBAL'))}


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
            {codes.constant_key(one) for one in live if codes.live_key(one) is not None}
    return codes.constant_key(live) == codes.constant_key(value)


def is_plain(value, depth=0):
    """Whether repr() of VALUE runs no code of the program."""
    if host.among(type(value), (tuple, list, set, frozenset, dict)):
        parts = list(value) + (list(value.values()) if type(value) is dict else [])
        return depth < 4 and len(parts) < 100 and all(is_plain(part, depth + 1) for part in parts)
    return codes.live_key(value) is not None


def show(value):
    text = repr(value) if is_plain(value) else '<%s>' % type(value).__name__
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
    if trees.kind(value) == 'Name' and value.id in namespace and len(names) == 1:
        if namespace[names[0]] is not namespace[value.id] and names[0] not in keep:
            guess.undecided.append({'name': prefix + names[0], 'line': statement.lineno,
                                    'live': show(namespace[names[0]]), 'source': value.id})
        return False
    if trees.kind(value) == 'Lambda' and len(names) == 1 and is_lambda(namespace[names[0]]):
        return other_defaults(value.args, namespace[names[0]], statement, guess)
    try:
        source = trees.literal(value)
    except host.faults(ValueError, TypeError):
        source = host
    if source is host or type(namespace[names[0]]) is SLOT:  # what a field is given, a decorator that makes slots has taken
        guess.warnings.append('line %d: %s cannot be compared with what the module ran before, and was not run again'
                              % (statement.lineno, ', '.join(names)))
        return False
    for target in getattr(statement, 'targets', [getattr(statement, 'target', None)]):
        for name, part in shared_out(target, source):
            if name in keep or same_value(namespace[name], part):
                continue
            if type(part) in (list, dict, set) and type(namespace[name]) is type(part) and not part:
                continue
            guess.undecided.append({'name': prefix + name, 'line': statement.lineno, 'live': show(namespace[name]),
                                    'source': show(part)})
    return False


def shared_out(target, value):
    """What an assignment of VALUE gives to the names of its target: [(name, value)]."""
    if trees.kind(target) == 'Name':
        return [(target.id, value)]
    places, kinds = list(getattr(target, 'elts', ())), list(map(trees.kind, getattr(target, 'elts', ())))
    value = list(value) if type(value) in (tuple, list, str, bytes) else []
    if 'Starred' in kinds:
        first, more = kinds.index('Starred'), len(value) - len(places) + 1
        places[first], value[first:first + more] = places[first].value, [value[first:first + more]]
    return [found for one, part in zip(places, value) for found in shared_out(one, part)]


def annotations_of(parent, signatures):
    """The code that makes the annotations of the functions in PARENT, by their paths: right before each (3.14 on)."""
    return {node.path: signatures.of(before.code) for before, node in zip(parent.nodes, parent.nodes[1:])
            if before.code.co_name == '__annotate__' != node.code.co_name and not codes.is_class_body(node.code)}


def guess(module, code, tree, signatures, keep=()):
    """Compare the live MODULE with the code and the syntax tree of its source."""
    result, root = Guess(), codes.tree(code)
    paths = {}
    for node in root.walk():
        paths.setdefault(node.path, []).append(signatures.of(node.code))
        result.annotates.update(annotations_of(node, signatures))
    result.annotates.update(annotations_of(root, signatures))
    result.signatures, result.put = signatures, decorators.put(tree.body)
    functions, bound = baseline.reachable(module), stored(code, ('STORE_NAME', 'STORE_GLOBAL'))
    places = {(signatures.of(node.code), node.code.co_firstlineno) for node in root.walk()}
    for function in functions:
        name, mine = codes.path_of(function), signatures.of(function.__code__)
        if name in paths and mine not in paths[name] and name not in result.changed:
            result.changed.append(name)
        elif name not in paths and '.' not in name and module.dict.get(name) is function and name not in bound:
            result.removed.append(name)
        result.moved = result.moved or (mine, function.__code__.co_firstlineno) not in places
    result.documents = any('__doc__' in stored(one, ('STORE_ATTR',)) for one in [code] + [node.code for node in root.walk()]
                           if '__doc__' in one.co_names)
    runtime = assigned_by_functions(root) | set(keep)
    deleted = [name for one in trees.inside(tree.body) if trees.kind(one) == 'Delete' for name in trees.bound(one)]
    last = {name: number for number, one in enumerate(tree.body) for name in shadow.names_of(module, one)}
    for number, statement in enumerate(tree.body):
        if not set(trees.bound(statement)) & set(deleted) - set(module.dict):
            if last.get(getattr(statement, 'name', None)) == number and another(result, statement, module.dict, paths, ''):
                result.statements.append(statement)
                continue
            again = {name for name in trees.bound(statement) if last[name] > number}  # what is live is a later one's
            compare_statement(result, statement, module.dict, runtime | again)
    compare_decorators(result, module, tree, root)
    named = dict(baseline.classes_of(module))
    statements, bodies = {'.'.join(one.name for one in path): path for path in trees.classes(tree.body).values()}, {}
    for node in root.walk():
        if codes.is_class_body(node.code):
            bodies.setdefault(node.path, []).append(node)
    for name, kind in named.items():
        if name in statements:
            nodes = bodies.get(name, [])
            line = host.class_dict(kind).get('__firstlineno__')          # from 3.13 on
            result.moved = result.moved or type(line) is int and len(nodes) == 1 and line != nodes[0].code.co_firstlineno
            compare_class(result, kind, statements[name], paths, functions, module.dict, nodes)
        elif '.' not in name and name not in bound:
            result.removed.append(name)
    left_over(result, module, bound, tree, runtime, named)
    if result.unsure:
        result.warnings.append('decorators that cannot be compared with what the module ran before, and were not run again: '
                               'those of ' + ', '.join(result.unsure))
    return result


def another(result, statement, there, paths, prefix):
    """Whether of several definitions with one name the live function is surely not the last, which STATEMENT is."""
    known, live = paths.get(prefix + statement.name, ()), there.get(statement.name)
    return trees.kind(statement) in ('FunctionDef', 'AsyncFunctionDef') and not statement.decorator_list and len(known) > 1 and \
        type(live) is host.FunctionType and live.__code__.co_name == statement.name and \
        result.signatures.of(live.__code__) in known[:-1] and result.signatures.of(live.__code__) != known[-1]


def left_over(result, module, bound, tree, runtime, classes):
    """Names that the source does not bind: who bound them cannot be known."""
    starred = {}
    for statement in tree.body:
        for name in trees.bound(statement):
            starred.pop(name, None)
        for there in trees.starred([statement]):
            starred.update(order.starred(module.dict, there.level, there.module))
    for name in sorted(set(starred) & set(module.dict) - runtime):
        if module.dict[name] is not starred[name]:
            result.warnings.append('%s is not what the star import gives: it is left alone' % name)
    for name, value in sorted(module.dict.items(), key=lambda item: str(item[0])):
        if type(name) is str and not name.startswith('__') and name not in bound and name not in runtime and \
                name not in result.removed and name not in classes and name not in starred and \
                value is not host.sys.modules.get('%s.%s' % (module.dict.get('__name__'), name)):
            result.warnings.append('%s is not bound by the source; the program may have set it, or the source have lost '
                                   'it: it is left alone' % name)


def compare_statement(result, statement, namespace, runtime):
    what = trees.kind(statement)
    if trees.is_main_guard(statement) or what in ('Pass', 'Global', 'Delete'):
        left = [one.id for one in getattr(statement, 'targets', ()) if getattr(one, 'id', None) in namespace]
        if left and what == 'Delete':
            result.warnings.append('line %d: %s may be there still: it was not run again' % (statement.lineno, ', '.join(left)))
        return
    names = trees.bound(statement)
    missing = [name for name in names if name not in namespace and name != '*']
    if what in ('Assign', 'AnnAssign'):
        if compare_constant(result, statement, namespace, runtime) or not_annotated(result, statement, namespace):
            result.statements.append(statement)
    elif what in ('FunctionDef', 'AsyncFunctionDef'):
        if missing or other_header(statement, namespace[statement.name], namespace, result):
            result.statements.append(statement)
    elif what in ('ClassDef', 'Import', 'ImportFrom'):
        if missing or what == 'ClassDef' and type(namespace[statement.name]) is host.FunctionType and \
                not statement.decorator_list:
            result.statements.append(statement)
        elif what == 'ClassDef' and not statement.decorator_list and not host.is_class(namespace[statement.name]):
            result.undecided.append({'name': statement.name, 'line': statement.lineno, 'source': 'a class',
                                     'live': show(namespace[statement.name])})
        elif what == 'ImportFrom' and trees.starred([statement]):
            compare_star(result, statement, namespace, runtime)
        elif what == 'ImportFrom':
            compare_import(result, statement, namespace, runtime)
        elif what == 'Import':
            compare_modules(result, statement, namespace, runtime)
    elif what == 'Expr' and trees.kind(statement.value) in ('Constant', 'Str'):
        pass
    elif not only_definitions(statement) or names and len(missing) == len(names) and not for_checkers(statement):
        result.warnings.append('line %d: this statement cannot be compared with what the module ran before, and was not '
                               'run again' % statement.lineno)


def not_annotated(result, statement, namespace):
    """Whether a name that a statement only annotates lacks its annotation; from 3.14 on, what makes them tells."""
    if trees.stored(statement) or not trees.bound(statement):
        return False
    if host.sys.version_info >= (3, 14):
        return '__annotate__' in result.changed or '__annotate__' not in namespace
    return not any(name in (namespace.get('__annotations__') or ()) for name in trees.bound(statement))


def only_definitions(statement):
    """Whether a compound statement holds only definitions and imports, and does nothing more if it holds none."""
    kinds = ('FunctionDef', 'AsyncFunctionDef', 'ClassDef', 'Import', 'ImportFrom', 'Pass', 'Raise')
    loop = trees.kind(statement) in ('For', 'AsyncFor', 'While')
    return not loop and bool(trees.bodies(statement)) and all(trees.kind(one) in kinds or only_definitions(one)
                                                 for body in trees.bodies(statement) for one in body)


def for_checkers(statement):
    """Whether a statement is `if TYPE_CHECKING:`, which never runs."""
    test = getattr(statement, 'test', None)
    return 'TYPE_CHECKING' in (getattr(test, 'id', None), getattr(test, 'attr', None))


def other_header(statement, live, namespace, result, prefix=''):
    """Whether a live function surely has other defaults than its statement says, or is no function."""
    made = live
    if statement.decorator_list:
        if decorators.marks(statement, live, namespace) or type(live) is property and decorators.role(statement, live) is None:
            return True
        if not decorators.sure(statement, live, namespace):
            result.unsure.append(prefix + statement.name)
        live = decorators.part(statement, live, namespace)
    elif host.is_class(live) and host.class_dict(live).get('__module__') == namespace.get('__name__'):
        return True
    if type(live) is not host.FunctionType or live.__globals__ is not namespace or live.__code__.co_name != statement.name:
        return False
    left = sorted(name for name in live.__dict__ if name not in result.put) if not statement.decorator_list else ()
    if '__isabstractmethod__' in left:
        return True
    if left:
        result.warnings.append('%s is not set by the source: the program may have set it, or a decorator that is gone: it is left '
                               'alone' % ', '.join('%s%s.%s' % (prefix, statement.name, name) for name in left))
    other = other_defaults(statement.args, live, statement, result) or other_annotations(statement, live, namespace, result)
    if other and decorators.definition(made, statement.name, namespace) and statement.decorator_list and \
            not getattr(statement, 'type_params', None):
        result.undecorated.append(statement)
    return other


def is_lambda(live):
    return type(live) is host.FunctionType and live.__code__.co_name == '<lambda>'


def other_defaults(args, live, statement, result):
    """Whether a live function surely has other defaults than its source says."""
    try:
        defaults = tuple(map(trees.literal, args.defaults))
    except host.faults(ValueError, TypeError):
        defaults = None
        result.warnings.append('line %d: the defaults of %s cannot be compared with what the module ran before'
                               % (statement.lineno, ', '.join(trees.bound(statement))))
    if defaults is not None and not same_value(live.__defaults__ or (), defaults):
        return True
    if len(live.__kwdefaults__ or ()) != sum(value is not None for value in args.kw_defaults):
        return True
    return any(value is not None and trees.is_literal(value) and
               not same_value((live.__kwdefaults__ or {}).get(argument.arg, live), trees.literal(value))
               for argument, value in zip(args.kwonlyargs, args.kw_defaults))


def other_annotations(statement, live, namespace, result):
    """Whether an annotation that is a plain name leads elsewhere; from 3.14 on, whether the function that makes them differs."""
    maker, known = getattr(live, '__annotate__', None), result.annotates.get(live.__qualname__)
    if maker is not None:
        return type(maker) is host.FunctionType and known != result.signatures.of(maker.__code__)
    if type(live.__annotations__) is not dict or hasattr(live, '__annotate__') and not live.__annotations__:
        return known is not None
    args, builtins = statement.args, host.builtin('builtins').__dict__
    notes = [(one.arg, one.annotation) for one in getattr(args, 'posonlyargs', []) + args.args + args.kwonlyargs +
             [args.vararg, args.kwarg] if one] + [('return', statement.returns)]
    if len(live.__annotations__) != sum(note is not None for _, note in notes):
        return True
    for name, note in notes:
        if trees.kind(note) == 'Name':
            now = live.__annotations__.get(name)     # a text, if annotations are a future feature
            if now is not namespace.get(note.id, builtins.get(note.id)) and not (type(now) is str and now == note.id):
                return True
    return False


def compare_decorators(result, module, tree, root):
    """A function that is not what its definition makes now: a decorator may have come or gone."""
    news, bound = {}, [name for one in trees.inside(tree.body) for name in trees.bound(one)]
    for node in root.nodes:
        news[node.path] = node.code
    for statement in tree.body:
        name = getattr(statement, 'name', None)
        live = module.dict.get(name)
        if trees.kind(statement) not in ('FunctionDef', 'AsyncFunctionDef') or live is None or bound.count(name) != 1:
            continue
        plain = type(live) is host.FunctionType and live.__globals__ is module.dict and live.__code__.co_name == name
        if not statement.decorator_list and not plain and not host.is_class(live):
            result.warnings.append('line %d: %s is not the function that the source defines: a decorator has left it, or '
                                   'the program replaced it; --reinit %s takes the source' % (statement.lineno, name, name))
        elif statement.decorator_list and plain and name in news and above(live.__code__) != above(news[name]):
            result.warnings.append('line %d: the decorators of %s may have changed, and were not run again; --reinit %s '
                                   'runs them' % (statement.lineno, name, name))


def above(code):
    """How many lines stand above the first one of a function's body, decorators included."""
    for one in units.instructions(code) or ():
        if one.name not in units.LINE_MARKS and one.line is not None:
            return one.line - code.co_firstlineno
    return None


def compare_import(result, statement, namespace, runtime):
    """`from x import y`: the name holds what x.y is, if it is the same import that the module ran."""
    package = namespace.get('__package__')
    name = order.origin(statement, package if isinstance(package, str) else '')
    there = host.sys.modules.get(name)
    other = baseline.scope.DICT.__get__(there) if issubclass(type(there), host.ModuleType) else {}
    for one in statement.names:
        local = one.asname or one.name
        if local in namespace and codes.defined_as(namespace[local], local, namespace):
            result.statements.append(statement)      # what it defined itself so far
            return
        if one.name in other and local in namespace and namespace[local] is not other[one.name] and local not in runtime:
            result.undecided.append({'name': local, 'line': statement.lineno, 'live': show(namespace[local]),
                                     'source': '%s.%s, another object' % (name, one.name)})


def compare_modules(result, statement, namespace, runtime):
    """`import x.y as z`: the name holds the module, if it is the same import that the module ran."""
    for one in statement.names:
        name, local = (one.name, one.asname) if one.asname else [one.name.partition('.')[0]] * 2
        there = host.sys.modules.get(name)
        if there is not None and namespace[local] is not there and local not in runtime:
            result.undecided.append({'name': local, 'line': statement.lineno, 'live': show(namespace[local]), 'source': name})


def compare_star(result, statement, namespace, runtime):
    """`from x import *`: it is run if the module lacks something of it."""
    if set(order.starred(namespace, statement.level, statement.module)) - set(namespace) - runtime:
        result.statements.append(statement)


def compare_bases(result, kind, path, scope, name):
    """A class with other bases is run again; one that stands in a class cannot be."""
    statement, names = path[-1], dict(host.builtin('builtins').__dict__, **scope)
    bases = [decorators.resolved(base, names) for base in statement.bases]
    if any(one is kind for one in bases):    # `class K(K)`
        return
    there = kind.__bases__
    other = [id(one) for one in bases or [object]] != [id(one) for one in there] if all(map(host.is_class, bases)) else \
        there == (object,) and not any(trees.kind(base) == 'Call' for base in statement.bases)      # a call may give none
    if other and not statement.decorator_list:
        if len(path) > 1:
            result.refused.append({'name': name, 'reason': 'the bases of a class in a class changed'})
        else:
            result.statements.append(path[0])


def compare_class(result, kind, path, paths, functions, scope, nodes):
    """The members of a class against its statement."""
    name, namespace = '.'.join(one.name for one in path), dict(host.class_dict(kind))
    statements, found, statement = [], set(), path[-1]
    compare_bases(result, kind, path, scope, name)
    members = namespace.get('_member_map_', {}) if type(kind).__module__ == 'enum' else {}
    namespace.update((member, value._value_) for member, value in members.items())
    fixed = list(members) + ['__slots__']    # the program cannot have given these other values
    if statement.decorator_list and not fields.sure(statement, scope):
        result.unsure.append(name)
    given = fields.defaults(kind)
    namespace.update(given)
    fixed.extend(given)
    if issubclass(kind, tuple) and type(namespace.get('_field_defaults')) is dict:
        fixed.extend(namespace['_fields'] + ('_fields',))
    come, lost, built = fields.differ(kind, statement, nodes[0] if len(nodes) == 1 else None, scope, result.signatures)
    for statement in trees.inside(path[-1].body):
        names = trees.bound(statement)
        found.update(trees.stored(statement))
        if trees.kind(statement) in ('Assign', 'AnnAssign'):
            probe = Guess()
            if compare_constant(probe, statement, namespace, ()) or any(one['name'] in fixed for one in probe.undecided) or \
                    '_fields' in fixed[len(members):] and not set(names) <= set(namespace):
                statements.append(statement)
                probe.undecided = []
            for one in probe.undecided:
                result.undecided.append(dict(one, name=name + '.' + one['name'], owner=path, statement=statement))
            result.warnings.extend(probe.warnings)
        elif trees.kind(statement) in ('FunctionDef', 'AsyncFunctionDef', 'ClassDef'):
            one = trees.mangled(statement.name, path[-1].name)
            later = [its for its in path[-1].body if statement.name in trees.bound(its)][-1:] == [statement]
            if later and another(result, statement, namespace, paths, name + '.') or one not in namespace or \
                    other_kind(statement, namespace[one], name) or trees.kind(statement) != 'ClassDef' and \
                    other_header(statement, namespace[one], scope, result, name + '.'):
                statements.append(statement)
        if trees.kind(statement) == 'AnnAssign' and statement not in statements and {
                trees.mangled(one, path[-1].name) for one in names} & set(come):
            statements.append(statement)
    gone = other_docstring(result, kind, path[-1], name, statements)
    order = [name for one in path[-1].body for name in trees.stored(one) if name in members]
    built = built or order != [name for name in members if name in order]
    built = fields.look_at_all(kind, path[-1]) and bool(built or come or lost)
    gone += [member for member in members if member not in found]
    gone += [name for name in given if name not in found and name in host.class_dict(kind) and
             same_value(host.class_dict(kind)[name], given[name])]
    for member, value in namespace.items():
        owner = {codes.path_of(one) for one in baseline.inner_functions(value)}
        if owner == {name + '.' + member} and member not in found and name + '.' + member not in paths and \
                any(one in functions for one in baseline.inner_functions(value)):
            gone.append(member)
    bound = {trees.mangled(one, path[-1].name) for one in found} | set(gone) | set(namespace.get('_fields', ()))
    if type(kind) is type and not path[-1].decorator_list:
        result.warnings.extend('%s.%s is not bound by the source: it is left alone' % (name, member)
                               for member, value in sorted(namespace.items()) if member not in bound and
                               not member.startswith('__') and type(value) is not SLOT)
    if statements or gone or built or lost:
        result.members.append((path, shadow.with_later(path[-1].body, statements), gone, (built, lost)))


def lines_of(text):
    """The lines of a docstring without their indentation, which compilers from 3.13 on take off."""
    return [line.strip() for line in text.strip().split('\n')] if type(text) is str else text


def other_docstring(result, kind, statement, name, statements):
    """Compare the docstring of a class; [its name] if it left the source."""
    first, live = statement.body[0], host.class_dict(kind).get('__doc__')
    source = trees.literal(first.value) if trees.kind(first) == 'Expr' and trees.is_literal(first.value) else None
    source = source if type(source) is str else None
    if lines_of(source) == lines_of(live) or host.sys.flags.optimize > 1:
        return []
    if type(kind) is type and not statement.decorator_list and not issubclass(kind, tuple) and not result.documents and \
            (live is None or type(live) is str):
        statements.extend([first] if source is not None else [])
        return [] if source is not None else ['__doc__']
    if source is not None:                   # without one in the source, a decorator or metaclass may have made it
        result.warnings.append('the docstring of %s is not what the source says, and is left alone' % name)
    return []


def other_kind(statement, live, owner):
    """Whether a member of the class OWNER is surely wrapped otherwise than its statement says, or was a lambda."""
    if is_lambda(live) and live.__qualname__ == owner + '.<lambda>' and not statement.decorator_list:
        return True
    if live is None and statement.name == '__hash__':    # of a class that only had an __eq__
        return True
    decorators = [one.id if trees.kind(one) == 'Name' else '?' for one in statement.decorator_list]
    known = {host.FunctionType: [], staticmethod: ['staticmethod'], classmethod: ['classmethod'],
             property: ['property']}.get(type(live))
    return trees.kind(statement) != 'ClassDef' and known is not None and '?' not in decorators and \
        set(decorators) <= {'staticmethod', 'classmethod', 'property'} and known != decorators and \
        statement.name not in ('__new__', '__init_subclass__', '__class_getitem__')

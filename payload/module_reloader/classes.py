# SPDX-License-Identifier: MIT
"""Class statements that changed: the class object is kept, its attributes are moved.

Only the members whose statements changed are made again: a class body that holds nothing else is compiled, in the
place of the class in the source (so that names are mangled, and lines and qualified names are right), and run in a
namespace filled from the live class.  Methods that use `super()` get a cell that holds the live class.  Where more
changed than members, or something looks at all of the class when it is built (decorators, a metaclass of the standard
library), remake.py has the rules.  A metaclass of the program's own that builds classes is not asked to do it again.
"""
from . import baseline, codes, host, journal as journals, patch, trees, units

OWN = ('__module__', '__qualname__', '__dict__', '__weakref__', '__classcell__', '__class__', '__firstlineno__',
       '__static_attributes__', '__classdictcell__', '__classdict__', '__conditional_annotations__', '__annotations_cache__')
KINDS = {'staticmethod': staticmethod, 'classmethod': classmethod}
IMPLICIT = '__new__', '__init_subclass__', '__class_getitem__'  # these are of one kind whatever they are defined as


class Change:
    """What is to be done to one class: run STATEMENTS of its body, remove names; header: its own statement changed."""

    def __init__(self, name, kind, path, statements, removed):
        self.name, self.kind, self.path, self.statements, self.removed = name, kind, path, statements, removed
        self.names = [name for one in statements for name in trees.bound(one)]
        self.staged, self.header, self.whole = {}, False, bool(path and path[-1].decorator_list)
        self.undecorated = []                # of the statements, those whose decorators do not run again
        self.unannotated = ()                # names that had an annotation, and stand in the body without one
        self.lent, self.rebound = {}, None   # values that the statements are to find; names that they bound before, if known
        self.called = None                   # names whose old statements called something, if known


def builds(meta):
    """Whether a metaclass of the program's takes part in building its classes; its __call__ only makes their instances."""
    return any('__call__' in one.__dict__ for one in type(meta).__mro__ if one is not type) or any(
        '__new__' in one.__dict__ or '__init__' in one.__dict__ or '__prepare__' in one.__dict__ for one in meta.__mro__
        if one is not type and one is not object and (one.__module__, one.__name__) != ('abc', 'ABCMeta'))


def refusal(change):
    """Why the change cannot be made, or None; sets change.whole where the class has to be built again."""
    members, meta = host.class_dict(change.kind), type(change.kind)
    functions = all(trees.kind(one) in ('FunctionDef', 'AsyncFunctionDef') for one in change.statements) and \
        all(type(members.get(name)) is host.FunctionType for name in change.removed)
    named_tuple = '_fields' in members and issubclass(change.kind, tuple)
    if named_tuple or change.header and '__dataclass_fields__' in members or \
            '__slots__' in change.names or '__slots__' in change.removed:
        change.whole = True
    if meta.__module__ == 'enum':
        change.whole = not functions or change.header or bool(change.removed)
    elif meta.__module__ == 'typing':
        change.whole = change.whole or change.header or members.get('_is_protocol') is not False
    elif builds(meta) and (change.header or change.whole or not functions):
        return 'its metaclass %s builds the class from its attributes, which cannot be repeated' % meta.__name__
    return None


def bound_alike(plan):
    """A method that was bound gets no code that takes another first argument."""
    reasons = {}
    for change in plan.classes:
        for one in change.statements:
            kind = kind_of(one)
            live = host.class_dict(change.kind).get(trees.mangled(one.name, change.path[-1].name)) if kind else None
            if kind and binds_otherwise(type(live), kind):
                reasons[id(getattr(live, '__func__', live))] = 'it is a %s now: who took it from an object or class before goes on ' \
                    'with the old definition' % (kind.__name__ if kind is not host.FunctionType else 'plain method')
    for one in [one for one in plan.patches if id(one.function) in reasons]:
        plan.patches.remove(one)
        plan.stuck.append(patch.Patch(one.function, None, one.path, True, None, reasons[id(one.function)]))


def kind_of(statement):
    """What a definition in a class makes: a function, staticmethod or classmethod; None if that is not plain to see."""
    if trees.kind(statement) not in ('FunctionDef', 'AsyncFunctionDef') or statement.name in IMPLICIT:
        return None
    made = [KINDS.get(getattr(one, 'id', None)) for one in statement.decorator_list]
    return made[0] if len(made) == 1 else None if made else host.FunctionType


def binds_otherwise(old, new):
    """Whether what was bound by the kind OLD would pass another first argument than the kind NEW does; a staticmethod passes none."""
    kinds = (host.FunctionType, staticmethod, classmethod)
    return host.among(old, kinds) and host.among(new, kinds) and old is not new and (old, new) != (staticmethod, host.FunctionType)


def live_bodies(old_root, named):
    """The bodies of classes in a module's old code, of several with one name the one that the live class came from."""
    found = {}
    for node in old_root.walk():
        if codes.is_class_body(node.code) and '<locals>' not in node.path:
            found.setdefault(node.path, []).append(node)
    for path, nodes in found.items():
        if len(nodes) > 1 and path in named:
            members = list(host.class_dict(named[path]).values())
            lines = {one.__code__.co_firstlineno for value in members for one in baseline.inner_functions(value)}
            nodes = [node for node in nodes if lines & {one.co_firstlineno for one in codes.children(node.code)}] or nodes
        yield nodes[-1]


def changes(plan, old_root, new_root, signatures):
    """([Change], [refusal entries]) for the classes of a module whose old code is known."""
    found, refused, module, tree = [], [], plan.module, plan.examined.tree
    statements = trees.classes(tree.body)
    named = dict(baseline.classes_of(module))
    for node in live_bodies(old_root, named):
        new = node.partner
        if new is None and any(one.path == node.path and codes.is_class_body(one.code) for one in new_root.walk()):
            refused.append({'name': node.path, 'reason': 'another class statement has this name now'})
        if new is None:
            continue
        if signatures.of(node.code) == signatures.of(new.code):
            continue
        others = units.apart(node.code, new.code, signatures)
        old_units, new_units = (units.units_of(one, signatures, others) for one in (node.code, new.code))
        if old_units is None:
            refused.append({'name': node.path, 'reason': 'the tables of the standard library cannot be read'})
            continue
        gone, come = units.compare(old_units, new_units)
        fresh, come = come, come + host.part('shadow').overtaken(old_units, new_units)
        fields = host.part('fields')
        noted = fields.others(node, new, gone, come, signatures)
        moved = fields.reordered(old_units, new_units) if not gone and not come else False
        if not gone and not come and not noted and not moved:
            continue
        path, kind = statements.get(new.code.co_firstlineno), named.get(node.path)
        if kind is None and path and (idle(path, tree.body, module.dict) or id(path[0]) in plan.fresh):
            continue
        built = path is not None and kind is not None and fields.look_at_all(kind, path[-1])
        if not gone and not come and not built:
            continue
        if path is None or kind is None:
            refused.append({'name': node.path, 'reason': 'the class statement changed, and the module no longer has '
                            'a class of its own under this name'})
            continue
        lines = set(filter(None, [line for unit in come for line in unit.lines]))
        hit = host.part('shadow').with_later(path[-1].body, [one for _, one in trees.at_lines(path[-1].body, lines)])
        if any(trees.kind(one) in ('Assign', 'AnnAssign') for one in hit):
            hit = host.part('noted').only(hit, path[-1].body, gone, fresh, path[-1].name)
        if '__annotate_func__' in new.code.co_names and '__annotate_func__' not in node.code.co_names:
            hit = host.part('noted').first(hit, path[-1].body)
        bound = {name for unit in new_units for name in unit.names()}
        removed = sorted({name for unit in gone for name in unit.names()} - bound - set(OWN))
        change = Change(node.path, kind, path, hit, removed)
        change.header = built and (noted or moved)
        change.called = units.calling(gone)
        change.rebound = host.part('shadow').rebound(path[-1].body, hit, new_units, gone, fresh)
        change.unannotated = set(fields.annotated(gone)) - set(fields.annotated(new_units))
        if any(getattr(one, 'decorator_list', ()) for one in hit):
            change.undecorated = host.part('decorators').stay(plan, hit, path[-1].body, gone, host.class_dict(kind), signatures,
                                                              node.path + '.')
        reason = refusal(change)
        if reason:
            refused.append({'name': node.path, 'reason': reason})
        else:
            found.append(change)
    return found, refused


def idle(path, body, there):
    """Whether a class statement stands in a branch, of the BODY of a module or class, that did not run."""
    for statement in path:
        if statement.name not in there:
            return statement not in body
        body, there = statement.body, host.class_dict(there[statement.name]) if host.is_class(there[statement.name]) else {}
    return False


def header_too(plan, name, kind, path, decorated):
    """Have the plan take the class statement's own line too: bases, keywords, decorators; DECORATED: it had some."""
    change = next((one for one in plan.classes if one.name == name), None)
    if change is None:
        change = Change(name, kind, path, [], [])
        plan.classes.append(change)
    change.header, change.whole = True, change.whole or decorated
    reason = refusal(change)
    if reason:
        plan.refuse(name, reason)


def headers_below(plan):
    """Class statements in the bodies of classes that changed themselves are not run: their classes live."""
    for change in list(plan.classes):
        for statement in [one for one in change.statements if trees.kind(one) == 'ClassDef']:
            kind = host.class_dict(change.kind).get(statement.name)
            if host.is_class(kind) and kind.__qualname__ == change.name + '.' + statement.name:
                change.statements.remove(statement)
                change.names.remove(statement.name)
                header_too(plan, change.name + '.' + statement.name, kind, change.path + (statement,), False)


def run_too(plan, name, kind, path, statement):
    """Have the plan run one more statement of the body of a class."""
    change = next((one for one in plan.classes if one.name == name), None)
    if change is None:
        plan.classes.append(Change(name, kind, path, [statement], []))
    elif statement not in change.statements:
        change.statements.append(statement)
        change.names.extend(trees.bound(statement))


def body_code(change, tree, filename, flags):
    """The code of a class body that holds only the statements to run."""
    inner = list(change.statements)
    members = host.class_dict(change.kind) if host.sys.version_info >= (3, 14) and change.kind is not None else {}
    if type(members.get('__annotate_func__')) is host.FunctionType:
        inner = list(map(host.part('fields').unannotated, inner))
    for statement in reversed(change.path):
        before, decorators = statement.body, statement.decorator_list
        bases, keywords = statement.bases, statement.keywords
        statement.body, statement.decorator_list, statement.bases, statement.keywords = inner, [], [], []
        inner = [statement]
        change.__dict__.setdefault('saved', []).append((statement, before, decorators, bases, keywords))
    try:
        code = trees.alone(tree, inner, lambda: compiled(tree, filename, flags, change.undecorated))
    finally:
        for statement, before, decorators, bases, keywords in change.__dict__.pop('saved'):
            statement.body, statement.decorator_list = before, decorators
            statement.bases, statement.keywords = bases, keywords
    for _ in change.path:
        code = next(one for node in [code] for one in class_codes(node))
    return code


def compiled(tree, filename, flags, undecorated):
    """The code of TREE, in which definitions stand whose decorators are not to run."""
    if not undecorated:
        return host.compile_quietly(tree, filename, 'exec', flags)
    return host.part('decorators').undecorated(undecorated[0], lambda: compiled(tree, filename, flags, undecorated[1:]))


def class_codes(code):
    for one in codes.children(code):
        if codes.is_class_body(one):
            yield one
        elif codes.is_generic(one):
            for below in class_codes(one):
                yield below


def make_cell(value):
    return (lambda: value).__closure__[0]


def home(value, cell, kind):
    """VALUE with the methods in it at home in the class KIND: their cell for super() holds it."""
    if cell is None:
        return value
    if host.sys.version_info >= (3, 7):
        cell.cell_contents = kind
        return value
    if type(value) is host.FunctionType and value.__closure__ and cell in value.__closure__:
        cells = tuple(make_cell(kind) if one is cell else one for one in value.__closure__)
        made = host.FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, cells)
        made.__kwdefaults__, made.__qualname__ = value.__kwdefaults__, value.__qualname__
        made.__annotations__, made.__doc__ = value.__annotations__, value.__doc__
        made.__dict__.update(value.__dict__)
        return made
    if any(one.__closure__ and cell in one.__closure__ for one in baseline.inner_functions(value)):
        raise host.Refusal('refused', 'a decorated method that uses super() cannot be made again on Python 3.6')
    return value


def type_parameters(change, body):
    """The cells of the type parameters of a class, which the code BODY asks for (3.12 on)."""
    given = change.staged.get('__type_params__', host.class_dict(change.kind).get('__type_params__', ()))
    values = dict({one.__name__: one for one in given}, **{'.type_params': given})
    if not all(name in values for name in body.co_freevars):
        raise host.Refusal('refused', 'the class %s has other type parameters now' % change.name)
    return tuple(make_cell(values[name]) for name in body.co_freevars)


def implied(name, value):
    """VALUE as a class holds it: Python wraps a few functions by their names when it makes one."""
    if type(value) is not host.FunctionType or name not in IMPLICIT:
        return value
    return staticmethod(value) if name == '__new__' else classmethod(value)


def stage(change, module, tree, code, context):
    """Run what has to be run: the new raw values of the members, in change.staged.  Runs code of the program."""
    if not change.statements:
        return
    body = trees.without_values(change.statements, lambda: body_code(change, tree, module.filename(), code.co_flags & host.FUTURE_FLAGS))
    namespace = dict(host.class_dict(change.kind))
    for name in ('__dict__', '__weakref__', '__classcell__'):
        namespace.pop(name, None)
    notes = namespace.get('__annotations__')
    if isinstance(notes, dict):
        namespace['__annotations__'] = {name: note for name, note in notes.items() if name not in change.unannotated}
    if type(change.kind).__module__ == 'enum':   # in the body, members are their values still
        namespace.update((name, one._value_) for name, one in namespace['_member_map_'].items())
    namespace.update(change.lent)
    for name in [name for name, value in change.lent.items() if value is journals.ABSENT]:
        del namespace[name]
    before = dict(namespace, __annotations__=change)
    run, more = host.builtin('builtins').exec, {'closure': type_parameters(change, body)} if body.co_freevars else {}
    context.user(lambda: run(body, module.dict, namespace, **more))
    cell = namespace.pop('__classcell__', None)
    for name, value in namespace.items():
        if name not in OWN and before.get(name, change) is not value:
            change.staged[name] = implied(name, home(value, cell, change.kind))
    if '__annotations__' in change.staged and not any(trees.kind(one) == 'AnnAssign' for one in change.statements):
        del change.staged['__annotations__']
    for name, value in change.staged.items():
        hook = getattr(type(value), '__set_name__', None)
        if hook is not None:
            context.user(hook, value, change.kind, name)


def commit(change, plan, journal):
    """Move the staged members onto the class; (changed, added) names."""
    changed, added, module, members = [], [], plan.module, host.class_dict(change.kind)
    for name, value in change.staged.items():
        old = host.class_dict(change.kind).get(name, journal)
        full, told = change.name + '.' + name, name in change.names or not (change.whole or name.startswith('_'))
        if old is journal:
            if told:                         # a field need not have been an attribute
                (changed if name in (members.get('__dataclass_fields__') or ()) else added).append(full)
            journal.set('class', change.kind, name, value)
            continue
        if any(one.name == name for one in change.undecorated) and renew(plan, old, value, name, journal):
            changed.append(full)
            continue
        if change.called is None or name in change.called:
            for one, other in patch.pairs_of(old, value, module.dict) or ():
                host.part('decorators').gone(plan, full, one, other, journal)
        kept = patch.transplant_value(old, value, module.dict, journal)
        if not kept and journal.set('class', change.kind, name, value):
            host.part('trampolines').succeed_member(plan, full, old, value, journal, members)
            kept = True
        if kept and told:
            changed.append(full)
    notes = host.class_dict(change.kind).get('__annotations__')
    for name in change.unannotated if type(notes) is dict and '__annotations__' not in change.staged else ():
        journal.set('item', notes, name, journals.ABSENT)
    for name in change.removed:
        if name in host.class_dict(change.kind):
            journal.set('class', change.kind, name, None if name == '__doc__' else journals.ABSENT)
    if change.path and not (change.whole or change.header) and {'__eq__', '__hash__'} & (set(change.staged) | set(change.removed)):
        hashing(change, journal)
    return changed, added


def hashing(change, journal):
    """A class with an __eq__ of its own, and no __hash__, has None there: Python sees to that when it makes a class."""
    bound = {name for one in change.path[-1].body for name in trees.bound(one)}
    live, wanted = journal.get('class', change.kind, '__hash__'), None if '__eq__' in bound else journals.ABSENT
    if '__hash__' not in bound and (live is None or live is journals.ABSENT):
        journal.set('class', change.kind, '__hash__', wanted)


def renew(plan, old, value, name, journal):
    """Give the function NAME in what decorators made what VALUE, or the one in it, has; whether that could be done."""
    decorators = host.part('decorators')
    inner, new = (decorators.definition(one, name, plan.module.dict) for one in (old, value))
    done = inner is not None and new is not None and patch.transplant(inner, new, journal)
    if done:
        plan.renewed.append(inner)
    return done


def refresh_abstract(kind, journal):
    """Compute again which methods are abstract, and forget what isinstance() has remembered."""
    todo = [kind]
    while todo:
        one = todo.pop()
        todo.extend(type.__subclasses__(one))
        names = {name for name, value in one.__dict__.items() if is_abstract(value)}
        for base in one.__mro__[1:]:
            known = journal.get('class', base, '__abstractmethods__')
            for name in () if known is journals.ABSENT else known:
                value = next((host.class_dict(kind)[name] for kind in one.__mro__ if name in host.class_dict(kind)), None)
                if is_abstract(value):
                    names.add(name)
        if frozenset(names) != one.__dict__.get('__abstractmethods__', frozenset()):
            journal.set('class', one, '__abstractmethods__', frozenset(names))
        if host.sys.version_info >= (3, 7):
            host.builtin('_abc')._reset_caches(one)
        else:
            one._abc_cache.clear()
            one._abc_negative_cache.clear()


def is_abstract(value):
    """Whether a member says that it is abstract; only its class, functions and what Python itself wraps them in are asked."""
    return any(host.class_dict(one).get('__isabstractmethod__') is True for one in type.__dict__['__mro__'].__get__(type(value))) or \
        any(one.__dict__.get('__isabstractmethod__') is True for one in baseline.inner_functions(value))


# SPDX-License-Identifier: MIT
"""Classes that are made of the order of what stands in their bodies, and of its annotations: enumerations, named tuples,
dataclasses, and whatever a decorator or a metaclass of the program makes.

They are built again when the order changes, or an annotation. Other classes only hold their annotations: those that left
the source leave them, too; from 3.14 on a function makes them, which gets its new code as all functions do.
"""
from . import baseline, classes, codes, decorators, host, journal as journals, patch, trees, units

FIELDS = '__dataclass_fields__'


def look_at_all(kind, statement):
    """Whether something looked at the whole body when the class was made."""
    named_tuple = issubclass(kind, tuple) and '_fields' in host.class_dict(kind)
    return bool(statement.decorator_list) or named_tuple or FIELDS in host.class_dict(kind) or classes.builds(type(kind))


def reordered(old, new):
    """Whether the units of a body, which are the same, stand in another order, definitions aside."""
    flat = [[one for unit in side if not units.is_definition(unit.tokens) for one in unit.tokens] for side in (old, new)]
    return flat[0] != flat[1]


def annotated(found):
    """The names that UNITS annotate, before 3.14."""
    names = []
    for unit in found:
        for before, name, one in zip(unit.tokens, unit.tokens[1:], unit.tokens[2:]):
            if one[0] == 'STORE_SUBSCR' and before[:2] == ('LOAD_NAME', '__annotations__') and name[0] in units.CONSTANT:
                names.append(name[1][1])
        names.extend(one[1] for one in unit.tokens if one[0] == 'STORE_ANNOTATION')
    return names


def unannotated(statement):
    """A statement as it runs where the function that makes all annotations has its new code already (3.14 on)."""
    if trees.kind(statement) != 'AnnAssign':
        return statement
    syntax = host.builtin('_ast')
    made = syntax.Pass() if statement.value is None else syntax.Assign([statement.target], statement.value)
    for name in ('lineno', 'col_offset', 'end_lineno', 'end_col_offset'):
        setattr(made, name, getattr(statement, name))
    return made


def without(plan, statement, journal, run):
    """What RUN gives for a statement; where a function makes the annotations of the module, nothing inside of it annotates."""
    if not are_made(plan):
        return run(statement)
    note(plan, journal)
    places = [(body, number) for one in trees.inside([statement]) for body in trees.bodies(one) for number in range(len(body))]
    kept = [(body, number, body[number]) for body, number in places if trees.kind(body[number]) == 'AnnAssign']
    try:
        for body, number, one in kept:
            body[number] = unannotated(one)
        return run(unannotated(statement))
    finally:
        for body, number, one in kept:
            body[number] = one


def are_made(plan):
    """Whether a function makes the annotations of a module: from 3.14 on, unless they are texts."""
    return host.sys.version_info >= (3, 14) and 'annotations' not in trees.features(plan.examined.tree.body)


def note(plan, journal):
    """Have a module make the annotations of its new source, all of them (3.14 on)."""
    if plan.known.setdefault('noted', False):
        return
    plan.known['noted'] = True
    namespace, code = plan.module.dict, plan.examined.code
    owners = codes.annotators(code)
    found = next((one for one in codes.children(code) if owners.get(id(one)) == ''), None)
    if found is not None:
        if type(namespace.get('__annotate__')) is not host.FunctionType:
            journal.set('item', namespace, '__annotate__', host.FunctionType(found, namespace, '__annotate__'))
        count = sum(trees.kind(one) == 'AnnAssign' for one in trees.inside(plan.examined.tree.body))
        journal.set('item', namespace, '__conditional_annotations__', set(range(count)))
        journal.forget(namespace, '__annotations__')


def drop(plan, journal):
    """The new source of a module has no annotations (3.14 on)."""
    for name in ('__annotate__', '__conditional_annotations__'):
        journal.set('item', plan.module.dict, name, journals.ABSENT)
    journal.forget(plan.module.dict, '__annotations__')


def forget(plan, journal):
    """What annotations once evaluated to is forgotten where the function that makes them changes (3.14 on)."""
    makers = {id(one.function) for one in plan.patches if one.changed and one.function.__name__ == '__annotate__'}
    if id(plan.module.dict.get('__annotate__')) in makers:
        journal.forget(plan.module.dict, '__annotations__')
    for _, kind in baseline.classes_of(plan.module) if makers else ():
        if id(host.class_dict(kind).get('__annotate_func__')) in makers:
            journal.forget(kind, '__annotations_cache__')
    there = patch.members(plan.module, journal) if makers else []
    for one in plan.functions + [below for value in there for below in patch.layers(value)] if makers else ():
        if type(one) is host.FunctionType and id(one.__annotate__) in makers:
            journal.forget(one, '__annotations__')


def maker(node, signatures):
    """What makes the annotations of a class, from 3.14 on."""
    below = [one for one in codes.children(node.code) if one.co_name == '__annotate__']
    owners = codes.annotators(node.code) if below else {}
    return next((signatures.of(one) for one in below if owners.get(id(one)) == ''), None)


def others(old, new, gone, come, signatures):
    """Whether the annotations of a class differ; OLD and NEW are its nodes."""
    return bool(annotated(gone + come)) or maker(old, signatures) != maker(new, signatures)


def defaults(kind):
    """What the source gave the fields of a class when it was made: {name: value}; the program cannot have changed it."""
    members = host.class_dict(kind)
    if issubclass(kind, tuple) and type(members.get('_field_defaults')) is dict:
        return dict(members['_field_defaults'])
    own = members.get(FIELDS) if type(members.get(FIELDS)) is dict else {}
    made = {name: one for name, one in own.items() if type(one).__module__ == 'dataclasses' and not inherited(kind, name, one)}
    return {name: one if type(one.default).__module__ == 'dataclasses' else one.default for name, one in made.items()
            if type(one.default_factory).__module__ != 'dataclasses' or type(one.default).__module__ != 'dataclasses'}


def inherited(kind, name, field):
    return any((host.class_dict(base).get(FIELDS) or {}).get(name) is field for base in kind.__mro__[1:])


def differ(kind, statement, node, scope, signatures):
    """Without a baseline: whether the annotations, or the arguments of @dataclass, are surely not those of STATEMENT.

    (names whose annotation came or changed, names that lost theirs, whether it is another order or making.)
    """
    members = host.class_dict(kind)
    given = [(trees.mangled(one.target.id, statement.name), one) for one in statement.body
             if trees.kind(one) == 'AnnAssign' and trees.kind(one.target) == 'Name']
    sure = {name for name, _ in given}
    vague = {name for one in trees.inside(statement.body) for name in trees.bound(one)} - sure
    known = defaults(kind)
    other = made_otherwise(members, statement, scope) or any(
        one.value is None and name in known for name, one in given)
    live = members.get('__annotations__')
    live = members.get('__annotate_func__') if live is None and host.sys.version_info >= (3, 14) else live
    if type(live) is host.FunctionType:
        return [], [], other or node is not None and signatures.of(live.__code__) != maker(node, signatures)
    if live is not None and not issubclass(type(live), dict) or host.sys.version_info >= (3, 14):
        return [], [], other
    live = {name: note for name, note in dict.items(live or {}) if name not in vague}
    come = [name for name, one in given if name not in live or leads_elsewhere(one.annotation, live[name], members, scope)]
    gone = [name for name in live if name not in sure]
    return come, gone, other or list(live) != list(dict.fromkeys(name for name, _ in given))


def leads_elsewhere(node, now, members, scope):
    """Whether an annotation that is a plain name is surely not what it was; a text is one as a future feature."""
    if trees.kind(node) != 'Name' or node.id in members:
        return False
    there = scope.get(node.id, host.builtin('builtins').__dict__.get(node.id))
    return now is not there and not (type(now) is str and now == node.id)


def made_otherwise(members, statement, scope):
    """Whether @dataclass has come or gone, or has other arguments."""
    given, library = None, host.sys.modules.get('dataclasses')
    for one in statement.decorator_list if library is not None else ():
        call = one if trees.kind(one) == 'Call' else None
        if decorators.resolved(call.func if call else one, scope) is library.__dict__.get('dataclass'):
            given = {word.arg: word.value for word in call.keywords} if call else {}
    params = members.get('__dataclass_params__')
    if given is None or params is None:
        return given is not None or params is not None and not statement.decorator_list
    for name, usual in (library.dataclass.__kwdefaults__ or {}).items():
        value = trees.literal(given[name]) if name in given and trees.is_literal(given[name]) else usual
        if getattr(params, name, value) is not value and (name not in given or trees.is_literal(given[name])):
            return True
    return False


def sure(statement, scope):
    """Whether the decorators of a class are told by what they made of it: @dataclass is."""
    library = host.sys.modules.get('dataclasses')
    return all(library is not None and decorators.resolved(getattr(one, 'func', one), scope) is library.__dict__.get('dataclass')
               for one in statement.decorator_list)


def heirs(plan):
    """Dataclasses that derive from those whose fields change are made again, too; those of other modules are named."""
    named = dict(baseline.classes_of(plan.module))
    paths = {'.'.join(one.name for one in path): path for path in trees.classes(plan.examined.tree.body).values()}
    todo = [change.kind for change in plan.classes if change.header or change.removed or
            any(trees.kind(one) == 'AnnAssign' for one in change.statements)]
    while todo:
        base = todo.pop()
        below = type.__subclasses__(base) if FIELDS in host.class_dict(base) else ()
        for kind in [one for one in below if FIELDS in host.class_dict(one)]:
            name = kind.__qualname__
            if named.get(name) is kind and name in paths:
                classes.header_too(plan, name, kind, paths[name], True)
            else:
                plan.kept_old.append({'name': '%s.%s' % (kind.__module__, name), 'reason': 'it was made of the fields that '
                                      '%s had' % base.__qualname__})
            todo.append(kind)

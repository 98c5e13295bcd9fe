# SPDX-License-Identifier: MIT
"""Values that were made at import by calling what a command changes: `Y = g()`, when g gets a new body.

What a call leads to is told by what names lead to now: functions, classes and their constructors, methods of classes and
of instances.  Calls in the bodies of functions are followed in the modules that changed and in those that hold something
of them and call something of the program at module level.  What is called through anything else is not found.  A
function that such a call gave is not listed if only functions inside of what was called change: it has the new code.
"""
from . import baseline, codes, evidence, host, living, patch, plan as plans, scope, sources, trees

FUNCTIONS = ('FunctionDef', 'AsyncFunctionDef')
ONCE = 2                                     # sources that are read sooner than searched from outside
FEW = 8                                      # names for which sources are searched from outside; more, and they are read
CONSTRUCTORS = ('__new__', '__init__', '__post_init__')
NAMES = bytes(code if code > 127 or chr(code).isalnum() or code in (46, 95) else 32 for code in range(256))


class Instance:
    """Stands for an instance of a class that is not there."""

    def __init__(self, kind):
        self.kind = kind


class Search:
    """Whether expressions call functions whose ids are in FOUND, or that read MEMBERS, which are (id of a class or of the
    dictionary of a module, name); members of classes may be read directly, too.  (id of a class, None): it is made anew."""

    def __init__(self, found, members, places):
        self.found, self.members, self.known = found, members, {}
        self.trees, self.paths = {id(one.module.dict): one.tree for one in places}, {}

    def node(self, function):
        """The definition of a function in the modules that are looked into, or None."""
        key = id(function.__globals__)
        if key not in self.paths and key in self.trees:
            found = self.paths[key] = functions_in(self.trees[key].body, '')
            for path in trees.classes(self.trees[key].body).values():
                found.update(functions_in(path[-1].body, '.'.join(one.name for one in path) + '.'))
        return self.paths.get(key, {}).get(codes.path_of(function).partition('.<locals>')[0])

    def reads(self, nodes, namespace, local=None, me=None):
        """LOCAL are the names of the function that the NODES stand in, if they do."""
        todo = list(nodes)
        while todo:
            one = todo.pop()
            what = trees.kind(one)
            value = value_of(one.func, namespace, local, me) if what == 'Call' else None
            if any(map(self.leads, called(value))) or host.is_class(value) and self.is_member(value, None):
                return True
            if what == 'Name' and local is not None and one.id not in local and (id(namespace), one.id) in self.members:
                return True
            if what == 'Attribute' and self.members and self.is_member(value_of(one.value, namespace, local, me), one.attr):
                return True
            for field in one._fields if what != 'Lambda' else ():
                part = getattr(one, field, None)
                todo.extend(below for below in (part if isinstance(part, list) else [part]) if hasattr(below, '_fields'))
        return False

    def is_member(self, owner, name):
        if type(owner) is host.ModuleType:
            return (id(owner.__dict__), name) in self.members
        kind = owner if host.is_class(owner) else owner.kind if type(owner) is Instance else type(owner)
        return any((id(one), name) in self.members for one in type.__dict__['__mro__'].__get__(kind))

    def leads(self, function):
        """Whether a function is one of those, or calls one."""
        known = self.known.get(id(function))
        if known is None:
            self.known[id(function)] = False
            code, names, node = function.__code__, codes.path_of(function), self.node(function)
            owner, me = function.__globals__, None
            for name in names.split('.')[:-1] if node is not None and '<' not in names else ():
                owner = (owner if type(owner) is dict else host.class_dict(owner)).get(name)
                if not host.is_class(owner):
                    break
                me = Instance(owner)
            known = self.known[id(function)] = id(function) in self.found or node is not None and self.reads(
                node.body, function.__globals__, code.co_varnames + code.co_freevars, me)
        return known


def functions_in(statements, prefix):
    return {prefix + one.name: one for one in trees.inside(statements) if trees.kind(one) in FUNCTIONS}


def value_of(node, namespace, local=None, me=None):
    """What an expression leads to, as far as it can be said; LOCAL are names that are none of the module, the first of them ME."""
    what = trees.kind(node)
    if what == 'Name':
        if node.id in (local or ()):
            return me if local[0] == node.id else None
        return namespace.get(node.id)
    if what == 'Call':
        kind = value_of(node.func, namespace, local, me)
        return Instance(kind) if host.is_class(kind) else None
    return member(value_of(node.value, namespace, local, me), node.attr) if what == 'Attribute' else None


def member(owner, name):
    if type(owner) is host.ModuleType:
        return owner.__dict__.get(name)
    kind = owner if host.is_class(owner) else owner.kind if type(owner) is Instance else type(owner)
    for one in type.__dict__['__mro__'].__get__(kind):
        if name in host.class_dict(one):
            return host.class_dict(one)[name]
    return None


def called(value):
    """The functions of the program that calling VALUE runs."""
    if value is None or host.among(type(value), (host.ModuleType, Instance)):
        return []
    if host.is_class(value):
        values = [member(value, name) for name in CONSTRUCTORS]
    else:
        values = [value]
    return [one for part in values for one in baseline.inner_functions(part) if not scope.is_excluded(one.__code__.co_filename)]


def changed(plan, signatures):
    """({id of a function that changes}, those of them of which more changes than functions inside, members of classes)."""
    patches = plan.patches or patch.patches(plan.target, baseline.reachable(plan.module))[0]
    found = {id(one.function): one for one in patches if one.changed}
    own = {key for key, one in found.items() if one.code is None or
           plans.skeleton(one.old, signatures) != plans.skeleton(one.code, signatures)}
    values, members = [plan.module.dict.get(one.name) for one in plan.statements if trees.kind(one) in FUNCTIONS], set()
    for change in plan.classes:
        there = host.class_dict(change.kind)
        members.update((id(change.kind), name) for name in change.names + change.removed + [None] * (change.whole or change.header))
        values.extend(there.get(one.name) for one in change.statements if trees.kind(one) in FUNCTIONS)
    own.update(id(one) for value in values for one in baseline.inner_functions(value))
    if plan.statements or plan.removed or plan.replaced:
        members.update((id(plan.module.dict), name) for name in plan.replaced or host.part('forecast').replaced(plan))
    for text in plan.rebound:
        module, _, name = text.rpartition('.')
        members.add((id(getattr(host.sys.modules.get(module), '__dict__', None)), name))
    return set(found) | own, own, members


def holders(plan, ids):
    """The other modules of the program that hold the module of PLAN, one of its functions or classes, what has one of IDS, or
    what is around these."""
    own = [one for one in map(host.sys.modules.get, plan.module.names) if one is not None]
    own += [kind for _, kind in baseline.classes_of(plan.module)]
    own += plan.functions or baseline.reachable(plan.module)
    ids = ids | set(map(id, own))
    for value in list(plan.module.dict.values()):
        inner = list(baseline.inner_functions(value))
        if any(id(one) in ids for one in inner):
            own += [value] + inner
    return [one for one in scope.holding(own) if one.kind == 'source' and not one.excluded and one.dict is not plan.module.dict]


def calls_something(module, data):
    """Whether a line of a source that stands in no function calls something of the program, or may do so."""
    depth, head = None, False                # how far the function is indented that lines stand in, whether its head goes on
    for line in data.split(b'\n'):
        bare = line.lstrip()
        indent = len(line) - len(bare)
        if not bare or depth is not None and indent > depth and not head:
            continue
        function = bare.startswith((b'def ', b'async def '))
        if not head:
            depth = indent if function else None
        head = (head or function) and not bare.rstrip().endswith(b':')
        parts = bare.split(b'(') + [b''] * bare.startswith(b'@')
        if any(map(part_calls, [module] * len(parts), parts[function or bare.startswith(b'class '):-1])):
            return True
    return False


def part_calls(module, part):
    """Whether what stands before a bracket is a name of the program's, or anything but a name."""
    words = part.translate(NAMES).split()
    name, value = words[-1].decode('utf-8', 'replace') if words else '', module.dict
    for one in name.split('.') if words else ():
        value = value.get(one) if value is module.dict else member(value, one) if value is not None else None
    return name.startswith('.') or bool(words) and bool(called(value))


class Place:
    """A module, its source and its tree."""

    def __init__(self, module, data, tree):
        self.module, self.data, self.tree = module, data, tree


def words(plan, ids, members):
    """The names by which others may call functions of these IDS, and those of the module that call them, unless they are many."""
    functions = plan.functions or baseline.reachable(plan.module)
    found, names = {name for _, name in members if name is not None}, set()
    found.update(change.path[-1].name for change in plan.classes if change.path)
    for one in functions:
        found |= parts(one) if id(one) in ids else names
    while not names >= found and len(found) < FEW:
        names |= found
        for one in functions:
            if not parts(one) <= names and any(not names.isdisjoint(code.co_names) for code in living.codes_of([one])):
                found |= parts(one)
    return found


def parts(function):
    """The names under which a function may be called: a constructor is called by the name of its class."""
    path = codes.path_of(function).split('.')
    return {path[0]} | ({path[-2]} if path[-1] in CONSTRUCTORS and len(path) > 1 else {path[-1]})


def silent(plan, modules, ids, members, context):
    """The paths of those of MODULES whose sources surely mention nothing of it."""
    names = words(plan, ids, members) if len(modules) > ONCE else ()
    found = [evidence.silent([one.path for one in modules], name, context) for name in names] if len(names) < FEW else []
    return set.intersection(*map(set, found)) if found else set()


def source(module):
    try:
        return sources.read(module.path)[0]
    except sources.Problem:
        return b''


def places(work, plan, takers, ids, members, imports):
    """Where values may have been made by calling what PLAN changes, which are functions of these IDS; TAKERS import from it."""
    known, own = {id(one.module.dict): one.examined for one in work.plans}, plan.examined
    found = [Place(plan.module, own.data, own.tree)] if members or calls_something(plan.module, own.data) else []
    others = holders(plan, ids)
    skipped = silent(plan, others, ids, members, work.context)
    for module in takers + [one for one in others if one.path not in skipped and all(one.dict is not its.dict for its in takers)]:
        examined = known.get(id(module.dict))
        if examined is not None and calls_something(module, examined.data):
            found.append(Place(module, examined.data, examined.tree))
        elif examined is None and calls_something(module, source(module)):
            found.append(Place(module, imports().source(module)[0], imports().tree(module)))
    return [one for one in found if one.tree]


def derived(work, plan, imports, ran):
    """[(module, name, statement, data)] of what was made by calling what a PLAN of the command WORK changes, and is not run again."""
    every, own, members = changed(plan, work.signatures)
    if not every and not members:
        return []
    names = {name for key, name in members if key == id(plan.module.dict)}
    takers = taken(plan, names, members, imports()) if names else []
    there = places(work, plan, takers, every, members, imports)
    return made_in(there, (Search(every, members, there), Search(own, members, there)), imports, ran) if there else []


def taken(plan, names, members, imports):
    """The modules that import NAMES of the module of PLAN; what they call them is added to MEMBERS."""
    found = []
    for other in imports.modules:
        local = host.part('rebind').used_by(other, plan.module, names, imports)[1:] if other.kind == 'source' else ((), ())
        if any(local) and other.dict is not plan.module.dict:
            found.append(other)
            members.update((id(other.dict), name) for name in local[0])
    return found


def made_in(there, searches, imports, ran):
    """derived() of the places THERE; SEARCHES are for any value, and for functions."""
    found = []
    for one in there:
        lines = {line for namespace, line in ran if namespace == id(one.module.dict)}
        rows = [(one.module, name, statement, one.data) for name, statement in made(one.tree.body, '')
                if statement.lineno not in lines and searches[type(one.module.dict.get(name)) is host.FunctionType].reads(
                    trees.made_from(statement) + decorated(statement), one.module.dict)]
        names = {name for _, text, _, _ in rows for name in text.split(', ') if '.' not in name}
        found.extend(rows)
        if names:
            found.extend(host.part('rebind').derived(one.module, one, names, imports(), ran))
    return found


def constant(module, name):
    """Whether all that a statement binds, NAME of MODULE, are constants now: what is more may be state, and is only listed."""
    for one in name.split(', '):
        value = module.dict
        for step in one.split('.'):
            value = value.get(step, value) if value is module.dict else member(value, step)
        if codes.live_key(value) is None:
            return False
    return True


def decorated(statement):
    """The calls of the decorators of a definition that are no calls themselves."""
    syntax = host.builtin('_ast')
    return [syntax.Call(one, [], []) for one in getattr(statement, 'decorator_list', ()) if trees.kind(one) != 'Call']


def made(statements, prefix):
    """(names, statement) of the statements of a module, and of its classes, that bind names."""
    for statement in statements:
        if trees.is_main_guard(statement):
            continue
        if trees.kind(statement) == 'ClassDef':
            for one in made(statement.body, prefix + statement.name + '.'):
                yield one
        elif trees.made_from(statement):
            yield ', '.join(prefix + name for name in trees.bound(statement)), statement
        for body in trees.bodies(statement):
            for one in made(body, prefix):
                yield one

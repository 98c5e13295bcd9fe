# SPDX-License-Identifier: MIT
"""Which statements can run before anybody sees what they do, and running them so.

New code, new values and new names are to be seen at one moment.  A statement can run ahead of it, what it binds kept
aside, if it could not tell the difference: it runs no code of the program, and reads nothing that is to change but the
names of its own module, which it finds among those kept aside, and names imported from modules of the same command.
Literals, definitions, and calls of what belongs to Python or to installed packages, with plain values, are such; a call
of the program's own functions, or an operation on its objects, is not.  Judged is what names lead to now, so each
statement is judged when its turn comes.
"""
from . import host, journal as journals, order, rebind, scope, sources, trees

PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))
SAFE = frozenset('int float complex str bytes bytearray bool dict list set frozenset tuple object len range min max abs ord '
                 'chr round property staticmethod classmethod Exception NotImplemented'.split())
OPERATORS = ('BinOp', 'UnaryOp', 'BoolOp', 'Compare', 'IfExp', 'JoinedStr', 'FormattedValue', 'Subscript', 'Slice',
             'Index')
MISSING = journals.ABSENT


def can_wait(plan, one, work):
    """Whether ONE, a statement or a change of a class, can run ahead of the moment of the commit."""
    judge = Judge(plan, work)
    if hasattr(one, 'staged'):
        judge.inner = True
        return not one.whole and not one.header and all(map(judge.statement, one.statements))
    return judge.statement(one)


def early(plan, work):
    """The statements of PLAN that bind new names only, and can run before their turn: new code may need the names."""
    there = work.journal.seen(plan.module.dict)
    for one in plan.statements:
        names = trees.bound(one)
        planned = trees.kind(one) == 'ImportFrom' and Judge(plan, work).planned(one)
        if names and not planned and not any(name in there for name in names) and \
                not plan.options.get('full') and can_wait(plan, one, work):
            yield one


def execute(plan, statement, code, work):
    """Run a statement that can wait, or is lent values; the journal gets what it binds."""
    module, journal = plan.module, work.journal
    local = {name: value for name, value in journal.names(module.dict).items() if value is not MISSING}
    local.update(plan.lent.get(id(statement), ()))
    before, bound = dict(local), trees.bound(statement)
    source = Judge(plan, work).planned(statement) if trees.kind(statement) == 'ImportFrom' else None
    if source is None:
        work.watched(plan, work.context.user, host.builtin('builtins').exec, code, module.dict, local)
    else:
        seen = journal.seen(source)
        names = {one.name: one.asname or one.name for one in statement.names}
        if '*' in names:
            names = {name: name for name in rebind.exported(seen)}
        local.update((ours, seen[theirs]) for theirs, ours in names.items())
    for name, value in local.items():
        if name not in before or before[name] is not value or name in plan.lent.get(id(statement), ()) and name in bound:
            journal.set('item', module.dict, name, value)


class Judge:
    """Judges one statement of one module."""

    def __init__(self, plan, work):
        self.dict, self.tree = plan.module.dict, plan.examined.tree
        self.package = plan.module.dict.get('__package__')
        self.local, self.seen = work.journal.names(self.dict), work.journal.seen(self.dict)
        self.names = {name: one.module.dict for one in work.plans for name in one.module.names}
        self.journal, self.inner, self.own = work.journal, False, set()

    def statement(self, one):
        what = trees.kind(one)
        if what == 'Expr':
            return trees.is_literal(one.value)
        if what == 'Assign':
            return all(trees.kind(target) == 'Name' for target in one.targets) and self.value(one.value)
        if what in ('FunctionDef', 'AsyncFunctionDef'):
            return self.function(one)
        if what == 'ClassDef':
            return self.new_class(one)
        if what == 'Import':
            return all(self.importable(alias.name) for alias in one.names)
        if what == 'ImportFrom':
            names = [alias.name for alias in one.names]
            return self.planned(one) is not None or self.importable(self.origin(one), names)
        return what == 'Pass'

    def function(self, one):
        if getattr(one, 'type_params', None) or not all(map(self.decorator, one.decorator_list)):
            return False
        given = one.args
        args = given.args + given.kwonlyargs + getattr(given, 'posonlyargs', []) + [given.vararg, given.kwarg]
        notes = [one.returns] + [arg.annotation for arg in args if arg is not None]
        late = host.sys.version_info >= (3, 14) or any(
            trees.kind(part) == 'ImportFrom' and part.module == '__future__' and
            any(alias.name == 'annotations' for alias in part.names) for part in self.tree.body)
        return all(self.value(part) for part in given.defaults + given.kw_defaults + (notes if not late else [])
                   if part is not None)

    def decorator(self, node):
        """What a decorator's call makes is called in turn, and is as foreign."""
        return self.value(node) if trees.kind(node) == 'Call' else foreign(self.resolve(node))

    def new_class(self, one):
        """A class statement: without decorators and keywords, on bases that do nothing when a class is made of them."""
        if one.decorator_list or one.keywords or getattr(one, 'type_params', None):
            return False
        for base in map(self.resolve, one.bases):
            if type(base) is not type or any('__init_subclass__' in host.class_dict(one) for one in base.__mro__[:-1]):
                return False
        inner, own = self.inner, self.own
        self.inner, self.own = True, {name for part in one.body for name in trees.bound(part)}
        try:
            return all(map(self.statement, one.body))
        finally:
            self.inner, self.own = inner, own

    def value(self, node):
        """Whether an expression can be evaluated ahead."""
        what = trees.kind(node)
        if what == 'Name':
            return node.id in self.own or self.resolve(node) is not MISSING
        if what in ('Tuple', 'List'):
            return all(map(self.value, node.elts))
        if what == 'Dict':
            return all(key is not None and self.plain(key) for key in node.keys) and all(map(self.value, node.values))
        if what == 'Lambda':
            return all(map(self.value, [one for one in node.args.defaults + node.args.kw_defaults if one is not None]))
        if what == 'Call':
            given = node.args + [one.value for one in node.keywords]
            return foreign(self.resolve(node.func)) and all(
                self.plain(one) or foreign(self.resolve(one)) for one in given)
        if what == 'Attribute':
            return self.resolve(node) is not MISSING
        if what == 'Subscript' and foreign(self.resolve(node.value)):
            return self.value(node.slice.value if trees.kind(node.slice) == 'Index' else node.slice)
        return self.plain(node)

    def name(self, node):
        """Whether a name leads to what it is to lead to: the body of a class does not see what is kept aside."""
        return node.id in self.own or not self.inner or node.id not in self.local

    def plain(self, node):
        """Whether an expression has to do with plain values only, and so runs no code but Python's own."""
        if trees.kind(node) == 'Name':
            return self.name(node) and type(self.resolve(node)) in PLAIN
        if trees.kind(node) in OPERATORS:
            return all(self.plain(part) for field in node._fields for part in listed(getattr(node, field, None))
                       if hasattr(part, '_fields') and trees.kind(part) not in ('Load', 'Store') and part._fields)
        return trees.is_literal(node)

    def resolve(self, node):
        """What a dotted name leads to, or MISSING."""
        if trees.kind(node) == 'Name' and self.name(node) and node.id not in self.own:
            return self.seen.get(node.id, host.builtin('builtins').__dict__.get(node.id, MISSING))
        if trees.kind(node) == 'Attribute':
            owner = self.resolve(node.value)
            if type(owner) is host.ModuleType and not any(owner.__dict__ is one for one in self.names.values()):
                return owner.__dict__.get(node.attr, MISSING)
        return MISSING

    def origin(self, statement):
        return order.origin(statement, self.package if type(self.package) is str else '')

    def planned(self, statement):
        """The namespace of the module of this command that has all the names that a statement imports; else None."""
        if self.inner:
            return None
        namespace = self.names.get(self.origin(statement))
        if namespace is None:
            return None
        seen = self.journal.seen(namespace)
        return namespace if all(one.name in seen or one.name == '*' for one in statement.names) else None

    def importable(self, name, attributes=()):
        """Whether a module can be imported ahead: it is loaded, or nothing that its loading runs is of this command."""
        if name in self.names:
            return not attributes
        module, found = host.sys.modules.get(name), {}
        there = module.__dict__ if type(module) is host.ModuleType else {}
        wanted = [name + '.' + one for one in attributes if one not in there and one != '*']
        return all(harmless(one, self.names, found) for one in [name] + wanted)


def harmless(name, planned, found):
    """Whether importing the module NAME runs no code of the modules in PLANNED; FOUND are files of those looked at."""
    parent, _, last = name.rpartition('.')
    if name in host.sys.modules or name in host.sys.builtin_module_names or name in found:
        return True
    if parent and not harmless(parent, planned, found):
        return False
    package, above = host.sys.modules.get(parent), found.get(parent) or ''
    if not parent:
        folders = host.sys.path
    elif type(package) is host.ModuleType:
        folders = package.__dict__.get('__path__', ())
    else:
        folders = [above.rpartition('/')[0]] if above.endswith('/__init__.py') else ()
    path = found[name] = find(folders, last)
    if path is None or scope.is_excluded(path):
        return bool(path or parent)          # below a package: something that is no module
    if not path.endswith('.py'):
        return False
    data = sources.read(path)[0]
    words = b' %s ' % data.translate(rebind.BETWEEN)
    if any(b' %s ' % one.rpartition('.')[2].encode('utf-8', 'surrogateescape') in words for one in planned):
        return False
    tree = host.compile_quietly(data, path, 'exec', host.ONLY_AST)
    inside = name if path.endswith('/__init__.py') else parent
    return all(harmless(one, planned, found) for one in sorted(order.imported(tree.body, inside)))


def find(folders, name):
    """The file of the module or package NAME, as the import system would find it."""
    for folder in [one or '.' for one in folders if type(one) is str]:
        for end in ('/__init__.py', '.py'):
            if stat_of(folder + '/' + name + end):
                return folder + '/' + name + end
        try:
            there = host.posix.listdir(folder)
        except OSError:
            continue
        for one in there:
            if one.startswith(name + '.') and one.endswith('.so'):
                return folder + '/' + one
    return None


def stat_of(path):
    try:
        return host.posix.stat(path)
    except (OSError, ValueError):
        return None


def listed(part):
    return part if isinstance(part, list) else [part]


def foreign(value):
    """Whether calling VALUE runs only code of Python and of installed packages."""
    kind = type(value)
    if kind is host.FunctionType:
        return scope.is_excluded(value.__code__.co_filename)
    if kind is type(len):
        owner = value.__self__
        return value.__name__ in SAFE if owner is host.builtin('builtins') else type(owner) is host.ModuleType
    if host.is_class(value):
        name = host.class_dict(value).get('__module__', value.__module__)
        if name == 'builtins':
            return value.__name__ in SAFE
        return type(name) is str and type(value) is type and installed(name)
    return value is not MISSING and not host.among(kind, PLAIN) and installed(kind.__module__) and kind.__module__ == 'typing'


def installed(name):
    """Whether the module NAME is loaded, and belongs to Python or to an installed package."""
    module = host.sys.modules.get(name)
    if type(module) is not host.ModuleType:
        return False
    path = module.__dict__.get('__file__')
    return path is None and name != '__main__' or type(path) is str and scope.is_excluded(path)

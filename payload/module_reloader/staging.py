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
    """The Judge of ONE, a statement or a change of a class, if it can run ahead of the moment of the commit; else None."""
    judge = Judge(plan, work)
    if hasattr(one, 'staged'):
        judge.inner = True
        return judge if not one.whole and not one.header and all(map(judge.statement, one.statements)) else None
    return judge if judge.statement(one) else None


def early(plan, work):
    """(statement, its Judge) of those of PLAN that bind new names only, and can run early: new code may need the names."""
    there = work.journal.seen(plan.module.dict)
    for one in plan.statements:
        names = trees.bound(one)
        if not names or plan.options.get('full') or any(name in there for name in names):
            continue
        judge = can_wait(plan, one, work)
        if judge is not None and judge.planned(one) is None:
            yield one, judge


def execute(plan, statement, code, work, judge):
    """Run a statement that can wait, as JUDGE says, or is lent values; the journal gets what it binds.

    Of the names that are kept aside it is given those that its code mentions: no other can be told to be missing.
    """
    module, journal, lent = plan.module, work.journal, plan.lent.get(id(statement), {})
    aside = journal.names(module.dict)
    local = {name: aside[name][4] for name in code.co_names if name in aside and aside[name][4] is not MISSING}
    local.update(lent)
    if lent and '__annotations__' in module.dict:
        local['__annotations__'] = module.dict['__annotations__']
    before, bound = dict(local), trees.bound(statement)
    source, run = judge.planned(statement) if judge is not None else None, host.builtin('builtins').exec
    if source is not None:
        local.update(taken(statement, source, journal))
    elif judge is not None and judge.quiet:
        work.context.user(run, code, module.dict, local)
    else:
        work.watched(plan, work.context.user, run, code, module.dict, local)
    for name, value in local.items():
        if name not in before or before[name] is not value or name in lent and name in bound:
            journal.set('item', module.dict, name, value)


def taken(statement, source, journal):
    """What an import takes from the namespace SOURCE of a module of the same command, as it will be: {name: value}."""
    if statement.names[0].name == '*':
        seen = journal.seen(source)
        return {name: seen[name] for name in rebind.exported(seen)}
    return {one.asname or one.name: journal.get('item', source, one.name) for one in statement.names}


class Judge:
    """Judges one statement of one module; it is quiet if only the interpreter itself runs: nothing else is called."""

    def __init__(self, plan, work):
        self.dict, self.tree = plan.module.dict, plan.examined.tree
        self.package = plan.module.dict.get('__package__')
        self.names = work.names
        self.journal, self.inner, self.own, self.quiet = work.journal, False, set(), True

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
        late = host.sys.version_info >= (3, 14) or 'annotations' in trees.features(self.tree.body)
        return all(self.value(part) for part in given.defaults + given.kw_defaults + (notes if not late else [])
                   if part is not None)

    def decorator(self, node):
        """What a decorator's call makes is called in turn, and is as foreign."""
        self.quiet = False
        return self.value(node) if trees.kind(node) == 'Call' else foreign(self.resolve(node))

    def new_class(self, one):
        """A class statement: without decorators and keywords, on bases that do nothing when a class is made of them."""
        if one.decorator_list or one.keywords or getattr(one, 'type_params', None):
            return False
        for base in map(self.resolve, one.bases):
            if type(base) is not type or any('__init_subclass__' in host.class_dict(one) for one in base.__mro__[:-1]):
                return False
        inner, own = self.inner, self.own
        self.quiet = False                   # a value may have a __set_name__
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
            self.quiet = False
            given = node.args + [one.value for one in node.keywords]
            return foreign(self.resolve(node.func)) and all(
                self.plain(one) or foreign(self.resolve(one)) for one in given)
        if what == 'Attribute':
            return self.resolve(node) is not MISSING
        if what == 'Subscript' and foreign(self.resolve(node.value)):
            self.quiet = False
            return self.value(node.slice.value if trees.kind(node.slice) == 'Index' else node.slice)
        return self.plain(node)

    def name(self, node):
        """Whether a name leads to what it is to lead to: the body of a class does not see what is kept aside."""
        return node.id in self.own or not self.inner or node.id not in self.journal.names(self.dict)

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
            value = self.journal.get('item', self.dict, node.id)
            return value if value is not MISSING else host.builtin('builtins').__dict__.get(node.id, MISSING)
        if trees.kind(node) == 'Attribute':
            owner = self.resolve(node.value)
            if type(owner) is host.ModuleType and not any(owner.__dict__ is one.dict for one in self.names.values()):
                return owner.__dict__.get(node.attr, MISSING)
        return MISSING

    def origin(self, statement):
        return order.origin(statement, self.package if type(self.package) is str else '')

    def planned(self, statement):
        """The namespace of the module of this command that has all the names that a statement imports; else None."""
        module = self.names.get(self.origin(statement)) if trees.kind(statement) == 'ImportFrom' and not self.inner else None
        if module is None:
            return None
        there = [one.name == '*' or self.journal.get('item', module.dict, one.name) is not MISSING for one in statement.names]
        return module.dict if all(there) else None

    def importable(self, name, attributes=()):
        """Whether a module can be imported ahead: it is loaded, or nothing that its loading runs is of this command."""
        self.quiet = False
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
        except host.faults(OSError):
            continue
        for one in there:
            if one.startswith(name + '.') and one.endswith('.so'):
                return folder + '/' + one
    return None


def stat_of(path):
    try:
        return host.posix.stat(path)
    except host.faults(OSError, ValueError):
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

# SPDX-License-Identifier: MIT
"""Names in other modules that lead to what a reload replaced: `from m import X`, renamed, starred or re-exported.

A holder is a module whose source says, at module level, that a name of its own came out of the changed module, and
where that name still holds the old object.  It is rebound, and what was imported from there in turn follows.  Values
that other modules computed from the old one are listed.
"""
from . import evidence, host, journal as journals, order, sources, trees


# Makes blanks of all that can stand between words; beyond ASCII everything may be part of one.
BETWEEN = bytes(code if code > 127 or chr(code).isalnum() or code == 95 else 32 for code in range(256))


class Imports:
    """What the loaded modules, as MODULES() gives them, import from where, read from their sources when first asked."""

    def __init__(self, modules, context):
        self.find, self.found, self.context, self.known, self.silent = modules, None, context, {}, {}

    @property
    def modules(self):
        self.found = self.find() if self.found is None else self.found
        return self.found

    def says_nothing(self, module, name):
        """Whether the source of a module surely does not mention the module NAME; `from . import` names no package."""
        package, word = module.dict.get('__package__'), name.rpartition('.')[2]
        if type(package) is not str or (package + '.').startswith(name + '.'):
            return False
        if word not in self.silent:
            paths = [one.path for one in self.modules if one.kind == 'source' and one.name not in self.known]
            self.silent[word] = evidence.silent(paths, word, self.context)
        return module.path in self.silent[word]

    def source(self, module):
        """[source, its tree if that was needed, its words] of a module."""
        if module.name not in self.known:
            try:
                data, _ = sources.read(module.path)
            except sources.Problem:
                data = b''
            self.known[module.name] = [data, None, b' %s ' % data.translate(BETWEEN)]
        return self.known[module.name]

    def tree(self, module):
        """The tree of a module; None if its source has none."""
        found = self.source(module)
        if found[1] is None:
            try:
                found[1] = self.context.timed(host.compile_quietly, found[0], module.path, 'exec', host.ONLY_AST)
            except host.faults(SyntaxError, ValueError, MemoryError, RecursionError):
                found[1] = False
        return found[1] or None

    def statements(self, module, name):
        """The tree of a module whose source may import from the module NAME, as its words tell."""
        if module.name not in self.known and self.says_nothing(module, name):
            return None
        found, needle = self.source(module), b' %s ' % name.rpartition('.')[2].encode('utf-8', 'surrogateescape')
        relative = module.name.partition('.')[0] == name.partition('.')[0] and b'from .' in found[0]
        if not relative and (needle not in found[2] or not mentions(found[0], needle)):
            return None
        return self.tree(module)

    def whole(self, module):
        """(source, tree) of a module that is known already."""
        found = self.known[module.name]
        return found[0], found[1]

    def of(self, module, name):
        """(local names, starred) under which MODULE imports things from the module NAME: {theirs: [ours]}."""
        tree = self.statements(module, name)
        names, star = {}, False
        package = module.dict.get('__package__')
        for statement in trees.inside(tree.body) if tree is not None else ():
            if trees.kind(statement) == 'ImportFrom' and \
                    order.origin(statement, package if isinstance(package, str) else '') == name:
                for one in statement.names:
                    star = star or one.name == '*'
                    names.setdefault(one.name, []).append(one.asname or one.name)
        return names, star

    def binds(self, module, name, source):
        """Where a module that star-imports from SOURCE binds NAME itself: 'below' that import, else 'above' it, or None."""
        package, places, star = module.dict.get('__package__'), [], -1
        for index, statement in enumerate(self.known[module.name][1].body):
            if any(order.origin(one, package if isinstance(package, str) else '') == source for one in trees.starred([statement])):
                star = index
            elif name in trees.bound(statement):
                places.append(index)
        return 'below' if any(index > star for index in places) else 'above' if places else None

    def starred(self, module, journal):
        """What the star imports of a module take now, one after the other: [{name: value}]."""
        package, found = module.dict.get('__package__'), []
        for one in trees.starred(self.known[module.name][1].body):
            there = host.sys.modules.get(order.origin(one, package if isinstance(package, str) else ''))
            given = journal.seen(there.__dict__) if type(there) is host.ModuleType else {}
            found.append({name: given[name] for name in exported(given) if name in given})
        return found


def foreseen(journal, plan, replaced, come):
    """The changes that follow() is to hear of in a dry run, whose JOURNAL is never carried out; new values are not known."""
    namespace, literal, changes = plan.module.dict, {}, {}
    for one in plan.statements:
        if trees.kind(one) == 'Assign' and trees.bound(one) == ['__all__'] and trees.is_literal(one.value):
            literal['__all__'] = trees.literal(one.value)
    for name in plan.gone:
        journal.set('item', namespace, name, journals.ABSENT)
    for name in list(replaced) + list(come):
        old = namespace.get(name, journals.ABSENT)
        new = journals.ABSENT if name in plan.gone else literal.get(name, changes)
        changes[name] = old, new
        journal.set('item', namespace, name, new)
    return changes


def mentions(data, needle):
    """Whether the word NEEDLE, between blanks, stands in what may be an import statement of the source DATA."""
    parts = data.replace(b'\\\r\n', b' ').replace(b'\\\n', b' ').split(b'import')
    for before, after in zip(parts, parts[1:]):
        after = after.lstrip()
        if after[:1] != b'(':
            after = after.partition(b'\n')[0]
        elif b'#' not in after:              # in a comment there may be anything
            after = after.partition(b')')[0]
        source = before.rstrip()[1 - len(needle):]
        if needle in b' %s ' % after.translate(BETWEEN) or (b' ' + source).translate(BETWEEN).endswith(needle[:-1]):
            return True
    return False


def exported(namespace):
    """The names that a star import of a module takes."""
    listed = namespace.get('__all__')
    if isinstance(listed, (list, tuple)):
        return {name for name in listed if isinstance(name, str)}
    return {name for name in list(namespace) if isinstance(name, str) and not name.startswith('_')}


def to_stars(changes, names, before, after):
    """CHANGES as those see them who took BEFORE with a star, and would take AFTER now: __all__ may have changed."""
    for name in sorted(before | after):
        old, new = changes.get(name, (names.get(name, journals.ABSENT),) * 2)
        old, new = old if name in before else journals.ABSENT, new if name in after else journals.ABSENT
        if old is not new:
            yield name, (old, new)


def follow(module, changed, exports, imports, journal, plan):
    """Rebind in other modules: CHANGED is {name: (old value, new value)} in MODULE, ABSENT for none.

    PLAN is told what was rebound, and what could not be; EXPORTS is what a star import took before.
    """
    todo = [(name, module.dict, changed, exports) for name in module.names]
    rounds = 0
    while todo and rounds < 1000:
        rounds += 1
        name, namespace, changes, before = todo.pop()
        after = exported(journal.seen(namespace))
        for other in imports.modules:
            if other.dict is namespace or other.kind != 'source':
                continue
            if not changes:
                continue
            names, star = imports.of(other, name)
            wanted, hidden = {}, set()       # names that a star import takes now, and hides a definition above it
            for theirs, (old, new) in changes.items():
                for ours in names.get(theirs, ()):
                    if new is not journals.ABSENT:   # a name that left: its holder keeps what it has
                        wanted[ours] = (old, new)
            taken = list(to_stars(changes, journal.seen(namespace), before, after)) if star else []
            stars = imports.starred(other, journal) if taken else []
            for theirs, (old, new) in taken:
                own, given = imports.binds(other, theirs, name), [one[theirs] for one in stars if theirs in one]
                new = given[-1] if given else new    # of several the last one wins
                if own == 'above' and new is journals.ABSENT:
                    if journal.get('item', other.dict, theirs) is old:
                        plan.kept_old.append({'name': '%s.%s' % (other.name, theirs), 'reason': 'it came from %s, which has it '
                                              'no more; its own definition, above the star import, does not run again' % name})
                elif own != 'below':
                    wanted.setdefault(theirs, (old, new))
                    now = journal.get('item', other.dict, theirs)
                    hidden |= {theirs} if own and old is journals.ABSENT or any(now is one for one in given) else set()
            moved = {}
            for ours, (old, new) in wanted.items():
                now = journal.get('item', other.dict, ours)
                if (now is old or ours in hidden) and now is not new and (old is not journals.ABSENT or star):
                    journal.set('item', other.dict, ours, new)
                    moved[ours] = (now, new)
                    plan.rebound.append('%s.%s' % (other.name, ours))
            if moved:
                names = exported(journal.seen(other.dict)) | set(moved)
                todo.extend((one, other.dict, moved, names) for one in other.names)


def derived(module, examined, changed, imports, ran):
    """What was made at import from the names CHANGED of MODULE, and from that in turn: [(module, name, statement, data)].

    Looked at are the assignments, defaults and class attributes of the module itself, and of those that import it;
    RAN says which statements are run again.  The source of MODULE is in EXAMINED.
    """
    found, todo, done, told = [], [(module, set(changed))], {}, set()
    while todo:
        owner, names = todo.pop(0)
        names -= done.setdefault(id(owner.dict), set())
        done[id(owner.dict)] |= names
        for other in imports.modules if names else ():
            if other.dict is owner.dict:
                data, tree = (examined.data, examined.tree) if other.dict is module.dict else imports.whole(other)
                local, short = set(names), set()
            elif other.kind == 'source':
                tree, local, short = used_by(other, owner, names, imports)
                data = imports.known.get(other.name, [b''])[0]
            if other.dict is not owner.dict and (other.kind != 'source' or not (local or short)):
                continue
            lines = {line for namespace, line in ran if namespace == id(other.dict)}
            for name, statement in dependent(tree.body, local, short, names, lines):
                if (id(other.dict), name, statement.lineno) not in told:
                    told.add((id(other.dict), name, statement.lineno))
                    found.append((other, name, statement, data))
            todo.append((other, local))
    return found


def derived_in_classes(plan, ran):
    """What statements in the body of a class made from what others there bind anew: as derived() tells it."""
    lines = {line for namespace, line in ran if namespace == id(plan.module.dict)}
    for change in plan.classes:
        names = {name for one in change.statements for name in trees.bound(one)}
        for name, statement in dependent(change.path[-1].body, names, set(), set(), lines) if names and not change.whole else ():
            if '.' not in name:              # a class in it does not see these names
                bound = ', '.join(change.name + '.' + one for one in trees.bound(statement))
                yield plan.module, bound or name, statement, plan.examined.data


def used_by(other, module, changed, imports):
    """(tree, the names in OTHER for names in CHANGED of MODULE, the names in it for MODULE itself)."""
    local, short, found = set(), set(), None
    for name in module.names:
        names, star = imports.of(other, name)
        tree = imports.statements(other, name)
        if tree is not None:
            found = tree
            local |= {ours for theirs in changed for ours in names.get(theirs, ())} | (set(changed) if star else set())
            short |= aliases(tree, name)
    return found, local, short


def dependent(statements, local, short, changed, ran, prefix=''):
    """The statements not in RAN that read what changed: (name, statement); what they bind in a module counts as well."""
    for statement in statements:
        what = trees.kind(statement)
        if trees.is_main_guard(statement):
            continue
        mine = statement.lineno not in ran and any(uses(one, local, short, changed) for one in evaluated(statement))
        inner = prefix + statement.name + '.' if what == 'ClassDef' else prefix
        below = [one for body in trees.bodies(statement) or (statement.body if what == 'ClassDef' else (),)
                 for one in dependent(body, local, short, changed, ran, inner)]
        if mine and not (below and what != 'ClassDef'):
            names = trees.bound(statement)
            if not prefix:
                local.update(names)
            yield ', '.join(dict.fromkeys(prefix + name for name in names)) or 'line %d' % statement.lineno, statement
        for one in below:
            yield one


def evaluated(statement):
    """The expressions that a statement evaluates itself: those that made a value, a condition, what is looped over, bases."""
    what = trees.kind(statement)
    if what == 'ClassDef':
        return statement.decorator_list + statement.bases + [one.value for one in statement.keywords]
    if trees.bodies(statement) or what == 'Expr':
        found = [getattr(statement, name, None) for name in ('value', 'test', 'iter', 'subject')]
        return [one for one in found if one is not None] + [one.context_expr for one in getattr(statement, 'items', ())]
    return trees.made_from(statement)


def aliases(tree, name):
    """The local names under which a tree imports the module NAME itself."""
    found = set()
    for statement in trees.inside(tree.body):
        if trees.kind(statement) == 'Import':
            found.update(one.asname or one.name for one in statement.names if one.name == name)
        elif trees.kind(statement) == 'ImportFrom':
            found.update(one.asname or one.name for one in statement.names if one.name == name.rpartition('.')[2])
    return found


def uses(node, names, modules, changed):
    """Whether an expression reads one of NAMES, or an attribute out of CHANGED of one of MODULES."""
    if trees.kind(node) == 'Lambda':         # its body reads when it is called
        return any(uses(one, names, modules, changed) for one in node.args.defaults + node.args.kw_defaults if one is not None)
    if trees.kind(node) == 'Name' and node.id in names:
        return True
    if trees.kind(node) == 'Attribute' and node.attr in changed and dotted(node.value) in modules:
        return True
    for field in node._fields:
        part = getattr(node, field, None)
        for one in part if isinstance(part, list) else [part]:
            if hasattr(one, '_fields') and uses(one, names, modules, changed):
                return True
    return False


def dotted(node):
    if trees.kind(node) == 'Name':
        return node.id
    return dotted(node.value) + '.' + node.attr if trees.kind(node) == 'Attribute' else ''

# SPDX-License-Identifier: MIT
"""What a reload will do to one module: worked out completely before anything runs, and nothing of the program runs.

Bodies of functions get new code. Module-level statements that changed or were added are run, in source order;
unchanged ones are not, unless --full or --reinit says so; --keep leaves a name alone.  Class statements that changed
keep their class.  Names that left the source are removed, unless their value is no longer the one that the source
gave them.  The body of `if __name__ == '__main__':` never runs, and `__main__` is never run as a whole.
"""
from . import baseline, codes, host, patch, sources

MAIN = ('__main__', '__mp_main__')
KEPT_NAMES = ('__name__', '__file__', '__spec__', '__loader__', '__package__', '__path__', '__cached__', '__builtins__',
              '__annotations__', '__doc__', '__annotate__', '__conditional_annotations__', '__warningregistry__')


class Plan:
    """The work on one module."""

    def __init__(self, examined, options):
        self.examined, self.module, self.options = examined, examined.module, options
        self.statements, self.classes, self.removed, self.old_classes = [], [], [], set()
        self.refused, self.undecided, self.warnings = [], [], []
        self.target = None
        self.new_names, self.decorated = set(), ()
        self.called = None                   # names whose old statements called something, such as decorators; None: unknown
        self.undecorated = []                # the statements whose decorators do not run again: see decorators.py
        self.renewed = []                    # the functions in what decorators made that got a new header
        self.followed = set()                # names that lead elsewhere, and so does what led there before
        # what is found while it is done
        self.patches, self.stuck, self.functions, self.suspended, self.forwards = [], [], [], [], None
        self.kept_old, self.changed, self.added, self.rebound, self.executed = [], [], [], [], []
        self.derived, self.gone, self.replaced, self.microseconds = [], [], [], 0
        self.shadowed = {}                   # by id of a statement: the names it binds that a later one has bound
        self.passing, self.first, self.made = {}, {}, []     # the same of one that runs too; what such names led to; codes made
        self.hidden, self.rebound_here = set(), set()  # of those, the ones read between; names that changed statements bound
        self.fresh, self.lent = set(), {}    # ids of the statements that changed or came; by id: the values lent to a statement
        self.running, self.unannotated = [], ()
        self.known = {}                      # what is told of the new source only once: see nodes() and decorators.remain()
        self.begun, self.ran = False, []     # whether anything was touched; the statements that were reached
        self.beyond = []                     # what ran code of the program, which may have done more than bind names

    def names(self, option):
        """The names of this module that an option lists: NAME or MODULE.NAME."""
        return set(map(self.module.local, self.options.get(option) or ()))

    def nodes(self, path):
        """The functions in the new code that have this path."""
        if 'nodes' not in self.known:
            found = self.known['nodes'] = {}
            for node in codes.tree(self.examined.code).walk():
                if not codes.is_class_body(node.code):
                    found.setdefault(node.path, []).append(node)
        return self.known['nodes'].get(path, ())

    def refuse(self, name, reason):
        self.refused.append({'name': name, 'reason': reason})


def make(examined, options, signatures):
    """The plan for a module that was examined and compiled."""
    plan = Plan(examined, options)
    keep, reinit = plan.names('keep'), plan.names('reinit')
    new_root = codes.tree(examined.code)
    old_root = None
    if examined.old is not None:
        old_root = codes.tree(examined.old)
        codes.match(old_root, new_root, signatures)
        compare(plan, old_root, new_root, signatures)
        if host.sys.version_info >= (3, 12) and b'\ntype ' in b'\n' + examined.data:
            aliases(plan, old_root, new_root, signatures)
    else:
        from_guess(plan)
    if options.get('full'):
        everything(plan)
    if reinit:
        host.part('steering').again(plan, reinit)
    choose(plan, keep, reinit)
    ran = ['line %d:' % one.lineno for one in plan.statements + [one for change in plan.classes for one in change.statements]]
    plan.warnings = [one for one in plan.warnings if not one.startswith(tuple(ran))]     # that they were not run again
    if (plan.statements or plan.classes) and sources.own(plan.module.loader, 'source_to_code'):
        check_transformed(plan, signatures)
    plan.removed = [name for name in plan.removed if name not in keep]
    plan.target = patch.Target(plan.module, old_root, new_root, signatures)
    return plan


def check_transformed(plan, signatures):
    """Statements run as the source has them; a loader that makes other code of it is asked for the bodies of functions only."""
    plain = host.compile_quietly(plan.examined.tree, plan.module.filename())
    if signatures.of(plain) != signatures.of(plan.examined.code):
        lines = sorted(getattr(one, 'lineno', 0) or one.path[-1].lineno for one in plan.statements + plan.classes)
        said = 'its loader transforms the source, so only bodies of functions can follow, not line %d'
        plan.refuse(plan.module.name, said % lines[0])


def compare(plan, old_root, new_root, signatures):
    """Find the statements that changed, were added or left, by comparing old code with new."""
    examined = plan.examined
    if skeleton(examined.old, signatures) == skeleton(examined.code, signatures):
        return                               # the usual edit: bodies of functions
    if plan.module.kind == 'sourceless':
        plan.refuse(plan.module.name, host.part('sourceless').REASON)
    else:
        compare_statements(plan, old_root, new_root, signatures)


def compare_statements(plan, old_root, new_root, signatures):
    """The same where the bodies of the module or of its classes differ."""
    examined = plan.examined
    units, trees, classes = host.part('units'), host.part('trees'), host.part('classes')
    others = units.apart(examined.old, examined.code, signatures)
    old, new = (units.units_of(one, signatures, others) for one in (examined.old, examined.code))
    if old is None:
        plan.refuse(plan.module.name, 'module-level statements changed, and the tables of the standard library that '
                    'are needed to tell which cannot be read')
        return
    gone, come = units.compare(old, new)
    fresh, come = come, come + host.part('shadow').overtaken(old, new, plan.module.dict)
    end, late = reached(plan.module, old, new), False
    lines = {line for unit in come for line in unit.lines + [unit.line] if line}
    for line, statement in trees.at_lines(examined.tree.body, lines):
        if id(statement) in plan.fresh:
            continue
        if line >= end and not trees.is_main_guard(statement):
            late = True
        else:
            plan.statements.append(statement)
            plan.fresh.add(id(statement))
    if late:
        plan.warnings.append('the module is still being run: changed statements from line %d on are left to it' % end)
    if any(trees.kind(one) in ('Assign', 'AnnAssign') for one in plan.statements):
        plan.statements = host.part('noted').only(plan.statements, examined.tree.body, gone, fresh)
    if any(getattr(one, 'decorator_list', ()) for one in plan.statements):
        plan.undecorated = host.part('decorators').stay(plan, plan.statements, examined.tree.body, gone, plan.module.dict,
                                                        signatures)
    stored = {name for unit in new for name in unit.names() + unit.names('STORE_GLOBAL')}
    stored.update(host.part('guess').assigned_by_functions(new_root))
    plan.new_names, plan.called = stored, units.calling(gone)
    left = sorted({name for unit in old for name in unit.names()} - stored - set(KEPT_NAMES))
    if type(plan.module.dict.get('__annotations__')) is dict:
        fields = host.part('fields')
        plan.unannotated = set(fields.annotated(gone)) - set(fields.annotated(new))
    if '__annotate__' in examined.old.co_names and '__annotate__' not in examined.code.co_names:
        plan.unannotated = {'__annotate__'}  # from 3.14 on
    stars, stores = given_by_stars(plan) if left else {}, units.stores(gone)
    defined = {node.code.co_name for node in old_root.nodes}
    for name in left:
        if name in stars:                    # its own statement left: it is the one of the star import again
            plan.statements.extend([] if stars[name] in plan.statements else [stars[name]])
        elif still_ours(plan, name, stores.get(name, ()), name in defined):
            plan.removed.append(name)
    plan.removed.extend(left_by_stars(plan, [one for unit in gone for one in units.starred(unit)], stored))
    if any(not unit.names() for unit in gone) and not come:
        plan.warnings.append('statements that left the source are not undone')
    decorated = [name for unit in gone if units.is_decorated(unit) for name in unit.names() if name in plan.removed]
    if decorated:
        plan.warnings.append('what the decorators of %s did is not undone' % ', '.join(decorated))
    plan.rebound_here = host.part('shadow').rebound(examined.tree.body, plan.statements, new, gone, fresh)
    plan.decorated = {name for unit in gone for name in unit.names() if units.has_decorators(unit)}
    plan.classes, refused = classes.changes(plan, old_root, new_root, signatures)
    plan.refused.extend(refused)
    plan.old_classes = {node.path for node in old_root.walk() if codes.is_class_body(node.code)}


def aliases(plan, old_root, new_root, signatures):
    """A type alias remembers its value: where that is another one, its statement runs again."""
    for statement in plan.examined.tree.body:
        if host.part('trees').kind(statement) == 'TypeAlias' and id(statement) not in plan.fresh:
            old, new = ([signatures.of(node.code) for node in root.walk() if node.path == statement.name.id]
                        for root in (old_root, new_root))
            if old and old != new:
                plan.statements.append(statement)
                plan.fresh.add(id(statement))


def given_by_stars(plan):
    """{name: the last statement of the new source whose star import gives it}."""
    trees, order, found = host.part('trees'), host.part('order'), {}
    for statement in plan.examined.tree.body:
        for one in trees.starred([statement]):
            found.update(dict.fromkeys(order.starred(plan.module.dict, one.level, one.module), statement))
    return found


def left_by_stars(plan, stars, stored):
    """The names that only the star imports STARS gave, which left the source."""
    found, order = {}, host.part('order')
    for level, name in stars:
        found.update(order.starred(plan.module.dict, level, name))
    for one in host.part('trees').starred(plan.examined.tree.body) if found else ():
        for name in order.starred(plan.module.dict, one.level, one.module):
            found.pop(name, None)
    return sorted(name for name in found if name not in stored and plan.module.dict.get(name) is found[name])


def reached(module, old, new):
    """The line of the new source that the module's own body, if it still runs, has come to."""
    frame = baseline.running(module)
    if frame is None:
        return float('inf')
    index = max([0] + [number for number, unit in enumerate(old) if unit.line <= frame.f_lineno])
    same = [unit.line for unit in new if unit.tokens == old[index].tokens] if old else []
    from_end = len(old) - index
    return same[-1] if same else new[max(0, len(new) - from_end)].line if new else 0


def skeleton(code, signatures):
    """What a body does by itself, without the bodies of the functions in it; classes are looked into."""
    consts, names, several = [], set(), set()
    for one in codes.children(code):
        (several if one.co_name in names else names).add(one.co_name)
    for one in code.co_consts:
        if not codes.is_code(one):
            consts.append(codes.constant_key(one))
        elif codes.is_inline(one) or one.co_name == '__annotate__' and codes.is_class_body(code):
            consts.append(signatures.of(one))  # from 3.14 on, fields are told by what makes the annotations
        else:
            below = skeleton(one, signatures) if codes.is_class_body(one) or codes.is_generic(one) else None
            if one.co_name in several:       # they may have changed places
                below = signatures.of(one)
            consts.append(('code', one.co_name, one.co_freevars, below))
    return code.co_code, code.co_names, tuple(consts), getattr(code, 'co_exceptiontable', b'')


def still_ours(plan, name, stores, defined):
    """Whether a name that left the source still has the value that the source gave it: STORES, see units.stores(), or DEFINED."""
    if name not in plan.module.dict:
        return False
    value, units = plan.module.dict[name], host.part('units')
    constants = [one[1] for one in stores if one[0] in units.CONSTANT and len(one) == 2]
    if constants and len(constants) == len(stores) and codes.live_key(value) not in constants:
        plan.warnings.append('%s left the source, and is kept: the program changed its value' % name)
        return False
    if type(value) is host.FunctionType and value.__globals__ is not plan.module.dict:
        if defined and value.__code__.co_filename != plan.module.filename() and name not in plan.called:
            plan.warnings.append('%s left the source, and is kept: the program replaced it' % name)
            return False
    return True


def from_guess(plan):
    found = plan.examined.guess
    if found is None:
        found = host.part('guess').guess(plan.module, plan.examined.code, plan.examined.tree, codes.Signatures(), plan.names('keep'))
    plan.statements, plan.undecorated = list(found.statements), list(found.undecorated)
    plan.removed, plan.warnings = list(found.removed), list(found.warnings)
    reinit = plan.names('reinit') | plan.names('keep')
    full, classes = plan.options.get('full'), host.part('classes')
    plan.undecided = [one for one in found.undecided if one['name'] not in reinit and not full]
    for one in found.undecided:              # of a class, and --reinit or --full says to take the source
        if 'owner' in one and (full or one['name'] in plan.names('reinit')):
            found.members.append((one['owner'], [one['statement']], [], (False, ())))
    plan.refused.extend(found.refused)
    named = dict(baseline.classes_of(plan.module))
    for path, statements, gone, (built, unannotated) in found.members:
        name = '.'.join(one.name for one in path)
        change = classes.Change(name, named[name], path, statements, gone)
        change.header, change.unannotated = built, unannotated
        change.undecorated = [one for one in found.undecorated if one in statements]
        reason = classes.refusal(change)
        if reason:
            plan.refuse(name, reason)
        else:
            plan.classes.append(change)
    plan.old_classes = set(named)


def everything(plan):
    """--full: every statement, save that a class which is there keeps its object and only what changed of it."""
    if plan.module.name in MAIN:
        plan.warnings.append('__main__ is never run as a whole: --full runs nothing more in it')
        return
    trees = host.part('trees')
    for statement in plan.examined.tree.body:
        known = trees.kind(statement) == 'ClassDef' and host.is_class(plan.module.dict.get(statement.name))
        if statement not in plan.statements and not known:
            plan.statements.append(statement)


def choose(plan, keep, reinit):
    """Sort out what must not run, and what stands for a refusal."""
    if plan.classes:
        host.part('classes').headers_below(plan)
    if keep and (plan.classes or plan.refused):
        host.part('steering').leave(plan, keep)
    if any(change.whole for change in plan.classes):
        host.part('fields').heirs(plan)
    if not plan.statements:
        if plan.classes:
            host.part('shadow').arrange(plan, [])
    else:
        choose_statements(plan, keep, reinit)


def choose_statements(plan, keep, reinit):
    """Of the statements of the module, those that run."""
    trees = host.part('trees')
    chosen, order = [], {id(one): number for number, one in enumerate(plan.examined.tree.body)}
    guarded = False
    for statement in sorted(plan.statements, key=lambda one: order[id(one)]):
        names = set(trees.bound(statement))
        if statement in plan.undecorated and (names & reinit or plan.options.get('full')):
            plan.undecorated.remove(statement)
        if trees.is_noted(statement) and (names & reinit or plan.options.get('full')):
            statement.noted = False
        if trees.is_main_guard(statement):
            guarded = True
        elif names & keep:
            plan.warnings.append('line %d was not run: --keep %s' % (statement.lineno, ', '.join(sorted(names & keep))))
        elif trees.kind(statement) == 'ClassDef' and statement.name in plan.old_classes and not names & reinit and \
                host.is_class(plan.module.dict.get(statement.name)):
            host.part('classes').header_too(plan, statement.name, plan.module.dict[statement.name], (statement,),
                                            statement.name in plan.decorated)
        else:
            chosen.append(statement)
    plan.statements = host.part('shadow').arrange(plan, chosen) if chosen or plan.classes else chosen
    if guarded:
        text = "the body of `if __name__ == '__main__':` never runs again"
        others = chosen or plan.classes or plan.removed or differs_below(plan)
        if plan.module.name in MAIN and not others:
            plan.refuse(plan.module.name, text + ', and nothing else changed')
        elif plan.module.name in MAIN:
            plan.warnings.append(text + '; it changed')


def differs_below(plan):
    """Whether any function changed: then there is more to the edit than module-level statements."""
    if plan.examined.old is None:
        return bool(plan.examined.guess and plan.examined.guess.changed)
    signatures = codes.Signatures()
    old = {signatures.of(one) for one in codes.children(plan.examined.old)}
    return old != {signatures.of(one) for one in codes.children(plan.examined.code)}

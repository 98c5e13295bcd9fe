# SPDX-License-Identifier: MIT
"""Carries out plans, all of them or none.

For each module, dependencies first: the statements and class members that changed, in source order; then names that left
the source go, and names in other modules follow.  None of it is seen by others before the end, when it all becomes true at
one moment together with the new code of functions: what a statement binds is kept aside (staging.py says for which that is
possible).  The first statement that may call a function that changes ends this: what there is of new code is made true then,
for all modules at one moment, after the names that it may need, and what follows is seen as it is done.

Whatever happens, a syntax error in an imported file, an exception, SystemExit, an interrupt, everything is put back from the
journal.  What statements did outside of the modules' names cannot be taken back; the report lists the statements.
"""
from . import baseline, codes, forecast, host, journal as journals, living, patch


class Broken(Exception):
    """A plan could not be carried out; everything was put back, but for what `lost` names."""

    def __init__(self, error, plan, lost):
        Exception.__init__(self, str(error))
        self.error, self.plan, self.lost = error, plan, lost


class Transaction:
    def __init__(self, plans, modules, context, signatures):
        self.plans, self.context, self.signatures = plans, context, signatures
        self.journal, self.heap = journals.Journal(), living.Heap(context)
        self.modules, self.imports = modules, None
        self.names = {name: plan.module for plan in plans for name in plan.module.names}
        self.current = plans[0] if plans else None
        self.begun, self.broken = False, None
        self.cause = None                    # what ended it
        self.unsettled = [True]              # empty from the moment on at which all is true, and stays so
        self.opened, self.early = False, {}  # whether new code is seen; the statements that ran before their turn

    def prepare(self):
        """Find the functions, and say what will be."""
        found = self.heap.functions(self.plans)
        for plan in self.plans:
            plan.functions = found[id(plan.module.dict)]
            plan.patches, plan.stuck = patch.patches(plan.target, plan.functions)
            if any('<' in one.path for one in plan.patches + plan.stuck):
                host.part('defaults').prepare(plan, self.signatures)
            plan.suspended = living.may_be_suspended(plan.patches + plan.stuck, plan.functions, self.signatures)
            if plan.stuck or any(codes.forwards_to(one) is not None for one in plan.functions):
                host.part('trampolines').prepare(plan)
            if plan.classes:
                host.part('classes').bound_alike(plan)
            forecast.foresee(plan)
            for name in patch.compiled(plan) if 'numba' in host.sys.modules else ():
                plan.kept_old.append({'name': name, 'reason': 'numba has compiled it, and goes on with that until %s.recompile() '
                                      'is called, by __reload_after__ say' % name})
            if self.hooks(plan):
                host.part('hooks').foresee(plan)

    def hooks(self, plan):
        """Whether the module has functions that want to be called before or after."""
        names = '__reload_before__', '__reload_after__'
        return any(name in plan.module.dict or name in plan.examined.code.co_names for name in names)

    def run(self):
        """Do it; Broken when it could not be done, and nothing changed."""
        self.begun = True
        try:
            self.prepare()
            self.check_stacks()
            self.check_members()
            hooks = host.part('hooks') if any(map(self.hooks, self.plans)) else None
            if hooks:
                hooks.before(self)
            for plan in self.plans:
                patch.apply(plan, self.journal)
            for plan in self.plans:
                self.current, plan.begun = plan, True
                if plan.statements or plan.classes or plan.removed or plan.unannotated:
                    self.module(plan)
            self.commit()
            self.check_stacks()
            if hooks:
                hooks.after(self)
            for plan in self.plans:
                self.current = plan
                self.finish(plan)
            if any(codes.children(one.old) for plan in self.plans for one in plan.patches if one.changed):
                host.part('late').find(self)
            self.journal.call(self.unsettled.clear)
            self.journal.commit()
        except BaseException as error:
            self.cause = error               # known, even if something ends this too
            if not self.unsettled:
                raise
            surely = getattr(self.context, 'surely', lambda action: action())
            raise Broken(error, self.current, surely(self.journal.roll_back)) from None

    def commit(self):
        """All that was prepared becomes true, and caches of functions that changed are empty."""
        held = []                            # what the caches hold may have finalizers
        for plan in self.plans:
            patch.follow_lines(plan, self.journal)
            patch.follow_copies(plan.module, self.journal)
            if host.sys.version_info >= (3, 14) and any(one.changed and one.path.endswith('__annotate__') for one in plan.patches):
                host.part('fields').forget(plan, self.journal)
            patched = {id(one.function) for one in plan.patches if one.changed} | set(map(id, plan.renewed))
            for wrapper in patch.wrapper_caches(plan.module, patched, self.journal):
                held.extend(dict(one) for one in host.gc.get_referents(wrapper) if type(one) is dict)
                self.journal.forget(wrapper, 'cache')
        self.journal.commit()

    def open(self):
        """From now on new code is seen, since what comes next may run it; names that it may need come first."""
        if self.opened:
            return self.journal.commit()
        self.opened = True
        for plan in self.plans:
            for one, judge in host.part('staging').early(plan, self):
                self.early.setdefault(id(plan), {})[id(one)] = one
                self.statement(plan, one, judge)
        self.commit()

    def check_stacks(self):
        """--on-stack: nothing may go on in old code, unless it is only to be reported."""
        policy = self.plans[0].options.get('on_stack') if self.plans else None
        if policy in ('refuse', 'wait'):
            host.part('onstack').check(self.plans, self.context, policy)

    def check_members(self):
        """What members of an enumeration cannot become is refused before anything runs, as far as the text tells."""
        for plan in self.plans:
            self.current = plan
            for change in plan.classes if 'enum' in host.sys.modules else ():
                if change.path and change.whole and host.part('remake').is_enum(change.kind):
                    host.part('losses').possible_members(plan, change)

    def module(self, plan):
        start, staging = host.time.perf_counter(), host.part('staging')
        before = self.journal.seen(plan.module.dict)
        for name in plan.removed:            # first: what runs now must do without them
            self.journal.set('item', plan.module.dict, name, journals.ABSENT)
        notes = plan.module.dict.get('__annotations__')
        if '__annotate__' in plan.unannotated:
            host.part('fields').drop(plan, self.journal)
        for name in plan.unannotated if type(notes) is dict else ():
            self.journal.set('item', notes, name, journals.ABSENT)
        work = [(one.lineno, number, one) for number, one in enumerate(plan.statements)]
        work += [(one.path[-1].lineno, -1 - number, one) for number, one in enumerate(plan.classes)]
        for _, _, one in sorted(work, key=lambda item: item[:2]):
            if id(one) in self.early.get(id(plan), ()):
                continue
            judge = staging.can_wait(plan, one, self)
            if judge is None:
                self.open()
                plan.beyond.append('line %d' % (one.path[-1] if hasattr(one, 'staged') else one).lineno)
            if hasattr(one, 'staged'):
                self.change(plan, one)
            else:
                self.statement(plan, one, judge)
        for one in self.early.get(id(plan), {}).values():
            for name in host.part('trees').bound(one):
                before.pop(name, None)
        changed = self.differences(before, self.journal.seen(plan.module.dict))
        if changed or plan.hidden:
            rebind = host.part('rebind')
            if self.imports is None:
                self.imports = rebind.Imports(self.modules, self.context)
            exports = rebind.exported(before)
            rebind.follow(plan.module, changed, exports, self.imports, self.journal, plan)
        plan.replaced = sorted(set(changed) - plan.followed | plan.hidden, key=str)
        plan.microseconds = int((host.time.perf_counter() - start) * 1e6)

    def differences(self, before, now):
        """{name: (old, new)} for the names of a module whose value is another object now."""
        absent, now = journals.ABSENT, dict(now)
        changed = {name: (before.get(name, absent), new) for name, new in now.items() if before.get(name, absent) is not new}
        if len(now) - len([name for name in changed if name not in before]) < len(before):
            changed.update((name, (old, absent)) for name, old in before.items() if name not in now)
        for name in ('__builtins__', '__annotations__', '__warningregistry__'):
            changed.pop(name, None)
        return changed

    def watched(self, plan, function, *args):
        """Run code of the program, and write down what it did to the module's names, even if it fails."""
        loaded, notes = dict(host.sys.modules), plan.module.dict.get('__annotations__')
        before = [(one, dict(one)) for one in (plan.module.dict, notes) if type(one) is dict]
        try:
            return function(*args)
        finally:
            if len(host.sys.modules) != len(loaded) or host.sys.modules.keys() != loaded.keys():
                host.part('newcomers').note(loaded, self.journal)
            for namespace, names in before:
                self.noted(namespace, names)
            if notes is None and '__annotations__' in plan.module.dict:
                made = plan.module.dict['__annotations__']
                self.journal.note('item', plan.module.dict, '__annotations__', journals.ABSENT, made)

    def noted(self, namespace, before):
        """Write down what became of the names of a module, or of its annotations, that had those of BEFORE."""
        for name, (old, new) in self.differences(before, namespace).items():
            self.journal.note('item', namespace, name, old, new)

    def statement(self, plan, statement, judge):
        """Run one statement of a module in its own namespace; with a JUDGE what it binds is not seen before the commit."""
        module, names = plan.module, host.part('trees').bound(statement)
        shadowed, passing = plan.shadowed.get(id(statement), ()), plan.passing.get(id(statement), ())
        before, code = self.before(plan, set(names).union(shadowed), passing), self.compiled(plan, statement)
        self.context.sources[module.filename()] = plan.examined.data
        forecast.show(plan.ran, statement, before, plan.examined)
        if judge is None and id(statement) not in plan.lent:
            self.watched(plan, self.context.user, host.builtin('builtins').exec, code, module.dict)
        else:
            host.part('staging').execute(plan, statement, code, self, judge)
        nodes = list(codes.tree(code).walk())
        made = {id(node.code) for node in nodes + plan.made}
        plan.made += nodes if passing else []
        for name in names:
            if name not in shadowed and name not in passing:
                self.settle(plan, name, before, made, statement)
        for name in shadowed:
            self.journal.set('item', module.dict, name, before.get(name, journals.ABSENT))
        forecast.corrected(plan, names, self.named(plan, names))

    def before(self, plan, names, passing):
        """What NAMES lead to before a statement runs: where one above it ran and was PASSING, before that one ran."""
        found = self.named(plan, names)
        for name in passing:
            plan.first.setdefault(name, found.get(name, journals.ABSENT))
        found.update((name, plan.first[name]) for name in names if name in plan.first)
        return {name: value for name, value in found.items() if value is not journals.ABSENT}

    def compiled(self, plan, statement):
        """The code of one statement, in its place in the source."""
        tree, trees, classes = plan.examined.tree, host.part('trees'), host.part('classes')
        flags, undecorated = plan.examined.code.co_flags & host.FUTURE_FLAGS, [one for one in plan.undecorated if one is statement]

        def run(one):
            return trees.alone(tree, [one], lambda: classes.compiled(tree, plan.module.filename(), flags, undecorated))

        if not any(type(one).__name__ == 'AnnAssign' for one in trees.inside([statement])):
            return run(statement)
        return trees.without_values([statement], lambda: host.part('fields').without(plan, statement, self.journal, run))

    def named(self, plan, names):
        """Those of NAMES that a module has, or will have: {name: value}."""
        found = [(name, self.journal.get('item', plan.module.dict, name)) for name in names]
        return {name: value for name, value in found if value is not journals.ABSENT}

    def settle(self, plan, name, before, made, statement):
        """After a statement bound NAME: a function that was there before becomes the new one and stays."""
        new = self.journal.get('item', plan.module.dict, name)
        if name not in before:
            return
        old = before[name]
        if statement in plan.undecorated and host.part('classes').renew(plan, old, new, name, self.journal):
            self.journal.set('item', plan.module.dict, name, old)
            return
        if type(old) is host.FunctionType and type(new) is host.FunctionType and id(new.__code__) in made and \
                old.__globals__ is plan.module.dict and codes.same_place(old, new) and \
                patch.transplant(old, new, self.journal):
            if plan.called is None or name in plan.called:
                host.part('decorators').gone(plan, name, old, new, self.journal)
            self.journal.set('item', plan.module.dict, name, old)
        elif old is not new and (type(statement).__name__ in ('FunctionDef', 'AsyncFunctionDef') or
                                 codes.defined_as(old, name, plan.module.dict) and self.succeeds(new, name, made)):
            self.journal.set('item', plan.module.dict, name, host.part('trampolines').succeed(plan, name, old, new, self.journal))
        elif host.is_class(old) and host.is_class(new) and old is not new and \
                type(statement).__name__ not in ('Import', 'ImportFrom'):
            host.part('remake').settle(self, plan, name, old, new, statement)
        elif old is not new and (host.is_class(old) or type(old) is host.FunctionType or hasattr(type(old), 'cache_info')):
            host.part('trampolines').depart(plan, name, old, new, self.journal)

    def succeeds(self, new, name, made):
        """Whether NEW was made for NAME, by the statement that ran, or in another module of which it is imported now."""
        return type(new) is host.FunctionType and (id(new.__code__) in made or new.__code__.co_name == name)

    def change(self, plan, change):
        """Make the members of a class that changed, then move them onto it."""
        self.context.sources[plan.module.filename()] = plan.examined.data
        for statement in change.statements:
            forecast.show(plan.ran, statement, host.class_dict(change.kind), plan.examined)
        if change.header or change.whole:
            forecast.show(plan.ran, change.path[-1], {change.path[-1].name: self}, plan.examined)
            host.part('remake').run(self, plan, change)
            return
        classes = host.part('classes')
        self.watched(plan, classes.stage, change, plan.module, plan.examined.tree, plan.examined.code, self.context)
        self.members(plan, change)

    def members(self, plan, change):
        """Move the members that were made onto the class."""
        changed, added = host.part('classes').commit(change, plan, self.journal)
        if change.path:
            plan.changed.extend(changed)
            plan.added.extend(added)
            there = forecast.known(dict(host.class_dict(change.kind), **change.staged))
            forecast.corrected(plan, forecast.members_of(change), there, change.name + '.')

    def finish(self, plan):
        """What follows from the new code, and the check that nothing that can be reached runs the old one."""
        touched = {id(change.kind) for change in plan.classes}
        paths = {one.path.rpartition('.')[0] for one in plan.patches if one.changed}
        for name, kind in baseline.classes_of(plan.module):
            if (id(kind) in touched or name in paths) and any(one.__name__ == 'ABCMeta' for one in type(kind).__mro__):
                host.part('classes').refresh_abstract(kind, self.journal)
        known = baseline.known(plan.examined.code, self.signatures)
        named = {id(value) for value in list(plan.module.dict.values())}
        told = {one['name'] for one in plan.kept_old}
        stuck = {id(one.function): (one.path, one.reason) for one in plan.stuck}
        left = [(one, stuck.get(id(one), (codes.path_of(one), 'no way was found to replace it')))
                for one in baseline.reachable(plan.module) if baseline.place(one, self.signatures) not in known]
        kept = plan.target.classes           # a class that left is kept by who holds it
        left = [found for one, found in left if id(one) in named or
                '<locals>' not in found[0] and '<lambda>' not in found[0] and found[0] not in told and
                found[0].rpartition('.')[0] in [''] + list(kept)]
        if left and plan.examined.old is not None:
            raise host.Refusal('refused', '%s.%s would go on running old code: %s' % ((plan.module.name,) + left[0]),
                               module=plan.module.name)

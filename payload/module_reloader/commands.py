# SPDX-License-Identifier: MIT
"""The commands that reload: choose the modules, plan, carry out, check, remember, report."""
from . import codes, forecast, history, host, living, order, plan as plans, report, running, scope, stale, state, transaction

AGAIN = 'try again when that has ended'
TRIES = 400     # handlers of the program may raise a thousand times a second


class Result:
    """What a command found and did: the parts of its answer."""

    def __init__(self):
        self.status, self.modules, self.error, self.heap, self.excluded = 0, [], None, None, []

    def answer(self):
        return {'status': self.status, 'modules': self.modules, 'error': self.error, 'heap': self.heap,
                'excluded_stale': self.excluded}


class Work:
    """One reload command."""

    def __init__(self, context, options, command, who=None):
        self.context, self.options, self.command, self.who = context, options, command, who or {}
        self.signatures, self.result, self.plans, self.moved = codes.Signatures(), Result(), [], []
        self.began = host.time.time()        # no source was read before
        self.former, self.whys = {}, {}      # by name of a module: what was known to run before, why it was stale
        self.steps, self.id = None, state.STATE['last'] + 1
        living.WALKS.clear()
        self.found, self.entries = False, []     # how far the telling of it has come

    def fail(self, error, name, bad=()):
        """The command ends without having changed anything; ERROR says why, at the module NAME, or at those in BAD."""
        result = self.result
        result.status = 7 if error['code'] == 'interrupted' else 1
        result.error = dict(report.error(error['code'], error['message']), **error)
        result.error['module'] = result.error['module'] or name
        for plan in self.plans:
            plan.executed, plan.changed, plan.added, plan.gone, plan.rebound = plan.ran, [], [], [], []
            if not bad:                      # what would have stayed is no reason
                plan.kept_old, plan.stuck = [], []
            failed = plan.module.name == name or plan.module.name in bad
            shown = 'failed' if failed else 'restored' if plan.begun else 'skipped'
            result.modules.append(report.planned(plan, shown, None if shown == 'skipped' else self.why(plan.examined)))
        return result

    def why(self, examined):
        return state.why_stale(examined.module, examined.data) if examined.state == 'stale' else 'forced'

    def examine(self, modules, named):
        """Sort the modules into those to plan, and those that need nothing."""
        force = bool(self.options.get('force'))
        todo, problems = [], []
        for module in modules:
            if module.initializing():
                if named:
                    problems.append((module, {'code': 'refused', 'message': 'it is being imported just now', 'hint': AGAIN}))
                else:
                    self.skip(module, 'it is being imported just now')
                continue
            keep = {text.rpartition('.')[2] for text in self.options.get('keep') or ()}
            one = stale.examine(module, self.context, self.signatures, force, keep)
            forced = named and (self.options.get('full') or self.options.get('reinit'))
            if one.problem is not None:
                if not named and (one.state == 'missing' or stale.is_foreign(one)):
                    self.skip(module, one.problem['message'])
                else:
                    problems.append((module, one.problem))
            elif one.state == 'stale' or forced:
                if one.code is None:
                    one = self.again(one)
                todo.append(one)
            else:
                self.unchanged(one, named)
        return todo, problems

    def again(self, one):
        """The same module with its code, when it was not needed to know that it is fresh."""
        record, module = state.tracked(one.module), one.module
        one.code, one.tree = stale.sources.compiled(one.data, module.filename(), self.context, module.loader)
        one.old = one.code if record is not None else None
        return one

    def unchanged(self, one, named):
        if one.moved:
            self.moved.append(one)
        said = list(one.guess.warnings) if one.guess is not None else []
        if one.moved:
            said.append('only lines moved: tracebacks follow')
        if named or said:
            self.result.modules.append(report.module(one.module.name, one.module.path, 'unchanged', None, one.baseline,
                                                     warnings=said))

    def skip(self, module, reason):
        self.result.modules.append(report.module(module.name, module.path, 'skipped', warnings=[reason]))

    def run(self, modules, named):
        """The whole command, on MODULES, which the user NAMED or which are all there are."""
        if not getattr(host.sys, '_is_gil_enabled', lambda: True)() and not self.options.get('force'):
            raise host.Refusal('refused', 'this process runs without a GIL: code cannot be changed at one moment for all '
                               'its threads', '--force does it all the same')
        todo, problems = self.examine(modules, named)
        self.plans = [plans.make(one, self.options, self.signatures) for one in todo]
        if problems:
            return self.bad_sources(problems)
        if self.options.get('dependents') and self.plans:
            self.plans = host.part('dependents').extend(self, self.plans)
        self.plans = order.arrange(self.plans)
        if self.options.get('keep') or self.options.get('reinit'):
            host.part('steering').check(self, scope.modules())
        if any(plan.refused or plan.undecided for plan in self.plans):
            return self.refused()
        work = transaction.Transaction(self.plans, scope.modules, self.context, self.signatures)
        if self.options.get('dry_run'):
            return self.dry(work)
        for plan in self.plans:
            locked = order.locked(plan) if plan.statements else None
            if locked is not None:
                return self.fail({'code': 'refused', 'message': 'it imports %s, which another thread is importing just now' % locked,
                                  'hint': AGAIN}, plan.module.name)
        self.others = self.result.modules
        surely = getattr(self.context, 'surely', lambda action: action())
        result = surely(lambda: self.outcome_at_last(work))
        known = 'the work was done' if not work.unsettled else 'nothing was changed' if work.broken is not None else \
            'how far the work came is not known'
        work.cause = work.broken = None      # their tracebacks hold all that was looked at, and it them
        if result is not None:
            return result
        self.result.status, self.result.modules = 1, self.others
        self.result.error = report.error('interrupted-by-program',
                                         'a signal handler of the program raised again and again: ' + known)
        return self.result

    def outcome_at_last(self, work):
        """The outcome, however often a handler of the program raises; what it raised is noted, its traceback is let go."""
        take = getattr(self.context, 'take', lambda error: None)
        for _ in range(TRIES):
            try:
                try:
                    return self.outcome(work)
                except BaseException as error:
                    if work.cause is None:   # it came where the work could not take note of it
                        work.cause = error
                    if take(error) is None:
                        raise
            except BaseException as error:   # another one, right where that was caught
                if take(error) is None:
                    raise
                if work.cause is None:
                    work.cause = error.__context__ or error
        return None

    def outcome(self, work):
        """Carry it out, and say what became of it; when something ends this in the middle, it is called again."""
        self.result.modules = list(self.others)
        if not work.begun:
            try:
                work.run()
            except transaction.Broken as broken:
                work.broken = broken
        if work.unsettled and work.broken is None:
            work.broken = transaction.Broken(work.cause or KeyboardInterrupt(), work.current, work.journal.roll_back())
        if work.broken is not None:
            return self.broken(work.broken)
        return self.done(work)

    def bad_sources(self, problems):
        for number, (module, problem) in enumerate(problems):
            said = [report.told(problem)] if number else []  # the first one is the error
            self.result.modules.append(report.module(module.name, module.path, 'failed', 'content', warnings=said))
        module, problem = problems[0]
        return self.fail(problem, module.name)

    def refused(self):
        """Some module cannot be reloaded: say all about all of them, and how to reload the others."""
        undecided = [(plan, one) for plan in self.plans for one in plan.undecided]
        refused = [(plan, one) for plan in self.plans for one in plan.refused]
        lines = ['%s.%s: %s' % (plan.module.name, one['name'], one['reason']) if one['name'] != plan.module.name else
                 '%s: %s' % (one['name'], one['reason']) for plan, one in refused]
        lines += ['%s.%s is %s, and the source says %s (line %d): the source may have changed, or the program the value'
                  % (plan.module.name, one['name'], one['live'], one['source'], one['line']) for plan, one in undecided]
        for plan in self.plans:
            plan.kept_old = list(plan.refused)
            plan.kept_old.extend({'name': one['name'], 'reason': 'undecided: it is %s, the source says %s'
                                  % (one['live'], one['source'])} for one in plan.undecided)
        bad = {plan.module.name for plan, _ in refused + undecided}
        good = [plan.module.name for plan in self.plans if plan.module.name not in bad]
        hints = []
        if undecided:
            names = ' '.join('--keep %s' % one['name'] for _, one in undecided[:3])
            hints.append('%s leaves the value, --reinit NAME takes the source, --full runs all statements' % names)
        if good:
            hints.append('reload %s takes the others' % ' '.join(good))
        first = (refused or undecided)[0][0].module
        return self.fail({'code': 'refused' if refused else 'undecided', 'message': '; '.join(lines), 'file': first.path,
                          'line': undecided[0][1]['line'] if undecided and not refused else None,
                          'hint': '; '.join(hints) or None}, first.name, bad)

    def dry(self, work):
        work.prepare()
        try:
            work.check_stacks()
            for plan in self.plans:
                work.current = plan
                if plan.statements or plan.classes:
                    host.part('losses').foresee(plan)
        except host.Refusal as refusal:
            return self.fail(refusal.error, work.current.module.name)
        running.find(self.plans, work.heap)
        imports, journal = None, host.part('journal').Journal()      # it is never carried out
        for plan in self.plans:
            news = [name for name in plan.added if '.' not in name] + forecast.starred(plan, False)
            changes = dict.fromkeys(plan.replaced + forecast.led(plan))
            if changes or news:
                rebind, exports = host.part('rebind'), host.part('rebind').exported(journal.seen(plan.module.dict))
                imports = imports or rebind.Imports(work.modules, self.context)
                rebind.follow(plan.module, rebind.foreseen(journal, plan, changes, news), exports, imports, journal, plan)
            self.derive(plan, imports)
            entry = report.planned(plan, 'would-reload', self.why(plan.examined))
            if self.options.get('verbose') and plan.module.kind == 'source':
                entry['diff'] = host.part('differ').unified(plan)
            self.result.modules.append(entry)
        self.result.heap = work.heap.told()
        return self.result

    def derive(self, plan, imports):
        ran, found, told, lines = forecast.lines_run(self.plans), [], set(), {}
        if plan.replaced:
            found = host.part('rebind').derived(plan.module, plan.examined, plan.replaced, imports, ran)
        if plan.classes:
            found = found + list(host.part('rebind').derived_in_classes(plan, ran))
        if plan.module.kind == 'source' and (plan.statements or plan.classes or any(one.changed for one in plan.patches)):
            found = found + host.part('called').derived(self, plan, self.importers(imports), ran)
        if plan.module.kind == 'source' and plan.target.exact and b'lambda' in plan.examined.data:
            found = found + host.part('spent').derived(plan, self.signatures)
        for module, name, statement, data in found:
            if (module.name, name, statement.lineno) not in told:
                told.add((module.name, name, statement.lineno))
                if id(data) not in lines:
                    lines[id(data)] = data.split(b'\n')
                plan.derived.append({'module': module.name, 'name': name, 'line': statement.lineno,
                                     'text': host.part('trees').text_of(statement, lines[id(data)])})

    def importers(self, imports=None):
        """What gives the one rebind.Imports of this command, made when it is first needed."""
        made = [imports] if imports is not None else []

        def get():
            if not made:
                made.append(host.part('rebind').Imports(scope.modules, self.context))
            return made[0]
        return get

    def broken(self, broken):
        error, name = broken.error, broken.plan.module.name if broken.plan else None
        if broken.lost:
            self.context.notes.append('could not be put back: ' + ', '.join(broken.lost))
        if report.beyond(self.plans):
            self.context.notes.append(report.beyond(self.plans))
        if hasattr(error, 'error') and isinstance(error.error, dict):
            found = error.error
        elif hasattr(self.context, 'failure'):
            found = self.context.failure(error)
        else:
            self.fail({'code': 'exception', 'message': str(error)}, name)
            raise error
        return self.fail(found, name)

    def done(self, work):
        """It is true now and stays so: whatever ends this in the middle, it goes on at the step that was ended."""
        entries = self.entries
        if not self.found:
            running.find(self.plans, work.heap)
            self.found = True
        for plan in self.plans[len(entries):]:
            self.derive(plan, work.imports)
            entry = report.planned(plan, 'reloaded', self.whys.setdefault(plan.module.name, self.why(plan.examined)))
            self.remember(plan, True)
            if stale.examine(plan.module, self.context, self.signatures).state != 'fresh':
                entry['warnings'].append('the source has changed again meanwhile')
            entries.append(entry)
        if self.steps is None:
            self.steps = work.journal.steps + self.follow_lines()
        if self.plans:
            history.record(self, self.steps, self.former)
        self.result.heap, self.result.modules = work.heap.told(), self.others + entries
        self.context.result = dict(self.result.answer(), engine=host.VERSION)
        return self.result

    def remember(self, plan, exact):
        self.former.setdefault(plan.module.name, state.tracked(plan.module))
        state.remember(plan.module, plan.examined.data, self.began, exact)

    def follow_lines(self):
        """Modules where only lines moved run the same code as before: their tracebacks get the right lines."""
        if not self.moved or self.options.get('dry_run'):
            return []
        made = [plans.make(one, {}, self.signatures) for one in self.moved]
        work = transaction.Transaction(made, list, self.context, self.signatures)
        try:
            work.run()
        except transaction.Broken:
            return []
        for plan in made:
            self.remember(plan, False)
        return work.journal.steps


def reload_named(targets, context, options, who=None):
    work = Work(context, options, 'reload', who)
    if not targets:
        raise host.Refusal('no-such-module', 'reload needs a module or a path', 'reload-stale takes all that changed')
    modules = host.part('resolve').resolve(targets, context)
    result = work.run(modules, True)
    if result.status and result.error['code'] == 'exception':
        result.error['hint'] = needed(context, {module.name for module in modules})
    return result


def needed(context, named):
    """The hint for new code that failed: perhaps it is made for that of another module, which was not NAMED."""
    found = host.part('listing').stale_ones(context, False)[0]
    left = [one['name'] for one in found if one['state'] == 'stale' and one['name'] not in named]
    return 'reload-stale takes %s too' % ', '.join(left[:4] + ['...'][:len(left) - 4]) if left else None


def reload_stale(context, options, who=None):
    work = Work(context, options, 'reload-stale', who)
    everything = bool(options.get('all'))
    modules, others = stale.choose(context, everything)
    result = work.run(modules, False)
    result.excluded = stale.left_out(others, context, work.signatures, options.get('verbose'))
    return result

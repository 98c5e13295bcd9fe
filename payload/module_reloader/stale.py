# SPDX-License-Identifier: MIT
"""Whether a module runs what its source says: content decides, and evidence says which modules are worth compiling.

The evidence is what nobody fakes: the ctime of the source and of every link on its path, against the time when the
module was loaded, or, when that is not known, before which nothing in this process was.  A module that passes it is
compared by content: with the source that tracking kept, else as code with its baseline, else with the live objects.
"""
from . import baseline, evidence, host, scope, sources, state

BUDGET = 0.05                                # seconds for a look at modules that a command is not about
SLACK = 100000000                            # ns: the kernel's clock for files is coarser than the process's
SECOND = 1000000000


FILES = ('source', 'sourceless')             # kinds of modules that come out of a file that can be read again


class Examined:
    """What was found out about one module.

    state is fresh, stale, missing, sourceless or another kind of module that has no source; moved says that only
    lines moved; problem is what stands in the way of its source.
    """

    def __init__(self, module):
        self.module, self.state, self.problem, self.moved = module, 'fresh', None, False
        self.data = self.stat = self.code = self.tree = self.old = self.guess = None
        self.baseline, self.rows = 'none', None

    def lines(self):
        """The lines of the source."""
        self.rows = self.data.split(b'\n') if self.rows is None else self.rows
        return self.rows


def doubtful(context, entries):
    """(those of ENTRIES whose files may be newer than this process, what was told: {path: newest})."""
    entries = [one for one in entries if type(one[2]) is str]
    paths = [one[2] for one in entries]
    born = int(scope.born() * SECOND)
    before = born - SECOND                   # there is no doubt: the usual case, in a plain loop
    found = [(one, path, newest) for one, path, newest in zip(entries, paths, evidence.newest(paths, context))
             if not (0 < newest <= born and (newest <= before or newest % SECOND))]
    return [one for one, _, _ in found], {path: newest for _, path, newest in found}


def suspects(context, rows, told=()):
    """Those of ROWS whose source may not be what they run; TOLD: what is known already."""
    rows, tracked, born = [row for row in rows if row[2].kind in FILES], state.STATE['tracked'], int(scope.born() * SECOND)
    paths = [row[2].archive or row[2].file for row in rows]
    asked = [path for path in paths if path not in told]
    numbers = dict(told)
    numbers.update(zip(asked, evidence.newest(asked, context)))
    return [row for row, path in zip(rows, paths) if changed(row[2], numbers[path], tracked.get(row[0]), born)]


def changed(known, newest, record, born):
    """Whether a source, as new as NEWEST, may be other than it was when it was loaded, or last found to be the same."""
    if newest == known.seen and record is known.record:
        return False
    known.newest = newest
    if record is not None and record['id'] in (None, known.ident):
        born = int(record['time'] * SECOND) - SLACK
    return newest <= 0 or newest > born - (SECOND if newest % SECOND == 0 else 0)  # some file systems know no fractions


def settle(known, record):
    """Its source was read, and is what the module runs: until its evidence changes, nobody needs to read it again."""
    if 0 < known.newest < int(host.time.time() * SECOND) - SLACK:
        known.seen, known.record = known.newest, record


def examine(module, context, signatures, force=True, keep=()):
    """Find out whether MODULE is stale, by content."""
    result = Examined(module)
    if module.kind not in FILES:
        result.state = module.kind
        return result
    bare = host.part('sourceless') if module.kind == 'sourceless' else None
    record = state.tracked(module)
    try:
        result.data, result.stat = sources.read(module.path, module.loader, context)
        if record is not None and record['source'] == result.data and not record.get('undone'):
            result.baseline = 'tracked'
            settle(module.known, record)
            return result
        if bare is not None:
            bare.load(result, context)
        else:
            result.code, result.tree = sources.compiled(result.data, module.filename(), context, module.loader, force)
    except sources.Problem as problem:
        result.problem = problem.error
        result.state = 'missing' if problem.error['code'] == 'missing-source' else 'stale'
        return result
    if bare is not None:
        result.old = bare.known(module, signatures)
        result.baseline = 'none' if result.old is None else 'tracked'
    else:
        result.baseline, result.old = baseline.find(module, result.stat, context, signatures)
    if result.old is not None:
        same = signatures.of(result.old) == signatures.of(result.code)
        result.moved = same and result.old.co_filename is not None and lines(result.old) != lines(result.code)
    else:
        result.guess = one = host.part('guess').guess(module, result.code, result.tree, signatures, keep)
        if bare is not None:
            bare.doubt(one, module, result.code, signatures)
        same = not (one.changed or one.removed or one.statements or one.members or one.undecided or one.refused)
        result.moved = same and one.moved
    result.state = 'fresh' if same else 'stale'
    if not same and not force and bare is None:
        result.problem = sources.loader_problem(module)
    if same and not result.moved and (result.guess is None or not keep and not result.guess.warnings):
        settle(module.known, record)         # with doubts, or because of --keep, it is looked at again
    return result


def choose(context, everything):
    """(the modules with a source that a command is about and that may be stale, those that it leaves out)."""
    if everything:
        rows, others = scope.rows()
        return scope.made([row for row in rows if row[2].kind in FILES], others), []
    chosen, told = doubtful(context, scope.entries())
    rows, others = scope.rows(chosen)
    found = suspects(context, rows, told)
    return (scope.made([row for row in found if not row[2].excluded], others),
            scope.made([row for row in found if row[2].excluded], others))


def look(rows, others, context, signatures):
    """Each of ROWS, examined if evidence says that this is worth while."""
    open_ones = {row[2].ident for row in suspects(context, rows)}
    for module in scope.made(rows, others):
        looks = module.known.ident in open_ones or module.kind not in FILES
        yield examine(module, context, signatures, False) if looks else Examined(module)


def left_out(modules, context, signatures, verbose):
    """The names of changed ones among MODULES, of the standard library and installed packages, which commands leave out.

    After an upgrade under a running process there are hundreds; how many a short look does not come to depends on the
    moment, and only VERBOSE says it.
    """
    found, more, end = [], 0, host.time.perf_counter() + BUDGET
    for module in modules:
        if host.time.perf_counter() > end:
            more += 1
            continue
        one = examine(module, context, signatures, False)
        if one.state == 'missing' or one.state == 'stale' and is_certain(one):
            found.append(module.name)
    if more and verbose:
        context.notes.append('%d more installed modules may have changed: --all looks at them' % more)
    return found


def is_foreign(examined):
    """Whether a module that its own loader made by hand, as bottle.ext is, only says that it came from its file."""
    module = examined.module
    return examined.problem['code'] == 'refused' and module.known.spec is None and not baseline.reachable(module)


def is_certain(examined):
    """Whether a stale module is so beyond doubt: without a baseline, only other code in its functions says so."""
    return examined.guess is None or bool(examined.guess.changed)


def lines(code):
    """Where everything in CODE stands."""
    below = [lines(one) for one in baseline.codes.children(code)]
    return code.co_firstlineno, getattr(code, 'co_linetable', None) or code.co_lnotab, below

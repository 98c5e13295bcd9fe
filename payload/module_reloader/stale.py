# SPDX-License-Identifier: MIT
"""Whether a module runs what its source says: content decides, and evidence says which modules are worth compiling.

The evidence is what nobody fakes: the ctime of the source and of every link on its path, against the time when the
module was loaded, or, when that is not known, before which nothing in this process was.  A module that passes it is
compared by content: with the source that tracking kept, else as code with its baseline, else with the live objects.
"""
from . import baseline, host, scope, sources, state

BUDGET = 0.05                                # seconds for a look at modules that a command is not about
SLACK = 0.1                                  # seconds: the kernel's clock for files is coarser than the process's


class Examined:
    """What was found out about one module.

    state is fresh, stale, missing, sourceless or another kind of module that has no source; moved says that only
    lines moved; problem is what stands in the way of its source.
    """

    def __init__(self, module):
        self.module, self.state, self.problem, self.moved = module, 'fresh', None, False
        self.data = self.stat = self.code = self.tree = self.old = self.guess = None
        self.baseline = 'none'


def looked_at(module):
    """Whether evidence says that the module may be stale."""
    record = state.tracked(module)
    when = record['time'] - SLACK if record is not None else scope.born()
    return scope.changed_since(module.path, when)


def examine(module, context, signatures, thorough=False, force=True, keep=()):
    """Find out whether MODULE is stale; thorough: whatever the evidence says."""
    result = Examined(module)
    if module.kind != 'source':
        result.state = module.kind
        return result
    if not thorough and not looked_at(module):
        return result
    try:
        result.data, result.stat = sources.read(module.path)
        record = state.tracked(module)
        if record is not None and record['source'] == result.data and not record.get('undone'):
            result.baseline = 'tracked'
            return result
        result.code, result.tree = sources.compiled(result.data, module.filename(), context, module.loader, force)
    except sources.Problem as problem:
        result.problem = problem.error
        result.state = 'missing' if problem.error['code'] == 'missing-source' else 'stale'
        return result
    result.baseline, result.old = baseline.find(module, result.stat, context, signatures)
    if result.old is not None:
        same = signatures.of(result.old) == signatures.of(result.code)
        result.moved = same and result.old.co_filename is not None and lines(result.old) != lines(result.code)
    else:
        result.guess = one = host.part('guess').guess(module, result.code, result.tree, signatures, keep)
        same = not (one.changed or one.removed or one.statements or one.members or one.undecided or one.refused)
        result.moved = same and one.moved
    result.state = 'fresh' if same else 'stale'
    return result


def left_out(context, signatures, verbose):
    """The names of changed modules of the standard library and of installed packages, which commands leave out.

    After an upgrade under a running process there are hundreds; how many a short look does not come to depends on the
    moment, and only VERBOSE says it.
    """
    found, more, end = [], 0, host.time.perf_counter() + BUDGET
    for module in scope.modules():
        if module.kind == 'source' and module.excluded and looked_at(module):
            if host.time.perf_counter() > end:
                more += 1
                continue
            one = examine(module, context, signatures, False, False)
            if one.state == 'missing' or one.state == 'stale' and is_certain(one):
                found.append(module.name)
    if more and verbose:
        context.notes.append('%d more installed modules may have changed: --all looks at them' % more)
    return found


def is_certain(examined):
    """Whether a stale module is so beyond doubt: without a baseline, only other code in its functions says so."""
    return examined.guess is None or bool(examined.guess.changed)


def lines(code):
    """Where everything in CODE stands."""
    below = [lines(one) for one in baseline.codes.children(code)]
    return code.co_firstlineno, getattr(code, 'co_linetable', None) or code.co_lnotab, below

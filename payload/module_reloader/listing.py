# SPDX-License-Identifier: MIT
"""The commands that only look: list and stale.  They leave nothing in the process."""
from . import codes, report, scope, stale, state


def entry(examined):
    """One module as list and stale show it."""
    module, record = examined.module, state.tracked(examined.module)
    shown = examined.state if examined.state in ('fresh', 'stale', 'missing') else 'sourceless'
    found = report.module(module.name, module.path, shown,
                          state.why_stale(module, examined.data) if shown == 'stale' else None,
                          examined.baseline if examined.code is not None or record is not None else None)
    if examined.problem is not None:
        found['warnings'].append(report.told(examined.problem))
    if examined.guess is not None and shown == 'stale':
        found['changed'] = list(examined.guess.changed)
        found['kept_old'] = [{'name': one['name'], 'reason': 'undecided: it is %s, the source says %s'
                              % (one['live'], one['source'])} for one in examined.guess.undecided]
    found['loaded_at'] = record['time'] if record is not None and record['exact'] else None
    found['exact'] = bool(record is not None and record['exact'])
    return found


def listed(context, everything):
    """Every module of the user, or every module."""
    signatures, (rows, others) = codes.Signatures(), scope.rows()
    rows = [row for row in rows if everything or row[2].kind in ('source', 'sourceless') and not row[2].excluded]
    return [entry(one) for one in stale.look(rows, others, context, signatures)]


def stale_ones(context, everything, verbose=False):
    """(the modules that are stale or whose source is gone, the names of those that were left out but are)."""
    signatures, found = codes.Signatures(), []
    modules, others = stale.choose(context, everything)
    for module in modules:
        examined = stale.examine(module, context, signatures, everything)
        if examined.state in ('stale', 'missing'):
            found.append(entry(examined))
    return found, stale.left_out(others, context, signatures, verbose)

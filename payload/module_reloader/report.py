# SPDX-License-Identifier: MIT
"""The entries of the report, one for each module: always the same keys, as the JSON of every command shows them."""

KEYS = ('name', 'path', 'state', 'why', 'baseline', 'changed', 'added', 'removed', 'rebound', 'executed', 'derived',
        'kept_old', 'running_old', 'warnings', 'ran_us')
LISTS = KEYS[5:14]


def module(name, path, state, why=None, baseline=None, **more):
    """A module's entry."""
    found = dict.fromkeys(KEYS)
    found.update({key: [] for key in LISTS}, name=name, path=path, state=state, why=why, baseline=baseline)
    found.update(more)
    return found


def planned(plan, state, why):
    """The entry for a plan that was carried out, or would be."""
    return module(plan.module.name, plan.module.path, state, why, plan.examined.baseline,
                  changed=shown(plan.changed), added=shown(plan.added), removed=shown(plan.gone),
                  rebound=list(plan.rebound), executed=sorted(plan.executed, key=lambda one: one['line']), derived=list(plan.derived),
                  kept_old=unique(plan.kept_old + stuck(plan)), running_old=list(plan.running),
                  warnings=list(plan.warnings), ran_us=plan.microseconds)


def stuck(plan):
    """The functions that go on with old code, or will."""
    return [{'name': one.path, 'reason': one.reason} for one in plan.stuck
            if one.function.__code__ is one.old and (plan.begun or not one.expected)]


def beyond(plans):
    """The note that is due when PLANS are taken back: only what they bound can be; None if nothing else was done."""
    found = ['%s of %s' % (', '.join(plan.beyond), plan.module.name) for plan in plans if plan.beyond]
    return 'not taken back: what these did besides binding names: ' + '; '.join(found) if found else None


def shown(names):
    """NAMES as the source has them: `K.__m`, which is `_K__m` in the class."""
    found = set()
    for name in names:
        owner, _, last = name.rpartition('.')
        private = '_%s__' % owner.rpartition('.')[2].lstrip('_')
        found.add(owner + '.__' + last[len(private):] if owner and last.startswith(private) else name)
    return sorted(found)


def unique(entries):
    found = []
    for one in entries:
        if one not in found:
            found.append(one)
    return found


def told(problem):
    """What stands in the way of a source, with its place, where it is not the error of the command."""
    said = not problem.get('line') or problem['file'] in problem['message']
    return problem['message'] + ('' if said else ' (%s:%d)' % (problem['file'], problem['line']))


def error(code, message, **more):
    """The `error` of an answer."""
    found = dict.fromkeys(('code', 'message', 'module', 'file', 'line', 'traceback', 'hint'))
    found.update(more, code=code, message=message)
    return found

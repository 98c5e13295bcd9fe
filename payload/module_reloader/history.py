# SPDX-License-Identifier: MIT
"""What was reloaded in this process, and taking the newest of it back."""
from . import host, journal as journals, report, scope, state


def record(work, steps, former):
    """Remember a command that succeeded, what it replaced, and what the modules were known to run before; once."""
    data = state.STATE
    if data['last'] >= work.id:
        return
    names = [plan.module.name for plan in work.plans]
    size = sum(weight(step[3]) + weight(step[4]) for step in steps) + sum(len(one['source']) for one in former.values() if one)
    entry = {'id': work.id, 'modules': names, 'steps': list(steps), 'tracked': former, 'bytes': size,
             'beyond': report.beyond(work.plans)}
    journal = (data['journal'] + [entry])[-state.LIMIT:]
    while len(journal) > 1 and sum(one.get('bytes', 0) for one in journal) > state.ROOM:
        del journal[0]
    note(work.id, work.who, work.command, names, journal)


def note(number, who, command, names, journal, **more):
    """Make the history and the journal what they are after a command, and what else changed with it, all at once."""
    data = state.STATE
    entry = {'id': number, 'at': round(host.time.time(), 3), 'uid': who.get('uid'), 'sudo_user': who.get('sudo_user'),
             'command': command, 'status': 0, 'modules': names}
    data.update(last=number, history=(data['history'] + [entry])[-200:], journal=journal, **more)


def weight(value):
    """About how many bytes a value that a step refers to takes up, if nobody else has it."""
    if type(value) is host.CodeType:
        return 400 + 4 * len(value.co_code) + sum(map(weight, value.co_consts))
    if type(value) is host.FunctionType:
        return 200 + weight(value.__code__)
    if host.among(type(value), (bytearray, tuple, list, dict, set, frozenset)):
        return 60 + 100 * len(value)
    return 60 + len(value) if host.among(type(value), (str, bytes)) else 100


def listed():
    return [dict(one) for one in state.STATE['history']]


def undo(who, context):
    """Take back the newest command that is not yet undone: its module entries. What ends it in the middle, begins it again."""
    data = state.STATE
    if not data['journal']:
        raise host.Refusal('refused', 'there is nothing to undo')
    number, entry, kept = data['last'] + 1, data['journal'][-1], []
    surely = getattr(context, 'surely', lambda action: action())
    surely(lambda: take_back(number, who, entry, kept))
    take_back(number, who, entry, kept)      # what went wrong each time is told
    if entry.get('beyond'):
        context.notes.append(entry['beyond'])
    found = []
    for name in entry['modules']:
        namespace = scope.namespace_of(name, host.sys.modules.get(name))
        path = scope.text(namespace.get('__file__')) if namespace is not None else None
        found.append(report.module(name, path, 'restored', 'undone',
                                   warnings=['kept, because %s: %s' % ('it is in use' if one.startswith('module ') else
                                                                       'the program changed it since', one) for one in kept]))
    return found


def take_back(number, who, entry, kept):
    data = state.STATE
    if data['last'] >= number:
        return
    kept.extend(one for one in journals.take_back(entry['steps']) if one not in kept)
    tracked, undone = dict(data['tracked']), dict(data['undone'])
    for name, former in entry.get('tracked', dict.fromkeys(entry['modules'])).items():
        ran = tracked.pop(name, None)
        if ran is not None and name in entry['modules']:
            undone[name] = hash(ran['source'])
        if former is not None:
            tracked[name] = former
    note(number, who, 'undo', entry['modules'], data['journal'][:-1], tracked=tracked, undone=undone)

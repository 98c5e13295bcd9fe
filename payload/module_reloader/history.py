# SPDX-License-Identifier: MIT
"""What was reloaded in this process, and taking the newest of it back."""
from . import host, journal as journals, report, state


def record(work, steps, former):
    """Remember a command that succeeded, what it replaced, and what the modules were known to run before."""
    data = state.STATE
    data['last'] += 1
    names = [plan.module.name for plan in work.plans]
    data['history'].append({'id': data['last'], 'at': round(host.time.time(), 3), 'uid': work.who.get('uid'),
                            'sudo_user': work.who.get('sudo_user'), 'command': work.command, 'status': 0,
                            'modules': names})
    size = sum(weight(step[3]) + weight(step[4]) for step in steps) + sum(len(one['source']) for one in former.values() if one)
    data['journal'].append({'id': data['last'], 'modules': names, 'steps': list(steps), 'tracked': former, 'bytes': size})
    del data['history'][:-200], data['journal'][:-state.LIMIT]
    while len(data['journal']) > 1 and sum(one.get('bytes', 0) for one in data['journal']) > state.ROOM:
        del data['journal'][0]


def weight(value):
    """About how many bytes a value that a step refers to takes up, if nobody else has it."""
    if type(value) is host.CodeType:
        return 400 + 4 * len(value.co_code) + sum(map(weight, value.co_consts))
    if type(value) is host.FunctionType:
        return 200 + weight(value.__code__)
    return 60 + len(value) * (1 if type(value) in (str, bytes) else 100) \
        if type(value) in (str, bytes, bytearray, tuple, list, dict, set, frozenset) else 100


def listed():
    return [dict(one) for one in state.STATE['history']]


def undo(who):
    """Take back the newest command that is not yet undone: its module entries."""
    data = state.STATE
    if not data['journal']:
        raise host.Refusal('refused', 'there is nothing to undo')
    entry = data['journal'].pop()
    kept = journals.take_back(entry['steps'])
    for name, former in entry.get('tracked', dict.fromkeys(entry['modules'])).items():
        ran = data['tracked'].pop(name, None)
        if ran is not None and name in entry['modules']:
            data['undone'][name] = hash(ran['source'])
        if former is not None:
            data['tracked'][name] = former
    data['last'] += 1
    data['history'].append({'id': data['last'], 'at': round(host.time.time(), 3), 'uid': who.get('uid'),
                            'sudo_user': who.get('sudo_user'), 'command': 'undo', 'status': 0,
                            'modules': entry['modules']})
    found = []
    for name in entry['modules']:
        module = host.sys.modules.get(name)
        path = getattr(module, '__dict__', {}).get('__file__') if module is not None else None
        found.append(report.module(name, path, 'restored', 'undone',
                                   warnings=['kept, because the program changed it since: ' + one for one in kept]))
    return found

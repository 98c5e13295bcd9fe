# SPDX-License-Identifier: MIT
"""--on-stack refuse and wait: nothing may go on in code that a command replaces.

Looked at before anything runs, and again after the moment of the commit, from which on nobody can enter the old code:
what slipped in between takes the command back.  Waiting is the tool's: it sends the command again, and meanwhile the
program goes on, in the thread that ran this as well.
"""
from . import codes, host, living, running

SHOWN = 5                                    # of what is running, in the message; all of it is in the report


def check(plans, context, policy):
    for plan in plans:                       # nothing is left to the count of references
        plan.suspended = [one.old for one in plan.patches + plan.stuck
                          if one.changed and one.old.co_flags & codes.GENERATORS]
    running.find(plans, living.Heap(context))
    busy = [(plan, one) for plan in plans for one in plan.running]
    if busy:
        said = '; '.join(sentence(one) for _, one in busy[:SHOWN])
        more = '; and %d more' % (len(busy) - SHOWN) if len(busy) > SHOWN else ''
        hint = '--on-stack wait tries again until the timeout, report goes on all the same'
        plan, frame = busy[0][:2]
        raise host.Refusal('on-stack', said + more, None if policy == 'wait' else hint, module=plan.module.name,
                           file=frame['file'], line=frame['line'])


def sentence(one):
    kind = one['kind'].replace('_', ' ')
    how = 'running' if kind == 'frame' else 'suspended in a%s %s' % ('n' if kind[0] == 'a' else '', kind)
    where = ' in thread ' + one['thread'] if one['thread'] else ' ' + one['name'] if one['name'] else ''
    return '%s is %s%s, line %s' % (one['function'], how, where, one['line'])

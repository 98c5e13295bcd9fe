# SPDX-License-Identifier: MIT
"""Functions that came between the search and the commit: closures that other threads, handlers or hooks made of old code.

After the commit nobody makes more of them, but frames that go on in an old factory, which the report names.  Whether there
are any is told by references: if more refers to the code of a function inside of one that changed than what is known to,
the heap is searched for what it is.
"""
import sys

from . import codes, host, living, patch, state


def find(work):
    """Give the functions that came their new code, with the next commit."""
    for plan in work.plans:
        tuples = list({id(one.co_consts): one.co_consts for done in plan.patches if done.changed
                       for one in living.codes_below([done.old])}.values())
        wanted = {id(one): one for part in tuples for one in part if codes.is_code(one) and not codes.is_inline(one)}
        wanted[0] = host.compile_quietly('0', '', 'eval')    # nothing else refers to this one
        references(wanted[0], plan, work, tuples)            # a function that is compiled when it is called: see lazy.py
        counts = {key: references(one, plan, work, tuples) for key, one in wanted.items()} if len(wanted) > 1 else {}
        doubtful = [wanted[key] for key, count in counts.items() if count > counts[0]]
        known = {id(one.function) for one in plan.stuck}
        for one in work.heap.look(*doubtful) if doubtful else ():
            if type(one) is host.FunctionType and one.__globals__ is plan.module.dict and id(one.__code__) in wanted and \
                    id(one) not in known:
                follow(plan, one, work.journal)


def references(code, plan, work, tuples):
    """How much refers to CODE besides what is known to: TUPLES of constants, records of ours, and frames that run it."""
    steps = work.journal.steps + [step for entry in state.STATE['journal'] for step in entry['steps']]
    known = sum(one is code for part in tuples for one in part) + sum(one is code for step in steps for one in step)
    known += sum(one.old is code for one in plan.patches)
    known += sum((one.old is code) + (one.function.__code__ is code) for one in plan.stuck)
    known += work.signatures.known.get(id(code), (0, None))[1] is code
    for frame in list(sys._current_frames().values()) if sys.version_info >= (3, 8) else ():
        while frame is not None:
            known += frame.f_code is code
            frame = frame.f_back
    return sys.getrefcount(code) - known


def follow(plan, function, journal):
    code, reason, path = plan.target.find(function)
    if code is not None and codes.same_variables(function.__code__, code):
        plan.patches.append(patch.Patch(function, code, path, True))
        journal.set('function', function, '__code__', codes.like(function.__code__, code))
    elif code is not None or reason is not None:
        plan.stuck.append(patch.Patch(function, None, path, True, None, reason or 'it was made while the code changed, and its '
                                      'free variables are others now'))

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
    plans = {id(plan.module.dict): plan for plan in work.plans}
    tuples = list({id(one.co_consts): one.co_consts for plan in work.plans for done in plan.patches if done.changed
                   for one in living.codes_below([done.old])}.values())
    wanted = {id(one): one for part in tuples for one in part if codes.is_code(one) and not codes.is_inline(one)}
    if not wanted:
        return
    wanted[0] = host.compile_quietly('0', '', 'eval')    # nothing else refers to this one
    known = references(wanted, work, tuples)
    counts = {key: sys.getrefcount(one) - known[key] for key, one in wanted.items()}
    doubtful = [wanted[key] for key, count in counts.items() if count > counts[0]]
    stuck = {id(one.function) for plan in work.plans for one in plan.stuck}
    for one in work.heap.look(*doubtful) if doubtful else ():
        if type(one) is host.FunctionType and id(one.__globals__) in plans and id(one.__code__) in wanted and id(one) not in stuck:
            follow(plans[id(one.__globals__)], one, work.journal)


def references(wanted, work, tuples):
    """How often the codes WANTED, by id, stand in TUPLES of constants, records of ours, and frames that run them."""
    rows = tuples + work.journal.steps + [step for entry in state.STATE['journal'] for step in entry['steps']]
    rows.extend([one.old] for plan in work.plans for one in plan.patches)
    rows.extend([one.old, one.function.__code__] for plan in work.plans for one in plan.stuck)
    rows.append([work.signatures.known.get(key, (0, None))[1] for key in wanted])
    for frame in list(sys._current_frames().values()) if sys.version_info >= (3, 8) else ():
        while frame is not None:
            rows.append([frame.f_code])
            frame = frame.f_back
    found = dict.fromkeys(wanted, 0)
    for row in rows:
        for one in row:
            if id(one) in found:
                found[id(one)] += 1
    return found


def follow(plan, function, journal):
    code, reason, path = plan.target.find(function)
    one = patch.Patch(function, code, path, True, None, reason)
    if code is not None and not codes.same_variables(function.__code__, code):
        one.code, one.reason = None, 'it was made while the code changed, and its free variables are others now'
    elif code is not None:
        one.code = codes.like(function.__code__, code)
        host.part('defaults').settle(one, host.part('defaults').written(plan.examined.tree, code))
    if one.code is not None:
        plan.patches.append(one)
        patch.assign(one, journal)
    elif one.reason is not None:
        plan.stuck.append(one)

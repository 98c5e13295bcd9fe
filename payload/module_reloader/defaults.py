# SPDX-License-Identifier: MIT
"""Default values of closures and lambdas that live: they get those of the new source, as far as these are constants.

Defaults are worked out where a function is made, which does not happen again for one that is there.  One that is no
constant stays what it was; where the parameter had none before, the function keeps its old code, and is reported.
"""
from . import codes, trees

COMPUTED = 'the default of its parameter %s is worked out where it is made'
UNKNOWN = 'its parameters changed, and it cannot be told what their defaults are'
MADE = ('FunctionDef', 'AsyncFunctionDef', 'Lambda')
MISSING = object()


def prepare(plan, signatures):
    """Give the patches of PLAN the defaults that belong to their new code; those for which one is missing are left."""
    old = {signatures.of(one) for one in codes.children(plan.examined.old)} if plan.examined.old is not None else ()
    changed = {one.co_name for one in codes.children(plan.examined.code) if signatures.of(one) not in old}
    known = {}
    for one in plan.patches + plan.stuck:
        if one.code is not None and '<' in one.path and one.path.partition('.')[0] in changed:
            key = one.code.co_name, one.code.co_firstlineno, parameters(one.code)
            if key not in known:
                known[key] = written(plan.examined.tree, one.code)
            settle(one, known[key])
    plan.stuck += [one for one in plan.patches if one.code is None]
    plan.patches = [one for one in plan.patches if one.code is not None]


def settle(one, given):
    """Give a patch the defaults of its function, whose expressions are GIVEN: None if these are not known."""
    names, had, count, missing = parameters(one.code), values(one.function), one.code.co_argcount, None
    if given is None:
        missing = UNKNOWN if set(names) - set(parameters(one.old)) else None
    else:
        found = {name: value_of(node, had.get(name, MISSING)) for name, node in given.items()}
        missing = next((COMPUTED % name for name in names if found.get(name) is MISSING), None)
        if missing is None and (found.keys() != had.keys() or any(found[name] is not had[name] for name in found)):
            one.defaults = (tuple(found[name] for name in names[:count] if name in found) or None,
                            {name: found[name] for name in names[count:] if name in found} or None)
    if missing is not None:
        one.code, one.reason = None, one.reason or missing


def parameters(code):
    return code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


def values(function):
    """{parameter: default} of a function that lives."""
    names, given = function.__code__.co_varnames[:function.__code__.co_argcount], function.__defaults__ or ()
    return dict(zip(reversed(names), reversed(given)), **(function.__kwdefaults__ or {}))


def value_of(node, old):
    """The value of the default NODE; OLD is what it was, which stays if it is state, or is made of anything but constants."""
    literal = trees.is_literal(node)
    key = codes.live_key(trees.literal(node)) if literal else None
    if old is not MISSING and (key is None or codes.live_key(old) == key):
        return old
    return trees.literal(node) if literal else MISSING


def written(tree, code):
    """{parameter: its default} in the source of the function that CODE is of; None if it cannot be told which that is."""
    found, todo = [], [one for _, one in trees.at_lines(tree.body, {code.co_firstlineno})]
    while todo:
        node = todo.pop()
        if trees.kind(node) in MADE and trees.start_line(node) == code.co_firstlineno and \
                getattr(node, 'name', '<lambda>') == code.co_name:
            given, names, count = node.args, parameters(code), code.co_argcount
            if [one.arg for one in getattr(given, 'posonlyargs', []) + given.args + given.kwonlyargs] == list(names):
                found.append(dict(zip(reversed(names[:count]), reversed(given.defaults))))
                found[-1].update(pair for pair in zip(names[count:], given.kw_defaults) if pair[1] is not None)
        for field in node._fields:
            part = getattr(node, field, None)
            todo.extend(one for one in (part if isinstance(part, list) else [part]) if hasattr(one, '_fields'))
    return found[0] if len(found) == 1 else None

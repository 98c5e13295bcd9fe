# SPDX-License-Identifier: MIT
"""The difference between the source that a module runs and the new one, as text, for a dry run that is asked for it.

Where nobody kept the old source, there is only its code: what differs is said of each function, one line each.
"""
from . import codes, state, subsequence

AROUND = 3                                   # unchanged lines shown on either side of changed ones


def unified(plan):
    """The edit of PLAN's module as a unified diff, or what is known of it."""
    record = state.tracked(plan.module)
    if record is None or plan.examined.baseline != 'tracked':
        return by_code(plan)
    old, new = (data.decode('utf-8', 'replace').splitlines() for data in (record['source'], plan.examined.data))
    kept = subsequence.common(old, new, lambda line: False)
    lines, i, j = [], 0, 0                   # (sign, line, how many lines of old and new stand before it)
    while i < len(old) or j < len(new):
        if i < len(old) and i not in kept[0]:
            lines.append(('-', old[i], i, j))
            i += 1
        elif j < len(new) and j not in kept[1]:
            lines.append(('+', new[j], i, j))
            j += 1
        else:
            lines.append((' ', old[i], i, j))
            i, j = i + 1, j + 1
    return ''.join(['--- %s (loaded)\n+++ %s\n' % (plan.module.path, plan.module.path)] + list(hunks(lines)))


def hunks(lines):
    changed = [number for number, one in enumerate(lines) if one[0] != ' ']
    while changed:
        last = next((one for one, after in zip(changed, changed[1:]) if after - one > 2 * AROUND), changed[-1])
        part = lines[max(0, changed[0] - AROUND):last + AROUND + 1]
        sizes = [sum(one[0] in signs for one in part) for signs in (' -', ' +')]
        starts = [part[0][2 + side] + bool(sizes[side]) for side in (0, 1)]
        yield '@@ -%d,%d +%d,%d @@\n' % (starts[0], sizes[0], starts[1], sizes[1])
        for one in part:
            yield one[0] + one[1] + '\n'
        changed = [one for one in changed if one > last]


def by_code(plan):
    """What differs in each function that gets new code; None if there is none."""
    found = {}
    for one in plan.patches + plan.stuck:
        if one.changed and one.code is not None and one.old.co_filename != codes.FORWARD:
            found[one.path] = (one.code.co_firstlineno, '%s (line %d): %s\n' % (
                one.path, one.code.co_firstlineno, '; '.join(aspects(one.old, one.code))))
    if not found:
        return None
    return ''.join(['%s: the loaded source is not known, only its code; what differs:\n' % plan.module.path] +
                   [text for _, text in sorted(found.values())])


def aspects(old, new):
    """How two code objects of a function differ, in words."""
    if arguments(old) != arguments(new):
        yield 'signature (%s), was (%s)' % (arguments(new), arguments(old))
    if codes.docstring(old) != codes.docstring(new):
        yield 'docstring'
    for what, of in (('constants', constants), ('names', lambda code: dict.fromkeys(code.co_names + code.co_freevars))):
        before, after = of(old), of(new)
        told = ['-' + one for one in before if one not in after] + ['+' + one for one in after if one not in before]
        if told:
            yield what + ' ' + ' '.join(told)
    if old.co_code != new.co_code or [one.co_name for one in codes.children(old)] != [one.co_name for one in codes.children(new)]:
        yield 'body'
    elif list(map(constants, codes.children(old))) != list(map(constants, codes.children(new))):
        yield 'a function inside'


def arguments(code):
    """The parameters of a function; their defaults are not in its code."""
    total = code.co_argcount + code.co_kwonlyargcount
    names, rest = list(code.co_varnames[:total]), list(code.co_varnames[total:])
    positional = getattr(code, 'co_posonlyargcount', 0)
    star = ['*' + rest.pop(0)] if code.co_flags & codes.VARARGS else ['*'] if code.co_kwonlyargcount else []
    return ', '.join(names[:positional] + ['/'] * bool(positional) + names[positional:code.co_argcount] + star +
                     names[code.co_argcount:] + (['**' + rest[0]] if code.co_flags & codes.VARKEYWORDS else []))


def constants(code):
    """The constants of a function, as the source may have them."""
    own = [one for one in code.co_consts if not codes.is_code(one) and one is not None]
    return dict.fromkeys(shown(one) for one in own if one != codes.docstring(code))


def shown(value):
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + '...'

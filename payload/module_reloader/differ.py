# SPDX-License-Identifier: MIT
"""The difference between the source that a module runs and the new one, as text, for a dry run that is asked for it."""
from . import state, units

AROUND = 3                                   # unchanged lines shown on either side of changed ones


def unified(plan):
    """The edit of PLAN's module as a unified diff; None if nobody kept the old source."""
    record = state.tracked(plan.module)
    if record is None or plan.examined.baseline != 'tracked':
        return None
    old, new = (data.decode('utf-8', 'replace').splitlines() for data in (record['source'], plan.examined.data))
    low = high = 0
    while low < min(len(old), len(new)) and old[low] == new[low]:
        low += 1
    while high < min(len(old), len(new)) - low and old[-1 - high] == new[-1 - high]:
        high += 1
    kept = units.common(old[low:len(old) - high], new[low:len(new) - high])
    lines, i, j = [], 0, 0                   # (sign, line, how many lines of old and new stand before it)
    while i < len(old) or j < len(new):
        if low <= i < len(old) - high and i - low not in kept[0]:
            lines.append(('-', old[i], i, j))
            i += 1
        elif low <= j < len(new) - high and j - low not in kept[1]:
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

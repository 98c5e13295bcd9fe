# SPDX-License-Identifier: MIT
"""What two sequences have in common, in order: which of their items are the same, and which left or came.

A longest common subsequence is looked for where both are short.  Else what occurs once on both sides, as far as it stands
in the same order, divides them into stretches that are (the patience difference of Bram Cohen).
"""

TABLE_SIZE, SMALL_TABLE = 250000, 10000      # cells of the table, the whole and a stretch


def common(olds, news, may_move):
    """The indices that both sides keep: those of a common subsequence, and of what occurs once and MAY_MOVE."""
    numbers = {}
    one, other = ([numbers.setdefault(unit, len(numbers)) for unit in side] for side in (olds, news))
    kept = dict(in_order(one, other))
    kept_new = set(kept.values())
    for i, j in pairs(one, other, (0, len(one)), (0, len(other)))[0]:
        if i not in kept and j not in kept_new and may_move(olds[i]):
            kept[i] = j
            kept_new.add(j)
    return set(kept), kept_new


def in_order(olds, news):
    """The pairs of indices of a common subsequence: the longest, or, where that takes too long, what stands around anchors."""
    found, todo, limit = [], [(0, len(olds), 0, len(news))], TABLE_SIZE
    while todo:
        low, high, start, end = todo.pop()
        while low < high and start < end and olds[low] == news[start]:
            found.append((low, start))
            low, start = low + 1, start + 1
        while low < high and start < end and olds[high - 1] == news[end - 1]:
            high, end = high - 1, end - 1
            found.append((high, end))
        if (high - low) * (end - start) <= limit:
            found.extend((low + i, start + j) for i, j in longest(olds[low:high], news[start:end]))
            continue
        once, several = pairs(olds, news, (low, high), (start, end))
        steps, limit = rising(sorted(once or several)), SMALL_TABLE
        found.extend(steps)
        for i, j in steps + [(high, end)] if steps else ():
            todo.append((low, i, start, j))
            low, start = i + 1, j + 1
    return found


def longest(olds, news):
    """The pairs of indices of a longest common subsequence."""
    found, table = [], [[0] * (len(news) + 1) for _ in range(len(olds) + 1)]
    for i in range(len(olds) - 1, -1, -1):
        row, below = table[i], table[i + 1]
        for j in range(len(news) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if olds[i] == news[j] else max(below[j], row[j + 1])
    i = j = 0
    while i < len(olds) and j < len(news):
        if olds[i] == news[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def pairs(olds, news, span, other):
    """(the pairs of indices of what occurs once in both stretches, those of the first with the first, and so on, of the rest)."""
    places, once, several = {}, [], []
    for number, (side, stretch) in enumerate(((olds, span), (news, other))):
        for index in range(*stretch):
            places.setdefault(side[index], ([], []))[number].append(index)
    for one, its in places.values():
        (once if len(one) == 1 == len(its) else several).extend(zip(one, its))
    return once, several


def rising(pairs):
    """A longest part of PAIRS, which are in the order of their first numbers, in which the second ones rise, too."""
    ends, before = [], {}                    # the pair that the best sequence of each length ends with
    for pair in pairs:
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if ends[middle][1] < pair[1] else (low, middle)
        before[pair] = ends[low - 1] if low else None
        ends[low:low + 1] = [pair]
    found, one = [], ends[-1] if ends else None
    while one is not None:
        found.append(one)
        one = before[one]
    return found[::-1]

# SPDX-License-Identifier: MIT
"""The statements of a module or class body, read out of its code object.

The old source is often gone: what is left of it is the .pyc, or the code that tracking compiled.  So bodies are
compared as code.  A body is cut into units, at each place where a new line begins, no jump or protected range
passes over, and the instruction before ends a statement; old and new are cut by the same rule, so equal units mean
equal statements.  In a unit, names and constants stand for their indices and jumps for their distance; a function's
or class's code object stands there only with its name, because what is inside is compared elsewhere, while a
comprehension stands with all its code.

The numbers of the instructions are read from the standard library's own tables, by name, so that no version needs a
table here.  Where that library is missing, bodies that differ cannot be compared, and callers must say so.
"""
from . import codes, host

NAMED = {'STORE_NAME', 'DELETE_NAME', 'STORE_ATTR', 'DELETE_ATTR', 'STORE_GLOBAL', 'DELETE_GLOBAL', 'LOAD_NAME',
         'LOAD_ATTR', 'IMPORT_NAME', 'IMPORT_FROM', 'LOAD_GLOBAL', 'STORE_ANNOTATION', 'LOAD_METHOD',
         'LOAD_SUPER_ATTR', 'LOAD_FROM_DICT_OR_GLOBALS'}
CONSTANT = {'LOAD_CONST', 'KW_NAMES', 'RETURN_CONST', 'LOAD_CONST_IMMORTAL'}
ENDING = {'STORE_NAME', 'STORE_GLOBAL', 'STORE_ATTR', 'STORE_SUBSCR', 'STORE_SLICE', 'STORE_DEREF', 'POP_TOP',
          'DELETE_NAME', 'DELETE_GLOBAL', 'DELETE_ATTR', 'DELETE_SUBSCR', 'IMPORT_STAR', 'STORE_ANNOTATION',
          'POP_BLOCK', 'END_FINALLY', 'POP_EXCEPT', 'SETUP_ANNOTATIONS', 'RESUME', 'NOP', 'END_FOR', 'POP_ITER',
          'JUMP_FORWARD', 'JUMP_ABSOLUTE', 'JUMP_BACKWARD', 'RERAISE', 'RAISE_VARARGS', 'WITH_CLEANUP_FINISH',
          'WITH_EXCEPT_START', 'COPY_FREE_VARS', 'MAKE_CELL', 'POP_FINALLY', 'FOR_ITER', 'POP_JUMP_IF_FALSE'}
LINE_MARKS = {'RESUME', 'NOP', 'MAKE_CELL', 'COPY_FREE_VARS', 'CACHE', 'EXTENDED_ARG', 'NOT_TAKEN'}
ABSOLUTE = {'JUMP_IF_FALSE_OR_POP', 'JUMP_IF_TRUE_OR_POP', 'JUMP_ABSOLUTE', 'POP_JUMP_IF_FALSE', 'POP_JUMP_IF_TRUE',
            'CONTINUE_LOOP', 'JUMP_IF_NOT_EXC_MATCH'}
VERSION = host.sys.version_info[:2]
TABLE = []
COMMON = {}


def names_of_instructions():
    """Instruction names by number; None when the standard library cannot be read."""
    if not TABLE:
        opmap = getattr(host.sys.modules.get('opcode'), 'opmap', None)
        if not isinstance(opmap, dict) or opmap.get('STORE_NAME') is None:
            namespace = host.standard_namespace('_opcode_metadata' if VERSION >= (3, 13) else 'opcode')
            opmap = namespace and namespace.get('opmap')
        TABLE.append(opmap and {number: name for name, number in opmap.items()})
    return TABLE[0]


def lines_of(code):
    """The line of each instruction: {offset: line}."""
    lines, line = {}, code.co_firstlineno
    if hasattr(code, 'co_lines'):
        for start, end, line in code.co_lines():
            for offset in range(start, end, 2):
                lines[offset] = line
        return lines
    offset = position = 0
    steps = code.co_lnotab
    for delta, change in zip(steps[0::2], steps[1::2]):
        position += delta
        while offset < position:
            lines[offset] = line
            offset += 2
        line += change - 256 if change >= 128 else change
    for offset in range(offset, len(code.co_code), 2):
        lines[offset] = line
    return lines


class Instruction:
    def __init__(self, offset, name, arg, line):
        self.offset, self.name, self.arg, self.line, self.target = offset, name, arg, line, None
        self.distance = 0


def instructions(code):
    """The instructions of CODE with their arguments and lines, or None."""
    table = names_of_instructions()
    if table is None:
        return None
    found, extended, lines, raw, index = [], 0, lines_of(code), code.co_code, {}
    for offset in range(0, len(raw), 2):
        name, arg = table.get(raw[offset], 'op%d' % raw[offset]), raw[offset + 1] | extended
        extended = arg << 8 if name == 'EXTENDED_ARG' else 0
        index[offset] = len(found)           # a prefix or a cache entry counts as the instruction after it
        if name not in ('EXTENDED_ARG', 'CACHE'):
            found.append(Instruction(offset, name, arg, lines.get(offset)))
    unit = 2 if VERSION >= (3, 10) else 1
    for number, one in enumerate(found):
        after = found[number + 1].offset if number + 1 < len(found) else len(raw)
        if one.name in ABSOLUTE and VERSION < (3, 11):
            one.target = one.arg * unit
        elif 'JUMP_BACKWARD' in one.name or one.name == 'POP_JUMP_BACKWARD_IF_TRUE':
            one.target = after - one.arg * unit
        elif 'JUMP' in one.name or one.name in ('FOR_ITER', 'SEND', 'SETUP_FINALLY', 'SETUP_WITH', 'SETUP_LOOP',
                                                'SETUP_EXCEPT', 'CALL_FINALLY', 'BEGIN_FINALLY', 'SETUP_ASYNC_WITH'):
            one.target = after + one.arg * unit
        if one.target is not None:           # counted in instructions: prefixes come and go with the size of the code
            one.distance = index.get(one.target, len(found)) - number
    return found


def protected(code):
    """The ranges of CODE that a handler protects, from 3.11 on: (start, end, where the handler begins)."""
    table, position, numbers = getattr(code, 'co_exceptiontable', b''), 0, []
    while position < len(table):
        value = table[position] & 63
        while table[position] & 64:
            position += 1
            value = value << 6 | table[position] & 63
        position += 1
        numbers.append(value)
    return [(start * 2, (start + size) * 2, handler * 2)
            for start, size, handler in zip(numbers[0::4], numbers[1::4], numbers[2::4])]


def rejoined(found, ranges, end):
    """(start, end) of what lies before END between the way out of line and the way back: the rest of a branch, an `else`.

    RANGES have handlers out of line. What is there may have a copy of what comes next, up to a return: its lines tell.
    """
    places, number, handlers, current, after = {}, {}, {}, None, None
    for index, one in enumerate(found):
        number[one.offset] = index
        if one.offset <= end:
            places.setdefault(one.line, []).append(one.offset)

    def back(start, lines):
        return min([place for line in lines - {None} for place in places.get(line, ()) if place > start] or [end])

    for start, last, handler in sorted(ranges):              # before 3.12 handlers stand in line, below the `else`
        yield start, handler if handler <= end else last
        handlers[handler] = handlers.get(handler, (start,))[0], last
    for one in found:
        current = handlers.get(one.offset, current)
        if one.offset <= end and one.target is not None and one.target > end:
            lines = set()
            for index in range(number.get(one.target, len(found)), len(found)):
                its = found[index]
                lines.add(its.line)
                if its.name.startswith(('RETURN', 'RERAISE', 'JUMP_')):
                    break
            again = its.name == 'RERAISE' and its.offset == one.target
            if not again and not one.name.startswith('SETUP_'):      # these lead to handlers alone
                yield one.offset, back(one.offset, lines - {one.line})
        elif one.offset > end and current is not None:
            start, last = current
            after = set() if one.name == 'POP_EXCEPT' else after if after is None else after | {one.line}
            if one.target is not None and one.target <= end:
                yield start, one.target
            elif one.name.startswith('RETURN') and after is not None:
                yield start, back(last - 1, after)


def common_constants():
    """The arguments of LOAD_COMMON_CONSTANT, by what the compiler makes of the constants themselves (3.15 on)."""
    if not COMMON:
        COMMON[None] = None
        for value in (None, '', True, False, -1):
            for one in instructions(compile('x = %r' % (value,), '', 'exec'))[:2]:
                if one.name == 'LOAD_COMMON_CONSTANT':
                    COMMON[one.arg] = codes.constant_key(value)
    return COMMON


def apart(old, new, signatures):
    """The names that several definitions in a body have, or had, where they are others now, or stand in another order.

    Elsewhere the name and the place are enough to tell which is which, and a body that changed is no other definition.
    """
    sides, found = [{}, {}], set()
    for side, code in zip(sides, (old, new)):
        for one in codes.children(code):
            if not codes.is_inline(one):
                side.setdefault(one.co_name, []).append(one)
    for name in set(sides[0]) | set(sides[1]):
        before, after = (side.get(name, []) for side in sides)
        if len(before) > 1 or len(after) > 1:
            before, after = (list(map(signatures.of, side)) for side in (before, after))
            if len(before) != len(after) or any(one != its and (one in after or its in before) for one, its in zip(before, after)):
                found.add(name)
    return found


def token(code, one, signatures, others=()):
    """What an instruction does, whatever its place; definitions with names in OTHERS are told apart by what is in them."""
    if one.name == 'LOAD_SMALL_INT':         # 3.14 on
        return 'LOAD_CONST', codes.constant_key(one.arg)
    if one.name == 'LOAD_COMMON_CONSTANT' and one.arg in common_constants():
        return 'LOAD_CONST', COMMON[one.arg]
    if one.name in CONSTANT and one.arg < len(code.co_consts):
        const = code.co_consts[one.arg]
        if not codes.is_code(const):
            return one.name, codes.constant_key(const)
        if codes.is_inline(const):
            return one.name, 'code', signatures.of(const)
        around = tuple(tokens_of(const, signatures)) if codes.is_generic(const) else ()
        return (one.name, 'body', const.co_name, codes.is_class_body(const), const.co_freevars) + (
            (signatures.of(const),) if const.co_name in others else around)
    if one.name in NAMED:
        shift = {'LOAD_GLOBAL': VERSION >= (3, 11), 'LOAD_ATTR': VERSION >= (3, 12),
                 'LOAD_SUPER_ATTR': 2 * (VERSION >= (3, 12)), 'IMPORT_NAME': 2 * (VERSION >= (3, 15))}.get(one.name, 0)
        index = one.arg >> shift
        return one.name, code.co_names[index] if index < len(code.co_names) else None, one.arg & ((1 << shift) - 1)
    if one.target is not None:
        return one.name, one.distance
    if 'DEREF' in one.name or 'CLOSURE' in one.name or one.name in ('LOAD_CLASSDEREF', 'MAKE_CELL'):
        return (one.name,)
    return one.name, one.arg


class Unit:
    """A stretch of a body: the line where it begins, what it does, the names that it binds."""

    def __init__(self, line, whole=False):
        self.line, self.tokens, self.lines, self.whole = line, [], [], whole

    def key(self):
        """What it does, for comparison.

        In the body of a module a name is a global one, but the instructions say so only if some function declares it.
        """
        if not self.whole:
            return tuple(self.tokens)
        return tuple((one[0].replace('_GLOBAL', '_NAME'), one[1]) if one[0].endswith(('_GLOBAL', '_NAME')) else one
                     for one in self.tokens if one[0] != 'PUSH_NULL')

    def names(self, instruction='STORE_NAME'):
        return [one[1] for one in self.tokens if one[0] == instruction]


def starred(unit):
    """The star imports of a unit: [(level, name of the module)]."""
    found, tokens = [], unit.tokens
    for level, names, one in zip(tokens, tokens[1:], tokens[2:]):
        if one[0] == 'IMPORT_NAME' and names[0] in CONSTANT and names[1] == ('tuple', ('str', '*')):
            found.append((level[1][1] if level[0] in CONSTANT else level[1], one[1]))
    return found


def cut(found, code):
    """The offsets at which units begin, of the part of the body that comes before its first return."""
    spans, starts = [], []
    for one in found:
        if one.target is not None:
            spans.append((min(one.offset, one.target), max(one.offset, one.target)))
    end = next((one.offset for one in found if one.name.startswith('RETURN')), len(code.co_code))
    ranges = [span for span in protected(code) if span[0] < end]
    spans = [span for span in spans if span[1] <= end] + list(rejoined(found, ranges, end))
    reach, spans = -1, sorted(spans)
    for before, one in zip([None] + found, found):
        if one.offset > end:
            break
        while spans and spans[0][0] < one.offset:
            reach = max(reach, spans.pop(0)[1])
        if before is None or (one.line is not None and one.line != before.line and one.offset >= reach and
                              before.name in ENDING and not before.name.startswith('POP_JUMP') and
                              before.name != 'FOR_ITER'):
            starts.append(one.offset)
        elif one.line is not None and one.line != before.line and one.offset >= reach and one.offset == reach:
            starts.append(one.offset)
    return starts, end


def units_of(code, signatures, others=()):
    """The units of a body, or None when its instructions cannot be read; OTHERS: see token()."""
    found = instructions(code)
    if found is None:
        return None
    starts, end = cut(found, code)
    units, marks = [], set(starts)
    for one in found:
        if one.offset in marks or not units:
            units.append(Unit(one.line or 0, code.co_name == '<module>'))
        if one.offset <= end:
            unit = units[-1]
        else:                                # out of line: handlers, and second copies of the end
            unit = next((unit for unit in reversed(units) if one.line and unit.line <= one.line), units[-1])
        if one.name in LINE_MARKS:
            continue
        if one.target is not None and (one.offset > end or one.target > end):
            unit.tokens.append((one.name, 'far'))
        else:
            unit.tokens.append(token(code, one, signatures, others))
        unit.lines.append(one.line)
    return drop_noise(units)


def drop_noise(units):
    """Without the implicit return, and without what a class body says about its own place."""
    for unit in units:
        tokens, kept, lines = unit.tokens, [], []
        for number, one in enumerate(tokens):
            following = tokens[number + 1] if number + 1 < len(tokens) else ('',)
            if one[0] == 'STORE_NAME' and one[1] in codes.CLASS_NAMES or one[0] in ('RETURN_VALUE', 'RETURN_CONST'):
                continue
            if following[0] == 'STORE_NAME' and following[1] in codes.CLASS_NAMES or following[0] == 'RETURN_VALUE':
                continue
            kept.append(one)
            lines.append(unit.lines[number])
        unit.tokens, unit.lines = kept, lines
    return [unit for unit in units if unit.tokens]


def is_generic(token):
    """Whether an instruction loads what is around a definition with type parameters, which is called at once (3.12 on)."""
    return token[1:2] == ('body',) and token[2].startswith('<generic parameters')


def has_decorators(unit):
    """Whether a unit that makes a class loads anything before it begins to."""
    for one in unit.tokens:
        if one[0] == 'LOAD_BUILD_CLASS' or is_generic(one):
            return False
        if one[0].startswith('LOAD_'):
            return True
    return False


def is_decorated(unit):
    """Whether a unit defines a function or class below decorators."""
    if any(one[0] == 'LOAD_BUILD_CLASS' or is_generic(one) for one in unit.tokens):
        return has_decorators(unit)
    return any(len(one) > 2 and one[1] == 'body' for one in unit.tokens) and any('CALL' in one[0] for one in unit.tokens)


def calling(found):
    """The names of those of the units FOUND that call anything: decorators, too."""
    return {name for unit in found if any('CALL' in one[0] for one in unit.tokens) for name in unit.names()}


def stores(found):
    """{name: what the instructions before those that store it in the units FOUND do}."""
    names = {}
    for unit in found:
        for before, one in zip(unit.tokens, unit.tokens[1:]):
            if one[0] == 'STORE_NAME':
                names.setdefault(one[1], []).append(before)
    return names


def tokens_of(code, signatures):
    units = units_of(code, signatures)
    return None if units is None else [one for unit in units for one in unit.tokens]


def compare(old, new):
    """Which units of two bodies are the same: (old ones without counterpart, new ones without counterpart)."""
    olds, news = [unit.key() for unit in old], [unit.key() for unit in new]
    low = 0
    while low < min(len(olds), len(news)) and olds[low] == news[low]:
        low += 1
    high = 0
    while high < min(len(olds), len(news)) - low and olds[-1 - high] == news[-1 - high]:
        high += 1
    kept_old, kept_new = host.part('subsequence').common(olds[low:len(olds) - high], news[low:len(news) - high], is_definition)
    gone = [unit for number, unit in enumerate(old[low:len(old) - high]) if number not in kept_old]
    come = [unit for number, unit in enumerate(new[low:len(new) - high]) if number not in kept_new]
    if [one for unit in gone for one in unit.tokens] == [one for unit in come for one in unit.tokens]:
        return [], []                        # only wrapped differently
    return gone, come


def is_definition(tokens):
    """Whether a unit only makes functions or classes: where it stands does not matter."""
    return any(len(one) > 2 and one[1] == 'body' for one in tokens) and tokens[-1][0] == 'STORE_NAME'

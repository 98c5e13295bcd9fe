# SPDX-License-Identifier: MIT
"""Loads a part of the engine: as code that came along compiled, where that is for this Python; else from its source.

Functions are compiled when they are first called: a command needs a fraction of them, and compiling holds the GIL, 1 ms for
100 lines.  The text is cut by its lines, which is quick: a function that stands at the beginning of a line, or is a method of a class
that does, ends where the indentation does.  What is left is compiled at once.  In the place of the function stands one
that compiles it, at its lines, and puts it there.  Decorated ones and special methods stay whole, since others than we may
look at them.
"""
FILE = '<mr-attach>/%s.py'
marshal = None                               # the module: boot.py puts it here


def cut(lines):
    """(LINES without the functions that can wait, those: (name, its class or None, first line, line after the last))."""
    kept, found, owner, end = list(lines), [], None, 0
    for number, line in enumerate(lines):
        if number < end or not line or line.startswith('     '):
            continue
        if line[0] not in ' #)':
            owner = line[6:].partition(':')[0].partition('(')[0] if line.startswith('class ') else None
        indent = '' if line.startswith('def ') else '    ' if owner and line.startswith('    def ') else None
        if indent is not None:
            name, below, last = line[len(indent) + 4:].partition('(')[0], indent + ' ', number + 1
            while last < len(lines) and (not lines[last] or lines[last].startswith(below)):
                last += 1
            special = name.startswith('__') and name != '__init__'
            if not special and not lines[number - 1].startswith(indent + '@'):
                found.append((name, owner if indent else None, number, last))
                kept[number:last] = [indent + 'pass' if indent else ''] + [''] * (last - number - 1)
                end = last
    return kept, found


def load(namespace, parts, name):
    """Execute the part NAME in NAMESPACE."""
    if name + '.code' in parts:
        exec(marshal.loads(parts[name + '.code']), namespace)
    else:
        load_text(namespace, parts[name].decode('utf-8'), FILE % name)


def load_text(namespace, text, filename):
    """Execute TEXT in NAMESPACE."""
    lines = text.split('\n')
    kept, found = cut(lines)
    for name, owner, start, end in found:
        if owner is None:
            namespace[name] = later(namespace, filename, name, None, lines[start:end], start)
    exec(compile('\n'.join(kept), filename, 'exec', 0, True), namespace)
    for name, owner, start, end in found:
        if owner is not None:
            setattr(namespace[owner], name, later(namespace, filename, name, owner, lines[start:end], start))


def later(namespace, filename, name, owner, lines, start):
    """What stands in the place of a function until it is called."""
    made = {}

    def first(*args, **more):
        if name not in made:
            head = '\n' * start if owner is None else '\n' * (start - 1) + 'if 1:\n'
            exec(compile(head + '\n'.join(lines), filename, 'exec', 0, True), namespace, made)
            if owner is not None:
                made[name].__qualname__ = owner + '.' + name
                if namespace[owner].__dict__.get(name) is first:
                    setattr(namespace[owner], name, made[name])
            elif namespace.get(name) is first:
                namespace[name] = made[name]
        return made[name](*args, **more)
    return first

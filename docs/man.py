#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the table of error codes in docs/mr-attach.1 anew, from inject/errors.def.

    docs/man.py           rewrite docs/mr-attach.1 where it is out of date
    docs/man.py --check   change nothing; fail when it is out of date, when a status, command or option is missing in
                          the page, or when the Python side uses an error code that the table lacks
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'mr-attach.1'
BEGIN, END = '.\\" generated from inject/errors.def: begin', '.\\" generated from inject/errors.def: end'
STRING = r'"((?:[^"\\]|\\.)*)"'
ROW = re.compile(r'^MR_ERROR\(\w+, %s, (\d+), %s,\s+%s\)' % (STRING, STRING, STRING), re.M)
ANSWER_ROW = re.compile(r'^MR_ANSWER_ERROR\(%s, (\d+), %s\)' % (STRING, STRING), re.M)
USED = re.compile(r"(?:Failed|Refusal|Problem)\(\s*'([a-z0-9-]+)'|'code': '([a-z0-9-]+)'|\bcode = '([a-z0-9-]+)'")


def table():
    """(code, status, sentence, hint) of every error, in the order of the table."""
    text = (ROOT / 'inject' / 'errors.def').read_text()
    rows = [(code, int(status), words, hint) for code, status, words, hint in ROW.findall(text)]
    return rows + [(code, int(status), words, '') for code, status, words in ANSWER_ROW.findall(text)]


def escaped(text):
    """TEXT as mdoc wants it on a line of its own."""
    text = text.replace('\\"', '"').replace('\\', '\\e').replace('--', '\\-\\-')
    return '\\&' + text if text[:1] in ".'" else text


def generated():
    lines = ['.Bl -tag -width Ds -compact']
    for code, status, words, hint in table():
        shown = '128+n' if status == 128 else str(status)
        lines += ['.It Cm %s Pq %s' % (code, shown), escaped(words) + ('.' if not hint else ';')]
        if hint:
            lines.append('hint: ' + escaped(hint) + '.')
    return '\n'.join(lines + ['.El'])


def rewritten(page):
    before, rest = page.split(BEGIN + '\n', 1)
    after = rest.split(END, 1)[1]
    return before + BEGIN + '\n' + generated() + '\n' + END + after


def complaints(page):
    known = {row[0] for row in table()}
    for path in sorted((ROOT / 'payload').rglob('*.py')):
        for found in USED.findall(path.read_text()):
            code = ''.join(found)
            if code not in known:
                yield '%s: the error code %s is not in inject/errors.def' % (path.relative_to(ROOT), code)
    for status in sorted({row[1] for row in table()} | {0, 8}):
        shown = '128+n' if status == 128 else str(status)
        if '\n.It %s\n' % shown not in page:
            yield 'docs/mr-attach.1: exit status %s is missing' % shown
    rows = re.findall(r'{ COMMAND_\w+, \w+, "([a-z-]+)"(.*?)},?\n', (ROOT / 'attach' / 'commands.c').read_text(), re.S)
    for command, _ in rows:
        if not re.search(r'^\.It Ic %s\b' % re.escape(command), page, re.M):
            yield 'docs/mr-attach.1: the command %s is missing' % command
    options = re.findall(r'{ "([a-z-]+)", (?:no|required)_argument', (ROOT / 'attach' / 'options.c').read_text())
    for option in options:
        if not re.search(r'^\.It .*Fl -%s\b' % re.escape(option), page, re.M):
            yield 'docs/mr-attach.1: the option --%s is missing' % option
    offered = [name for name, row in rows if '.later = true' not in row]
    offered += [name for name in options if name != 'all-or-nothing']   # not available yet
    for shell in ('bash', 'zsh', 'fish'):
        text = (ROOT / 'docs' / 'completions' / ('mr-attach.' + shell)).read_text()
        for word in offered:
            if not re.search(r'\b%s\b' % re.escape(word), text):
                yield 'docs/completions/mr-attach.%s: %s is missing' % (shell, word)


def main():
    page = PAGE.read_text()
    new = rewritten(page)
    found = list(complaints(page))
    if '--check' in sys.argv[1:]:
        if new != page:
            found.append('docs/mr-attach.1 is out of date: run docs/man.py')
    elif new != page:
        PAGE.write_text(new)
    for line in found:
        print(line, file=sys.stderr)
    return bool(found)


if __name__ == '__main__':
    sys.exit(main())

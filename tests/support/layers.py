#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The rules of the layers, read off the source text: who may include whom, and what stands in one file only."""
import glob
import re
import sys

CPU_FILES = re.compile(r'inject/cpu_\w+\.[ch]$|inject/cpu\.h$|payload/\w+_(x86_64|aarch64)\.[Sch]$')
ARCHITECTURE = re.compile(r'^\s*#\s*(if|ifdef|ifndef|elif).*(__x86_64|__aarch64|__i386|__arm|__amd64|__LP64__|__ILP32__)')
PRINTS = re.compile(r'\b(printf|fprintf|puts|fputs|perror|vprintf|vfprintf|dprintf|err|errx|warn|warnx|syslog|exit|_exit|'
                    r'_Exit|abort|assert)\s*\(|\b(stdout|stderr)\b')
ALLOWED = {  # layer: {layer below it: the headers that are its door}
    'attach': {'inject': {'inject/inject.h', 'inject/error.h'}, 'payload': set()},
    'inject': {'attach': set(), 'payload': {'payload/request.h', 'payload/embed.h'}},
    'payload': {'attach': set(), 'inject': set()},
}
LONGEST_FILE = 500

complaints = []


def complain(path, line, text):
    complaints.append('%s:%d: %s' % (path, line, text))


def without_comments(text):
    """The same text with comments and string contents blanked, line by line."""
    def blank(match):
        kept = match.group(0)
        if kept.startswith(('/*', '//')):
            return re.sub(r'[^\n]', ' ', kept)
        return kept if '#' in kept or len(kept) < 3 else kept[0] + ' ' * (len(kept) - 2) + kept[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check_includes(path, raw):
    layer = path.split('/')[0]
    for number, line in enumerate(raw.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not found:
            continue
        name = found.group(1).replace('../', '')
        other = name.split('/')[0] if '/' in name else layer
        if other in ALLOWED[layer] and name not in ALLOWED[layer][other]:
            complain(path, number, '%s/ must not include %s' % (layer, name))


def check_lines(path, text):
    layer = path.split('/')[0]
    for number, line in enumerate(text.splitlines(), 1):
        if ARCHITECTURE.match(line) and not CPU_FILES.match(path):
            complain(path, number, '#if on an architecture: that belongs into the file of that CPU')
        if layer == 'inject' and PRINTS.search(line):
            complain(path, number, 'nothing below attach/ prints or ends the program')


def check_one_home(texts, pattern, what):
    homes = {path for path, text in texts.items() if re.search(pattern, text, re.M)}
    for path in sorted(homes)[1:] if len(homes) > 1 else []:
        complain(path, 1, '%s in more than one file: %s' % (what, ', '.join(sorted(homes))))


def main():
    texts = {}
    for path in sorted(glob.glob('attach/*.[chS]') + glob.glob('inject/*.[chS]') + glob.glob('payload/*.[chS]')):
        with open(path, encoding='utf-8') as source:
            raw = source.read()
        texts[path] = without_comments(raw)
        check_includes(path, raw)
        check_lines(path, texts[path])
        if len(raw.splitlines()) > LONGEST_FILE:
            complain(path, LONGEST_FILE, 'longer than %d lines' % LONGEST_FILE)
    # Headers of the two libraries are told apart from each other: each stays behind one module.
    check_one_home(texts, r'(?<![\w])ptrace\s*\(', 'ptrace() called')
    check_one_home(texts, r'#\s*include\s*<(elfutils/libdw|dwarf|elfutils/libdwfl)', 'libdw included')
    check_one_home(texts, r'#\s*include\s*<(libelf|gelf)\.h', 'libelf included')
    for path in texts:
        if path.startswith(('attach/', 'payload/')) and re.search(r'(?<![\w])ptrace\s*\(', texts[path]):
            complain(path, 1, 'ptrace() called above or below inject/')
    print('\n'.join(complaints), end='\n' if complaints else '')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())

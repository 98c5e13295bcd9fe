#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Python files: what runs in targets keeps to the grammar of the oldest CPython and takes no exception of a handler of
the program for its own (payload/module_reloader/handlers.py), and pyflakes finds nothing."""
import ast
import builtins
import glob
import os
import subprocess
import sys

OLDEST = (3, 6)
# The stub gives boot.py its view, boot.py gives its parts its names; and a lambda in an except clause confuses pyflakes.
GIVEN = 'view,sys,error,OURS,ALL_SIGNALS,INTERRUPT,ERROR_KEYS,ONLY_AST,Failed,_signal,_thread,builtin,word,parts,late,blank,json_made,once,text_of,take'


def main():
    carried = glob.glob('payload/**/*.py', recursive=True) + ['tests/live/target.py']
    files = carried + [p for p in glob.glob('tests/**/*.py', recursive=True) if p not in carried]
    failed = False
    for path in carried:
        with open(path, encoding='utf-8') as source:
            try:
                tree = ast.parse(source.read(), path, feature_version=OLDEST)
                for line in caught(tree) if path.startswith('payload/') else ():
                    failed = True
                    print('%s:%d: what a handler of the program raised would be caught: name it by faults()' % (path, line))
            except SyntaxError as error:
                failed = True
                print('%s:%s: not in the grammar of %d.%d: %s' % ((path, error.lineno) + OLDEST + (error.msg,)))
    done = subprocess.run(['pyflakes3'] + sorted(files), env=dict(os.environ, PYFLAKES_BUILTINS=GIVEN), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    for line in done.stdout.decode().splitlines():
        if not excused(line):
            failed = True
            print(line)
    return int(failed)


def caught(tree):
    """The lines of the except clauses that name exceptions which anybody may raise."""
    for clause in ast.walk(tree):
        if isinstance(clause, ast.ExceptHandler) and not isinstance(clause.type, ast.Call):
            kinds = [getattr(builtins, getattr(one, 'id', ''), None) for one in ast.walk(clause.type or ast.Name('Exception'))]
            if any(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
                yield clause.lineno


def excused(complaint):
    """Whether the line complained of bears a `# noqa`, which pyflakes itself does not know."""
    path, number, *_ = complaint.split(':') + ['']
    if not number.isdigit() or not os.path.exists(path):
        return False
    with open(path, encoding='utf-8') as source:
        return '# noqa' in source.read().splitlines()[int(number) - 1]


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Python files: what runs in targets keeps to the grammar of the oldest CPython, and pyflakes finds nothing."""
import ast
import glob
import os
import subprocess
import sys

OLDEST = (3, 6)
GIVEN = 'view,error'  # the stub gives boot.py its view; and a lambda in an except clause confuses pyflakes


def main():
    carried = glob.glob('payload/**/*.py', recursive=True) + ['tests/live/target.py']
    files = carried + [p for p in glob.glob('tests/**/*.py', recursive=True) if p not in carried]
    failed = False
    for path in carried:
        with open(path, encoding='utf-8') as source:
            try:
                ast.parse(source.read(), path, feature_version=OLDEST)
            except SyntaxError as error:
                failed = True
                print('%s:%s: not in the grammar of %d.%d: %s' % ((path, error.lineno) + OLDEST + (error.msg,)))
    return int(subprocess.run(['pyflakes3'] + sorted(files), env=dict(os.environ, PYFLAKES_BUILTINS=GIVEN)).returncode != 0 or failed)


if __name__ == '__main__':
    sys.exit(main())

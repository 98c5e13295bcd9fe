# SPDX-License-Identifier: MIT
"""docs/RELOAD.md: its examples come out as it says, and its table has the cases that the tests have.

An example is a run of fenced blocks: `python before`, `python held` (what the program did), `python after`, the command
if it is another than reload-stale, with the error if there is one, and `python then` as a session at the prompt. A file
name in the first line of a block says which module it is, if not shop.py; `untracked`: nothing is known of the old source.
"""
import doctest
import os
import re
import sys
import unittest

from cases import CASES
from harness import ROOT, Program, command
import test_cases  # noqa: F401: it fills the table

OPTIONS = {'--full': ('full', True), '--dependents': ('dependents', True), '--keep': ('keep', []), '--reinit': ('reinit', [])}

with open(os.path.join(ROOT, 'docs', 'RELOAD.md'), encoding='utf-8') as stream:
    TEXT = stream.read()


class Example:
    def __init__(self, line):
        self.line, self.before, self.after, self.held, self.then = line, {}, {}, '', ''
        self.untracked, self.command, self.error = False, '', None

    def take(self, words, text):
        """One block of it; whether that was its last."""
        kind = words[1] if len(words) > 1 else words[0]
        names = [word[:-3] for word in words[2:] if word.endswith('.py')] or ['shop']
        if kind in ('before', 'after'):
            getattr(self, kind)[names[0]] = text
            self.untracked = self.untracked or 'untracked' in words
        elif kind == 'console':
            self.command, _, error = text.partition('\n')
            self.error = error.strip().replace('mr-attach: pid 4242: ', '') or None
        else:
            assert kind in ('held', 'then'), words
            setattr(self, kind, text)
        return kind == 'then'

    def options(self):
        """What the words of its command mean to the engine."""
        found, words = {}, self.command.split()[4:]
        while words:
            key, value = OPTIONS[words.pop(0)]
            found[key] = found.get(key, []) + [words.pop(0)] if isinstance(value, list) else value
        return found


def examples():
    found, one = [], None
    for match in re.finditer(r'^```(\w.*)\n((?:(?!```).*\n)*)```$', TEXT, re.M):
        words = match.group(1).split()
        if len(words) == 1 and one is None:
            continue
        one = one or Example(TEXT.count('\n', 0, match.start()) + 1)
        if one.take(words, match.group(2)):
            found.append(one)
            one = None
    return found


class Document(Program):
    def run_example(self, one):
        sys.dont_write_bytecode = one.untracked
        self.write(**one.before)
        names = {name: self.load(name) for name in one.before}
        exec(one.held, names)
        self.write(**one.after)
        answer = command('reload-stale', **one.options())
        if one.error is None:
            self.assertIsNone(answer['error'], answer['error'])
        else:
            self.assertIn(one.error, '%s: %s' % (answer['error']['module'], answer['error']['message']) + '\n'
                          + answer['error']['message'])
        test = doctest.DocTestParser().get_doctest(one.then, names, 'line %d' % one.line, 'RELOAD.md', one.line)
        self.assertTrue(test.examples)
        said = []
        doctest.DocTestRunner(verbose=False).run(test, out=said.append, clear_globs=False)
        self.assertEqual(''.join(said), '')

    def test_there_are_examples(self):
        self.assertGreater(len(examples()), 10)
        self.assertEqual(TEXT.count('```python then'), len(examples()))

    def test_table(self):
        rows = re.findall(r'^\| (\d+) \| (\w+) \|.*\| (\S+) \|$', TEXT, re.M)
        self.assertEqual([int(number) for number, _, _ in rows], list(range(1, 157)))
        known = {one.name for one in CASES}
        self.assertEqual([name for _, name, ours in rows if ours == '✓' and name not in known], [])


def add(one):
    setattr(Document, 'test_line_%d' % one.line, lambda self: self.run_example(one))


for example in examples():
    add(example)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Large modules and large edits mean what small ones do."""
import os
import random
import runpy
import unittest

from harness import PAYLOAD, Program, command

LINES = 600                                  # statements; beyond some 500 there is no table of all pairs


class Large(Program):
    def change(self, before, after):
        self.write(m=before)
        module = self.load('m')
        self.write(m=after)
        return module, self.reload

    def test_edits_at_both_ends(self):
        between = ''.join('X%d = []\n' % number for number in range(LINES))
        m, reload = self.change('A = 1\n' + between + 'Z = 1\n', 'A = 2\n' + between + 'Z = 2\n')
        m.X7.append('kept')
        answer = self.entry(reload())
        self.assertEqual((m.A, m.Z, m.X7, answer['changed']), (2, 2, ['kept'], ['A', 'Z']))

    def test_equal_statements_between(self):
        between = 'COUNT.append(1)\n' * LINES
        m, reload = self.change('COUNT = []\nA = 1\n' + between + 'Z = 1\n', 'COUNT = []\nA = 2\n' + between + 'Z = 2\n')
        answer = self.entry(reload())
        self.assertEqual((m.A, m.Z, len(m.COUNT), answer['changed']), (2, 2, LINES, ['A', 'Z']))


    def test_what_calls_do_is_known(self):
        """Names that functions bind, change and delete while many statements run: put back, and taken back by undo."""
        text = 'GONE = 1\nCOUNT = []\ndef note(x):\n    global COUNT\n    COUNT = [x]\n    globals().pop("GONE", None)\n' \
            '    globals()["CAME" + str(x)] = x\n    return x\nclass K:\n    made = 1\n' + ''.join(
                'X%d = note(%%d + %d)\nY%d = (X%d, %%d)\ndef f%d(a=%%d):\n    return a\n' % ((n,) * 5) for n in range(30))
        end = 'Z = %d\n'
        self.write(m=text % ((0,) * 90) + end % 1)
        m = self.load('m')
        m.GONE = 'back'
        before = dict(vars(m))
        self.write(m=text % ((1,) * 90) + end % 2 + 'Z = Z / 0\n')
        self.refused(self.attempt(), 'exception')
        self.same(vars(m), before)
        self.write(m=text % ((1,) * 90) + end % 2)
        self.reload()
        self.assertEqual((m.COUNT, m.X29, m.Y3, m.f3(), m.CAME30, hasattr(m, 'GONE')), ([30], 30, (4, 1), 1, 30, False))
        self.assertIsNone(command('undo')['error'])
        self.same(vars(m), before)
        self.assertEqual(m.f3(), 0)

    def same(self, names, before):
        self.assertEqual({name for name in set(names) | set(before) if names.get(name, self) is not before.get(name, self)}, set())


class Subsequences(unittest.TestCase):
    """payload/module_reloader/subsequence.py, whose tables are made so small that the other ways are taken."""

    def setUp(self):
        self.space = runpy.run_path(os.path.join(PAYLOAD, 'module_reloader', 'subsequence.py'))
        self.known, self.chance = self.space['in_order'].__globals__, random.Random(6)

    def edited(self, items, kinds):
        found = list(items)
        for _ in range(self.chance.randrange(6)):
            place, what = self.chance.randrange(len(found) + 1), self.chance.randrange(10)
            found[place:place + (what < 5)] = [] if what < 5 else [self.chance.randrange(kinds)]
            if what == 9:
                self.chance.shuffle(found)
        return found

    def test_in_order(self):
        for tables in ((250000, 10000), (20, 5), (0, 0)):
            self.known['TABLE_SIZE'], self.known['SMALL_TABLE'] = tables
            for _ in range(400):
                kinds = self.chance.choice((1, 2, 5, 30, 1000))
                olds = [self.chance.randrange(kinds) for _ in range(self.chance.randrange(30))]
                news = self.edited(olds, kinds)
                found = sorted(self.space['in_order'](olds, news))
                self.assertTrue(all(olds[i] == news[j] for i, j in found))
                self.assertTrue(all(one < other and its < theirs for (one, its), (other, theirs) in zip(found, found[1:])))
                best = len(self.space['longest'](olds, news))
                self.assertLessEqual(len(found), best)
                if tables[0] > 900:
                    self.assertEqual(len(found), best)

    def test_long_ones(self):
        self.known['TABLE_SIZE'], self.known['SMALL_TABLE'] = 0, 0
        olds = list(range(2000))
        found = self.space['in_order'](olds, [-one if one % 25 == 0 else one for one in olds])
        self.assertEqual(len(found), 1921)   # 0 is 0


if __name__ == '__main__':
    unittest.main()

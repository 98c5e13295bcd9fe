# SPDX-License-Identifier: MIT
"""__reload_before__ and __reload_after__: what a module does itself about its reload."""
import sys
import unittest

from harness import Program, command

TEXT = '''LOG = []
SIZE = 1
TABLE = [0] * SIZE
def f(): return 1
def __reload_before__(old): LOG.append(("before 1", old["SIZE"], SIZE, f(), old is globals()))
def __reload_after__(new): LOG.append(("after 1", new.SIZE))
'''


class Hooks(Program):
    def setUp(self):
        Program.setUp(self)
        self.write(m=TEXT, n='from m import SIZE, TABLE\nimport m\ndef __reload_after__(new): m.LOG.append(("n", m.SIZE, new.__name__))\n')
        self.m, self.n = self.load('m', 'n')

    def edit(self, after, size=2):
        self.write(m=TEXT.replace('SIZE = 1', 'SIZE = %d' % size).replace('return 1', 'return 2').replace('before 1', 'before 2')
                   .replace('    LOG.append(("after 1"', '').partition('def __reload_after__')[0] + after)

    def test_what_they_see(self):
        self.edit('def __reload_after__(new):\n    global TABLE\n    LOG.append(("after 2", new.SIZE, f()))\n    TABLE = [1] * SIZE\n')
        lines = [[(one['line'], one['text']) for one in self.entry(self.reload(dry_run=dry))['executed']] for dry in (True, False)]
        self.assertEqual(lines[0], [(2, 'SIZE = 2'), (5, '__reload_before__(old)'), (6, '__reload_after__(new)')])
        self.assertEqual(lines[0], lines[1])
        self.assertEqual(self.m.LOG, [('before 1', 1, 1, 1, False), ('after 2', 2, 2)])
        self.assertEqual((self.m.TABLE, self.n.TABLE, self.n.SIZE), ([1, 1], [1, 1], 2))
        self.reload('m')                     # not stale: not asked
        self.assertEqual(len(self.m.LOG), 2)
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual((self.m.TABLE, self.n.TABLE, self.n.SIZE, self.m.f()), ([0], [0], 1, 1))

    def test_several_modules(self):
        self.edit('def __reload_after__(new): LOG.append(("after 2", new.SIZE))\n')
        self.write(n='from m import SIZE, TABLE\nimport m\nX = 1\ndef __reload_after__(new): m.LOG.append(("n", m.SIZE, new.__name__))\n')
        self.reload()
        self.assertEqual(self.m.LOG, [('before 1', 1, 1, 1, False), ('after 2', 2), ('n', 2, 'n')])

    def test_an_exception_takes_all_back(self):
        for after in ('def __reload_after__(new):\n    global TABLE\n    TABLE = 5\n    raise ValueError("mine")\n',
                      'def __reload_after__(new):\n    import sys\n    sys.exit(3)\n'):
            before = [{name: value for name, value in vars(one).items() if name != '__builtins__'} for one in (self.m, self.n)]
            self.edit(after)
            answer = self.attempt()
            self.assertIn(answer['error']['code'], ('exception', 'system-exit'))
            self.assertEqual((answer['error']['module'], self.entry(answer)['state']), ('m', 'failed'))
            now = [{name: value for name, value in vars(one).items() if name != '__builtins__'} for one in (self.m, self.n)]
            self.assertEqual((now, self.m.f()), (before, 1))

    def test_the_first_one_raises(self):
        self.write(o='def __reload_before__(old): raise LookupError(1)\nX = 1\n')
        o = self.load('o')
        self.write(o='X = 2\n')
        self.edit('')
        self.assertEqual(self.refused(self.attempt(), 'exception')['module'], 'o')
        self.assertEqual((o.X, self.m.SIZE, self.n.SIZE), (1, 1, 1))

    def test_new_in_the_source(self):
        self.write(o='X = 1\n')
        o = self.load('o')
        self.write(o='X = 2\ndef __reload_before__(old): raise LookupError(1)\ndef __reload_after__(new): new.Y = new.X + 1\n')
        self.reload()
        self.assertEqual((o.X, o.Y), (2, 3))

    def test_removed_from_the_source(self):
        self.edit('')
        self.reload()
        self.assertEqual(self.m.LOG, [('before 1', 1, 1, 1, False)])
        self.assertEqual(sys.modules['m'].SIZE, 2)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""First steps of reloading."""
import unittest

from harness import Program, command


class First(Program):
    def test_body(self):
        self.write(m='X = 1\ndef f():\n    return 1\n')
        m = self.load('m')
        held = m.f
        self.write(m='X = 1\ndef f():\n    return 22\n')
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])
        answer = self.reload()
        print(answer)
        self.assertEqual((m.f(), held()), (22, 22))
        self.assertEqual(command('stale')['modules'], [])

    def test_const(self):
        self.write(m='X = 1\nC = {}\ndef f():\n    return 1\n')
        m = self.load('m')
        m.C['a'] = 1
        self.write(m='X = 2\nC = {}\nY = 5\ndef f():\n    return 1\n')
        answer = self.reload()
        self.assertEqual((m.X, m.C, m.Y), (2, {'a': 1}, 5))


if __name__ == '__main__':
    unittest.main()

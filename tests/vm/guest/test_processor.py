# SPDX-License-Identifier: MIT
"""A processor without XSAVE, as many virtual ones are: registers come back all the same."""
import unittest

from guest import GuestTest


class Processor(GuestTest):
    def test_it_has_none(self):
        with open('/proc/cpuinfo') as file:
            self.assertNotIn('xsave', file.read().split())

    def test_works(self):
        pid = self.program()
        self.works(pid)
        for number in range(30):
            self.assertEqual(self.attach(pid, 'exec', '%d / 7' % number)[:2], (0, '%r\n' % (number / 7)))
        self.goes_on(pid)


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""kernel.yama.ptrace_scope, as its owner, another user and root meet it. The last scope stays until the next boot."""
import unittest

from guest import GuestTest, as_user, write

OWNER, OTHER = 1000, 1001
ANY = 'import ctypes; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)'  # PR_SET_PTRACER


class Yama(GuestTest):
    def setUp(self):
        GuestTest.setUp(self)
        self.plain, self.willing = self.program(as_user(OWNER)), self.program(as_user(OWNER), ANY)

    def scope(self, number):
        write('/proc/sys/kernel/yama/ptrace_scope', str(number))

    def named(self, pid, number, uid=OWNER):
        self.refused(pid, 4, 'ptrace_scope is %d' % number, prefix=as_user(uid))
        status, said, _ = self.attach(pid, 'info', prefix=as_user(uid))
        self.assertEqual((status, 'not possible' in said), (0, True), said)

    def test_scope_0(self):
        self.scope(0)
        self.works(self.plain, as_user(OWNER))
        self.refused(self.plain, 4, 'belongs to uid', prefix=as_user(OTHER))

    def test_scope_1(self):
        self.scope(1)
        self.named(self.plain, 1)
        self.works(self.willing, as_user(OWNER))
        self.refused(self.willing, 4, 'belongs to uid', prefix=as_user(OTHER))
        self.assertEqual(self.attach(self.plain, 'exec', '1')[:2], (0, '1\n'))

    def test_scope_2(self):
        self.scope(2)
        for pid in (self.plain, self.willing):
            self.named(pid, 2)
        self.works(self.plain)

    def test_scope_3(self):
        self.scope(3)
        self.named(self.willing, 3)
        self.refused(self.plain, 4, 'ptrace_scope is 3', 'boot again')


if __name__ == '__main__':
    unittest.main()

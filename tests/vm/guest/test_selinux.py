# SPDX-License-Identifier: MIT
"""SELinux, enforcing, with Debian's policy, which denies executable memory that is of no file unless allow_execmem is on."""
import subprocess
import unittest

from guest import GuestTest, write

CONTEXTS = ('unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023', 'user_u:user_r:user_t:s0', 'system_u:system_r:initrc_t:s0')


class SELinux(GuestTest):
    @classmethod
    def setUpClass(cls):
        subprocess.run(['setfiles', '-F', '/etc/selinux/default/contexts/files/file_contexts', '/usr', '/etc', '/srv'],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def setUp(self):
        GuestTest.setUp(self)
        self.addCleanup(write, '/sys/fs/selinux/enforce', '0')

    def enforce(self, execmem):
        subprocess.run(['setsebool', 'allow_execmem', execmem], check=True)
        write('/sys/fs/selinux/enforce', '1')

    def test_executable_memory_is_denied(self):
        pids = [self.program(['runcon', context]) for context in CONTEXTS]
        self.enforce('off')
        for pid in pids:
            self.refused(pid, 4, 'mmap of executable memory: Permission denied', 'getsebool -a | grep execmem')

    def test_executable_memory_is_permitted(self):
        pids = [self.program(['runcon', context]) for context in CONTEXTS]
        self.enforce('on')
        for pid in pids:
            self.assertEqual(self.attach(pid, 'exec', '6 * 7')[:2], (0, '42\n'))
            self.goes_on(pid)
        self.works(pids[0])


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: MIT
"""Modules on an NFS mount: edits from either side, files replaced, a server that goes away and comes back."""
import os
import subprocess
import unittest

from guest import NEW, GuestTest, write, write_old

EXPORT, MOUNT = '/srv/export', '/mnt/nfs'


def run(command):
    subprocess.run(command, shell=True, check=True)


class Nfs(GuestTest):
    @classmethod
    def setUpClass(cls):
        for path in (EXPORT, MOUNT):
            os.makedirs(path, exist_ok=True)
        write('/etc/exports', EXPORT + ' 127.0.0.1(rw,sync,no_root_squash,no_subtree_check,fsid=0)\n')
        run('ip link set lo up; modprobe nfsd; modprobe nfs; systemctl -q unmask nfs-server; systemctl start nfs-server')
        run('mount -t nfs4 -o hard,vers=4.2,actimeo=0 127.0.0.1:/ ' + MOUNT)

    def change(self, folder, text, pid, expected):
        write(folder + '/work.py', text)
        status, said, errors = self.attach(pid, 'reload-stale')
        self.assertEqual((status, said.split()[:2]), (0, ['reloaded', 'work']), said + errors)
        self.assertEqual(self.attach(pid, 'exec', 'import work; work.f()')[:2], (0, expected))
        self.goes_on(pid)

    def test_edits(self):
        write_old(EXPORT)
        pid = self.program(folder=MOUNT)
        self.change(MOUNT, NEW, pid, '26\n')
        self.change(EXPORT, NEW.replace('25', '35'), pid, '36\n')
        write(EXPORT + '/new.py', NEW.replace('25', '45'))
        os.rename(EXPORT + '/new.py', EXPORT + '/work.py')
        self.assertEqual(self.attach(pid, 'reload-stale')[0], 0)
        self.assertEqual(self.attach(pid, 'exec', 'import work; work.f()')[:2], (0, '46\n'))

    def test_the_server_goes_away(self):
        write_old(EXPORT)
        pid = self.program(folder=MOUNT)
        write(EXPORT + '/work.py', NEW)
        run('systemctl stop nfs-server')
        try:
            status, _, errors = self.attach('-t', '3', pid, 'reload-stale')
            self.assertEqual(status, 1, errors)
            self.assertEqual(self.attach(pid, 'exec', '6 * 7')[:2], (0, '42\n'))
            self.goes_on(pid)
        finally:
            run('systemctl start nfs-server')
        run('stat %s/work.py >/dev/null' % MOUNT)
        self.works(pid)

    def works(self, pid, prefix=()):
        self.change(EXPORT, NEW.replace('25', '55'), pid, '56\n')


if __name__ == '__main__':
    unittest.main()

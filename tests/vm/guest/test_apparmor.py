# SPDX-License-Identifier: MIT
"""AppArmor: profiles of the process and of mr-attach. Both must permit, apparmor.d(5), ptrace rules."""
import subprocess
import unittest

from guest import GuestTest, write, write_old

MOST = 'file, network, signal, capability, unix,'
PROFILES = '''include <tunables/global>
profile mr_target_bare { %(most)s }
profile mr_target_base { include <abstractions/base>
 %(most)s }
profile mr_target_traced { %(most)s ptrace (tracedby, readby), }
profile mr_target_files { /usr/** rm, /etc/** r, /dev/** rw, /proc/** r, /srv/** r, network, signal, capability, unix,
 ptrace (tracedby, readby), }
profile mr_tracer_none { %(most)s }
profile mr_tracer_read { %(most)s ptrace (read), }
profile mr_tracer { %(most)s ptrace (read, trace), }
''' % {'most': MOST}


def under(profile):
    return ['aa-exec', '-p', profile]


class AppArmor(GuestTest):
    @classmethod
    def setUpClass(cls):
        write('/etc/apparmor.d/mr', PROFILES)
        subprocess.run(['apparmor_parser', '-r', '/etc/apparmor.d/mr'], check=True)

    def test_profiles_of_the_process(self):
        for name in ('bare', 'base', 'traced', 'files'):
            with self.subTest(name):
                write_old(self.folder)
                self.works(self.program(under('mr_target_' + name)))

    def test_profiles_of_both(self):
        for tracer, name, status in (('_none', 'traced', 4), ('_read', 'traced', 4), ('', 'traced', 0), ('', 'bare', 4)):
            with self.subTest((tracer, name)):
                write_old(self.folder)
                pid, prefix = self.program(under('mr_target_' + name)), under('mr_tracer' + tracer)
                if status:
                    self.refused(pid, status, 'a security module forbids it', 'dmesg', prefix=prefix)
                else:
                    self.works(pid, prefix)


if __name__ == '__main__':
    unittest.main()

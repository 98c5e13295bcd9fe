# SPDX-License-Identifier: MIT
"""Units of systemd: of the program and of mr-attach, with what systemd.exec(5) offers to confine them."""
import subprocess
import time
import unittest

from guest import MR_ATTACH, PROGRAM, GuestTest, write_old

SETTINGS = '''
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
SystemCallFilter=@system-service SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
NoNewPrivileges=yes CapabilityBoundingSet=
ProtectSystem=strict ProtectHome=yes PrivateTmp=yes ReadOnlyPaths=/
PrivateUsers=yes
DynamicUser=yes
ProtectProc=invisible ProcSubset=pid DynamicUser=yes
RestrictNamespaces=yes LockPersonality=yes RestrictRealtime=yes RestrictSUIDSGID=yes
PrivateNetwork=yes PrivateDevices=yes PrivateIPC=yes PrivateMounts=yes
ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes
TasksMax=1
MemoryMax=20M
LimitNOFILE=5
LimitMEMLOCK=0
TemporaryFileSystem=/proc2 InaccessiblePaths=/sys
MemoryDenyWriteExecute=yes SystemCallFilter=@system-service NoNewPrivileges=yes ProtectSystem=strict DynamicUser=yes PrivateUsers=yes
'''
# What mr-attach itself may lack, and the status of its command then; systemd ends it by a signal where a call is forbidden.
OF_OURS = (('MemoryDenyWriteExecute=yes', 0), ('SystemCallFilter=@system-service @debug', 0), ('NoNewPrivileges=yes', 0),
           ('CapabilityBoundingSet=CAP_SYS_PTRACE', 0), ('ProtectProc=invisible', 0), ('ProtectSystem=strict', 0),
           ('PrivateNetwork=yes', 0), ('PrivateUsers=yes', 4), ('User=nobody', 4))


class Units(GuestTest):
    def unit(self, settings):
        """(name, pid)"""
        name = 'mr-%d' % time.monotonic_ns()
        write_old(self.folder)
        properties = [word for one in settings.replace(' @', '\0@').split() for word in ('-p', one.replace('\0', ' '))]
        subprocess.run(['systemd-run', '-q', '--unit=' + name] + properties +
                       ['python3', '-B', '-c', PROGRAM % (self.folder, 'open("/proc/self/comm", "w").write("at work")')], check=True)
        self.addCleanup(subprocess.run, ['systemctl', 'kill', '-s', 'KILL', name])
        for _ in range(1200):
            said = subprocess.run(['systemctl', 'show', '-p', 'MainPID', '--value', name], stdout=subprocess.PIPE, check=True).stdout
            pid = int(said)
            if pid and self.comm(pid) == 'at work':
                return name, pid
            time.sleep(0.05)
        self.fail('%s did not start' % settings)

    def comm(self, pid):
        try:
            with open('/proc/%d/comm' % pid) as file:
                return file.read().strip()
        except OSError:
            return None

    def test_settings(self):
        for settings in SETTINGS.strip().splitlines():
            with self.subTest(settings):
                name, pid = self.unit(settings)
                self.works(pid)
                self.assertEqual(self.attach('--unit', name, 'exec', '1')[:2], (0, '1\n'))

    def test_a_stack_too_small_for_us(self):
        _, pid = self.unit('LimitSTACK=131072')
        self.refused(pid, 6, 'no room for the request: the stack of the main thread')

    def test_frozen(self):
        name, pid = self.unit('MemoryDenyWriteExecute=yes')
        subprocess.run(['systemctl', 'freeze', name], check=True)
        status, _, errors = self.attach('-t', '1', pid, 'exec', '1')
        self.assertEqual((status, 'control group is frozen' in errors), (6, True), errors)
        subprocess.run(['systemctl', 'thaw', name], check=True)
        self.works(pid)

    def test_units_of_ours(self):
        pid = self.program()
        for settings, expected in OF_OURS:
            with self.subTest(settings):
                done = subprocess.run(['systemd-run', '-q', '--wait', '--pipe', '-p', settings, MR_ATTACH, str(pid), 'exec', '6 * 7'],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual((done.returncode, done.stdout), (expected, b'' if expected else b'42\n'), done.stderr.decode())
                self.goes_on(pid)

    def test_the_system_log_names_it(self):
        pid = self.program()
        self.assertEqual(self.attach(pid, 'exec', '"secret"')[0], 0)
        time.sleep(1)                        # the log has no moment at which it is whole
        said = subprocess.run(['journalctl', '-t', 'mr-attach', '--no-pager'], stdout=subprocess.PIPE, check=True).stdout.decode()
        lines = [line for line in said.splitlines() if 'pid=%d ' % pid in line]
        self.assertEqual(len(lines), 1, said)
        self.assertIn('uid=0', lines[0])
        self.assertNotIn('secret', said)


if __name__ == '__main__':
    unittest.main()

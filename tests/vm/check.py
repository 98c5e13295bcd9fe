#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that need a kernel of their own, in virtual machines: tests/vm/guest/test_*.py, each in a Debian that boots for it.

    check.py [NAME...]    those, or all

QEMU emulates the processor, so that this works where no machine may be nested. The Debian is fetched once, into
$MR_PYTHONS/../vm or ~/.cache/mr-attach/vm; delete that folder to fetch anew. Needs root: debootstrap, chroot.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'pythons'))
import pythons  # noqa: E402

MR_ATTACH = os.environ.get('MR_ATTACH') or os.path.join(TOP, os.environ.get('B') or 'build', 'mr-attach')
ROOT = os.path.join(os.path.dirname(pythons.cache_folder()), 'vm', 'root')
BASE = 'systemd systemd-sysv dbus udev python3 kmod iproute2 initramfs-tools'
MORE = 'linux-image-cloud-amd64 apparmor selinux-policy-default nfs-kernel-server nfs-common libdw1 libjansson4'
LIMIT = 900                                  # seconds for one machine
CPU = {'processor': 'qemu64'}                # of QEMU's processors the plainest; else the one that has most
ARGUMENTS = {'selinux': 'security=selinux selinux=1 enforcing=0'}
UNIT = '''[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS0
StandardError=file:/dev/ttyS0
WorkingDirectory=/opt/mr-attach
ExecStart=/bin/sh -c 'python3 -B -m unittest -v test_$(sed "s/.*mr.test=\\\\([a-z]*\\\\).*/\\\\1/" /proc/cmdline)'
ExecStopPost=/bin/systemctl --no-block poweroff -ff
[Install]
WantedBy=multi-user.target
'''


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def fetch():
    done = os.path.join(ROOT, '.complete')
    if os.path.exists(done):
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    os.makedirs(ROOT)
    run('debootstrap', '--variant=minbase', '--include=' + BASE.replace(' ', ','), 'bookworm', ROOT, pythons.debian_mirror())
    run('chroot', ROOT, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', *MORE.split(),
        env=dict(os.environ, DEBIAN_FRONTEND='noninteractive', LC_ALL='C'))
    open(done, 'w').close()


def build(image):
    """A disk with what is to be tested on it."""
    inside = os.path.join(ROOT, 'opt', 'mr-attach')
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, 'guest'), inside)
    shutil.copy(MR_ATTACH, os.path.join(ROOT, 'usr', 'local', 'bin', 'mr-attach'))
    with open(os.path.join(ROOT, 'etc', 'systemd', 'system', 'mr-test.service'), 'w') as out:
        out.write(UNIT)
    run('chroot', ROOT, 'systemctl', '-q', 'enable', 'mr-test.service')
    run('chroot', ROOT, 'systemctl', '-q', 'mask', 'nfs-server.service', 'serial-getty@ttyS0.service', stderr=subprocess.DEVNULL)
    with open(image, 'wb') as out:
        out.truncate(5 << 30)
    run('mke2fs', '-q', '-t', 'ext4', '-d', ROOT, image)


def boot(image, name):
    """What the machine said."""
    kernel, initrd = (max(glob.glob(os.path.join(ROOT, 'boot', kind + '-*'))) for kind in ('vmlinuz', 'initrd.img'))
    arguments = 'root=/dev/vda rw console=ttyS0 quiet loglevel=1 systemd.show_status=false panic=-1 mr.test=%s %s' % (
        name, ARGUMENTS.get(name, ''))
    command = ['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', CPU.get(name, 'max'), '-smp', '2', '-m', '2048',
               '-nographic', '-no-reboot', '-snapshot', '-drive', 'format=raw,if=virtio,file=' + image,
               '-kernel', kernel, '-initrd', initrd, '-append', arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        return done.stdout.decode('utf-8', 'replace').replace('\r', '')
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b'').decode('utf-8', 'replace') + '\nnot done after %d s\n' % LIMIT


def main(names):
    known = sorted(os.path.basename(path)[5:-3] for path in glob.glob(os.path.join(HERE, 'guest', 'test_*.py')))
    if set(names) - set(known):
        sys.exit('check.py: there are: ' + ' '.join(known))
    fetch()
    total = [0, 0]
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, 'disk')
        build(image)
        for name in names or known:
            said = boot(image, name)
            ran = re.search(r'^Ran (\d+) tests?', said, re.M)
            bad = sum(map(int, re.findall(r'(?:failures|errors)=(\d+)', said)))
            good = bool(ran) and (bad > 0 or re.search(r'^OK', said, re.M) is not None)
            total[0] += int(ran.group(1)) - bad if good else 0
            total[1] += bad if good else 1
            print('vm %-12s %s' % (name, ran.group(0) + ', %d failed' % bad if good else 'FAILED'), flush=True)
            if bad or not good:
                print(said[-20000:])
    print('%d passed, %d failed' % tuple(total))
    return 1 if total[1] else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

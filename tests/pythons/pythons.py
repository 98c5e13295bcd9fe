#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The CPythons that the tests run on: find them, fetch what Debian's mirror has, say which are absent.

    pythons.py list [check|all]     what is here and what is not
    pythons.py paths [check|all]    name, command line: one Python a line, for shell scripts
    pythons.py wrap FOLDER NAME...  scripts in FOLDER that start them, where they are here; prints the paths
    pythons.py fetch                fetch what is not here; fails when a required one cannot be had
    pythons.py extra                build the two that have no package (takes minutes)

What is fetched lives in $MR_PYTHONS, or ~/.cache/mr-attach/pythons. Delete that folder to fetch anew.
"""
import contextlib
import fcntl
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RETRY_AFTER = 3600  # seconds until a failed fetch of an optional one is tried again


def cache_folder():
    default = os.path.join(os.path.expanduser('~'), '.cache', 'mr-attach', 'pythons')
    return os.environ.get('MR_PYTHONS') or default


class Python:
    """One line of the table; `program` is None while it is absent, `root` is the chroot it runs in or None."""

    def __init__(self, name, need, runs, source):
        self.name, self.need, self.runs, self.source = name, need, runs, source
        self.root = self.program = None
        self.find()

    def __repr__(self):
        return '<%s %s>' % (self.name, self.program)

    def find(self):
        kind, *rest = self.source
        if kind == 'path':
            program = rest[0]
        elif kind == 'pyenv':
            program = newest_pyenv(rest[0])
        elif kind == 'debian':
            self.root = os.path.join(cache_folder(), rest[0] + '-' + rest[2])
            program = rest[1]
            if not os.path.exists(os.path.join(self.root, '.complete')):
                program = None
        else:
            program = os.path.join(cache_folder(), self.name, 'bin', 'python3')
        self.program = program if program and os.path.exists(self.outside(program)) else None

    @property
    def here(self):
        return self.program is not None

    @property
    def version(self):
        """(3, 11), from the name: known also while it is absent."""
        major, minor = re.search(r'(\d+)\.(\d+)', self.name).groups()
        return int(major), int(minor)

    @property
    def free_threaded(self):
        return self.name.endswith('t')

    def outside(self, path):
        """A path of the target as this machine's programs must write it."""
        return self.root + path if self.root else path

    def argv(self, *args, proc=False):
        """The command line that starts this Python; with `proc` its chroot has a /proc, where we are allowed to."""
        enter = chroot(self.root) if self.root else []
        if self.root and proc and os.geteuid() == 0:
            mount = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
            enter = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh', self.root]
        return enter + [self.program] + list(args)

    @contextlib.contextmanager
    def folder(self):
        """A temporary folder that the target can see: (path for the target, path for us)."""
        base = self.outside('/tmp')
        path = tempfile.mkdtemp(prefix='mr-test-', dir=base)
        os.chmod(path, 0o755)
        try:
            yield (path[len(self.root):] if self.root else path), path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def chroot(root):
    """The command line that enters a folder; users other than root need a namespace for that."""
    return ([] if os.geteuid() == 0 else ['unshare', '--map-root-user']) + ['chroot', root]


def newest_pyenv(version):
    base = os.environ.get('PYENV_ROOT') or os.path.join(os.path.expanduser('~'), '.pyenv')
    found = glob.glob(os.path.join(glob.escape(base), 'versions', version + '.*', 'bin', 'python' + version))
    found = [p for p in found if re.match(r'[\d.]+$', p.split(os.sep)[-3])]
    return max(found, key=lambda p: int(p.split(os.sep)[-3].split('.')[2])) if found else None


def python2():
    """A Python 2.7 if there is one: a target that must be refused."""
    return newest_pyenv('2.7') or shutil.which('python2.7', path='/usr/local/bin:/usr/bin')


def table():
    with open(os.path.join(HERE, 'table')) as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith('#')]
    return [Python(name, need, runs, source) for name, need, runs, *source in rows]


def chosen(runs='check'):
    """Those that `make check` (or, with 'all', `make check-all`) is to use; $MR_ONLY names a few by hand."""
    only = os.environ.get('MR_ONLY', '').split()
    return [p for p in table() if (p.name in only if only else runs == 'all' or p.runs == 'check')]


# --- fetching -------------------------------------------------------------------------------------------------------

def debian_mirror():
    """The mirror that this machine's apt already uses for Debian itself."""
    for path in sorted(glob.glob('/etc/apt/sources.list.d/*.sources')) + ['/etc/apt/sources.list'] + \
            sorted(glob.glob('/etc/apt/sources.list.d/*.list')):
        with contextlib.suppress(OSError), open(path) as lines:
            for line in lines:
                found = re.match(r'(?:URIs:|deb\s+(?:\[[^]]*\]\s*)?)\s*(\S+/debian/?)(?:\s|$)', line)
                if found:
                    return found.group(1)
    return 'http://deb.debian.org/debian'


class Suite:
    """apt with lists and caches of its own, so that the machine's stay as they are; signatures are checked as ever."""

    def __init__(self, suite):
        self.folder = os.path.join(cache_folder(), 'apt-' + suite)
        for sub in ('etc', 'state/lists/partial', 'cache/archives/partial'):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        signed = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
        with open(self.path('etc/sources.list'), 'w') as out:
            for kind in ('deb', 'deb-src'):
                out.write('%s %s %s %s main\n' % (kind, signed, debian_mirror(), suite))
        open(self.path('state/status'), 'a').close()
        with open(self.path('apt.conf'), 'w') as out:
            for key, value in (('Dir::Etc::SourceList', self.path('etc/sources.list')),
                               ('Dir::Etc::SourceParts', '/dev/null'), ('Dir::Etc::Preferences', '/dev/null'),
                               ('Dir::Etc::PreferencesParts', '/dev/null'),
                               ('Dir::State', self.path('state')), ('Dir::State::status', self.path('state/status')),
                               ('Dir::Cache', self.path('cache')), ('APT::Architecture', 'amd64'),
                               ('APT::Sandbox::User', 'root'), ('APT::Install-Recommends', 'false'),
                               # A mirror's copy of sid may be past its week: the signature still counts.
                               ('Acquire::Check-Valid-Until', 'false')):
                out.write('%s "%s";\n' % (key, value))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *args, **options):
        subprocess.run(['apt-get', '-q', '-y'] + list(args), check=True, stdout=sys.stderr,
                       env=dict(os.environ, APT_CONFIG=self.path('apt.conf'), DEBIAN_FRONTEND='noninteractive'),
                       **options)

    def unpack(self, package, root, program):
        """The package and all that it needs, unpacked (not installed) into a folder that will serve as a chroot."""
        self.run('update')
        self.run('install', '--download-only', '-o', 'Debug::NoLocking=1', package)
        fresh = root + '.new'
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        for name in ('bin', 'sbin', 'lib', 'lib64'):
            os.makedirs(os.path.join(fresh, 'usr', name))
            os.symlink('usr/' + name, os.path.join(fresh, name))
        for deb in sorted(glob.glob(glob.escape(self.path('cache/archives')) + '/*.deb')):
            # Through tar, not `dpkg -x`: that would replace the links lib -> usr/lib by folders of older packages.
            with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', deb], stdout=subprocess.PIPE) as data:
                subprocess.run(['tar', '-x', '--keep-directory-symlink', '--no-same-owner', '-C', fresh],
                               stdin=data.stdout, check=True)
            os.remove(deb)
        for name in ('tmp', 'proc', 'dev'):
            os.makedirs(os.path.join(fresh, name), exist_ok=True)
        for useless in ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/lib/debug'):
            shutil.rmtree(os.path.join(fresh, useless), ignore_errors=True)
        os.chmod(os.path.join(fresh, 'tmp'), 0o1777)
        with contextlib.suppress(OSError):  # only root can, and hardly anybody needs it
            os.mknod(os.path.join(fresh, 'dev', 'null'), 0o20666, os.makedev(1, 3))
        # An installed Python has its library compiled; that is what package scripts do.
        subprocess.run(chroot(fresh) + [program, '-m', 'compileall', '-q', '/usr/lib'],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        open(os.path.join(fresh, '.complete'), 'w').close()
        shutil.rmtree(root, ignore_errors=True)
        os.rename(fresh, root)


@contextlib.contextmanager
def only_one():
    os.makedirs(cache_folder(), exist_ok=True)
    with open(os.path.join(cache_folder(), 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def try_fetch(python):
    python.find()  # another run may have fetched it while we waited for the lock
    failed = os.path.join(cache_folder(), python.name + '.failed')
    if python.here or (python.need != 'required' and time.time() - mtime(failed) < RETRY_AFTER):
        return
    print('pythons: fetching %s from %s' % (python.name, debian_mirror()), file=sys.stderr)
    try:
        Suite(python.source[1]).unpack(python.source[3], python.root, python.source[2])
    except (subprocess.CalledProcessError, OSError) as error:
        print('pythons: %s could not be fetched: %s' % (python.name, error), file=sys.stderr)
        open(failed, 'w').close()
    python.find()


def mtime(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def fetch(runs):
    """Fetches what is not here. Nothing is touched, and no lock taken, when nothing is missing."""
    missing = [p for p in chosen(runs) if not p.here]
    fetchable = [p for p in missing if p.source[0] == 'debian']
    if fetchable:
        with only_one():
            for python in fetchable:
                try_fetch(python)
    lacking = [p.name for p in missing if p.need == 'required' and not p.here]
    if lacking:
        print('pythons: required but absent: ' + ', '.join(lacking), file=sys.stderr)
    return 1 if lacking else 0


def extra():
    todo = [p for p in table() if p.need == 'extra' and not p.here]
    if not todo:
        return 0
    with only_one():
        suite = Suite('trixie')
        source = os.path.join(cache_folder(), 'source')
        os.makedirs(source, exist_ok=True)
        suite.run('update')
        suite.run('source', '--download-only', 'python3.13', cwd=source)
    built = [subprocess.run([os.path.join(HERE, 'build.sh'), python.source[1], source,
                             os.path.join(cache_folder(), python.name)]).returncode == 0 for python in todo]
    return 0 if all(built) else 1


def wrap(folder, names):
    """A script for each that is here: what a tool needs that takes one word for a program."""
    os.makedirs(folder, exist_ok=True)
    for python in chosen('all'):
        if python.here and python.name in names:
            path = os.path.join(folder, python.name)
            with open(path, 'w') as out:
                out.write('#!/bin/sh\nexec %s "$@"\n' % ' '.join(map(shlex.quote, python.argv())))
            os.chmod(path, 0o755)
            print(path, end=' ')
    return 0


def main(args):
    verb, runs = (args + ['list'])[0], (args + ['', 'all'])[1] or 'all'
    if verb == 'fetch':
        return fetch(runs)
    if verb == 'wrap' and len(args) > 1:
        return wrap(args[1], args[2:])
    if verb == 'extra':
        return extra()
    if verb == 'paths':
        for python in chosen(runs):
            if python.here:
                print(python.name, *python.argv())
        return 0
    if verb == 'list':
        for python in chosen(runs):
            print('%-12s %-9s %s' % (python.name, python.need, python.program or 'absent'))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""Modules on a file system that does not answer any more: mr-attach may wait for it, the program must not."""
import os
import tempfile
import unittest

from hanging import FileSystem
from harness import LiveTest, Target, each, expand

MAIN = '''
import importlib.util, sys
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location('far', %r)
far = sys.modules['far'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(far)
'''


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists('/dev/fuse'), 'needs root and /dev/fuse')
@expand
class Hanging(LiveTest):
    @each([('reload_stale', ['reload-stale']), ('reload', ['reload', 'far']), ('stale', ['stale']), ('list', ['list']),
           ('track', ['track'])])
    def test(self, command):
        with tempfile.TemporaryDirectory(prefix='mr-near-') as near, tempfile.TemporaryDirectory(prefix='mr-far-') as far:
            self.write(near, 'main.py', MAIN % (far + '/far.py'))
            self.write(near, 'far.py', 'def f(): return 1\n')
            with FileSystem(near, far) as files, Target('program', args=[near + '/main.py']) as target:
                self.write(near, 'far.py', 'def f(): return 2\n')
                files.hang()
                result = target.attach('--timeout', '3', *command)
                self.assertIn(result.status, (1, 7), str(result))
                self.assertEqual(target.ask('far.f()'), '1')
                self.assertUnharmed(target, leftover=1)
                files.go_on()
                self.assertStatus(target.attach('reload-stale'), 0)
                self.assertEqual(target.ask('far.f()'), '2')
                self.assertUnharmed(target)

    @each([('track', ['track']), ('reload', ['reload', 'near'])])
    def test_a_folder_of_the_search_path(self, command):
        with tempfile.TemporaryDirectory(prefix='mr-near-') as near, tempfile.TemporaryDirectory(prefix='mr-far-') as far:
            self.write(near, 'main.py', 'import near, os, sys\nos.chdir(%r)\nsys.path += [%r, ""]\n' % (far, far))
            self.write(near, 'near.py', 'def f(): return 1\n')
            with FileSystem(near, far) as files, Target('program', args=[near + '/main.py']) as target:
                self.write(near, 'near.py', 'def f(): return 2\n')
                files.hang()
                self.assertStatus(target.attach(*command), 0)
                self.assertEqual(target.ask('near.f()'), '1' if 'track' in command else '2')
                self.assertUnharmed(target, leftover=1)

    @each([('module', 'near'), ('path', 'near.py')])
    def test_reload_of_another_module(self, name):
        """Who imports from it is looked for in the sources of all."""
        with tempfile.TemporaryDirectory(prefix='mr-near-') as near, tempfile.TemporaryDirectory(prefix='mr-far-') as far:
            self.write(near, 'main.py', MAIN % (far + '/far.py') + 'import near, os\nos.chdir(%r)\n' % far)
            self.write(near, 'near.py', 'def f(): return 1\n')
            self.write(near, 'far.py', 'from near import *\n')
            with FileSystem(near, far) as files, Target('program', args=[near + '/main.py']) as target:
                self.write(near, 'near.py', 'def f(): return 2\ndef g(): return 3\n')
                files.hang()
                result = target.attach('--timeout', '3', 'reload', name)
                self.assertIn(result.status, (1, 7), str(result))
                self.assertEqual(target.ask('near.f()'), '1')
                files.go_on()
                self.assertStatus(target.attach('reload', 'near'), 0)
                self.assertEqual(target.ask('far.g()'), '3')

    def write(self, folder, name, text):
        with open(os.path.join(folder, name), 'w') as file:
            file.write(text)


if __name__ == '__main__':
    unittest.main()

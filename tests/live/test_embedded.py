# SPDX-License-Identifier: MIT
"""CPython inside of another program, which waits with the GIL held."""
import glob
import os
import unittest

from harness import HERE_NOW, LiveTest, MR_ATTACH, Target, each, expand, label

PROGRAM = os.path.join(os.path.dirname(MR_ATTACH), 'live', 'embedding')
SYSTEM = sorted(glob.glob('/usr/lib/*/libpython3.*.so.1.0'))  # comes with the headers


def libraries():
    """(label, CPython, its shared library): of those at hand that have one, and of the system."""
    for library in SYSTEM:
        version = os.path.basename(library)[len('libpython'):].split('.so')[0]
        yield 'system' + version.replace('.', '_'), '', library
    for python in HERE_NOW:
        home = os.path.dirname(os.path.dirname(os.path.realpath(python.program)))
        found = [] if python.root else glob.glob(os.path.join(home, 'lib', 'libpython3.*.so.1.0'))
        if found:
            yield label(python), home, found[0]


def embedded(home, library, how):
    return Target('read', command=[PROGRAM, library, how], env={'PYTHONHOME': home} if home else {})


@expand
class Embedded(LiveTest):

    @each(libraries())
    def test_outside_the_interpreter(self, home, library):
        with embedded(home, library, 'outside') as target:
            for number in range(3):
                result = target.attach('-j', 'exec', 'import __main__; __main__.answer += 1; __main__.answer')
                self.assertStatus(result, 0)
                self.assertEqual((result.json['value'], result.json['delivery']), (str(number + 2), 'parked-main'))
                self.assertUnharmed(target)
            self.assertEqual(target.stop()['answer'], 4)

    @each([('%s_%s' % (name, how), home, library, how) for name, home, library in libraries()
           for how in ('inside', 'switched')])
    def test_in_the_midst_of_it(self, home, library, how):
        with embedded(home, library, how) as target:
            self.assertRefused(target.attach('--timeout', '0.7', 'exec', 'import __main__; __main__.answer = 0'), 6,
                               'waiting in poll with the GIL held')
            self.assertUnharmed(target)
            self.assertEqual(target.stop()['answer'], 1)


if __name__ == '__main__':
    unittest.main()

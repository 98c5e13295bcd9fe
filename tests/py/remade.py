# SPDX-License-Identifier: MIT
"""A class that is made anew: the same three ways for all tests of it."""
from harness import Program, command


def picture(*classes):
    """What classes are, as far as a reload may change it."""
    return [(names, one.__bases__, type(one)) for one, names in zip(classes, attributes(classes))]


def attributes(objects):
    """Those of OBJECTS, without what the library, and Python 3.14 of annotations, has cached in them."""
    return [{k: v for k, v in getattr(one, '__dict__', {}).items() if k != '__annotations_cache__' and (
        v or k not in ('_inverted_', '__annotations__'))} for one in objects]


class Remade(Program):
    def start(self, text, **more):
        self.write(m=text, **more)
        return self.load('m')

    def edit(self, text):
        self.write(m=text)
        entry = self.entry(self.reload())
        self.assertEqual([one['name'] for one in command('stale')['modules']], [])
        return entry

    def three_ways(self, before, after, hold, check, **more):
        """Fail in a later module and look; reload and check; undo and look."""
        m = self.start(before, z='import m\nX = 1\n', **more)
        self.load('z')
        held = hold(m)
        classes = [one for one in list(vars(m).values()) + [one for one in held] if isinstance(one, type)]
        names, was = dict(vars(m)), picture(*classes)
        kinds = [type(one) for one in held]
        dicts = attributes(held)

        def as_before():
            self.assertEqual(picture(*classes), was)
            self.assertEqual([type(one) for one in held], kinds)
            self.assertEqual(attributes(held), dicts)
            self.assertEqual({k: v for k, v in vars(m).items() if k != '__builtins__'},
                             {k: v for k, v in names.items() if k != '__builtins__'})
        self.write(m=after, z='import m\nX = 2\nraise ValueError\n')
        self.refused(self.attempt(), 'exception')
        as_before()
        self.write(z='import m\nX = 1\n')
        entry = self.entry(self.reload())
        self.assertEqual([one['name'] for one in command('stale')['modules']], [])
        check(m, held, entry)
        self.assertEqual(command('undo')['status'], 0)
        as_before()
        self.write(m=before)
        self.assertEqual([one['name'] for one in command('stale')['modules']], [])

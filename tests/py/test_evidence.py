# SPDX-License-Identifier: MIT
"""Evidence: what files say, what mr-attach tells of them, and that nothing is believed of one that is gone."""
import os
import struct
import sys
import threading
import time
import types
import unittest

from harness import Block, Program, command, request

F1, F2 = 'def f(): return 1\n', 'def f(): return 2\n'
ASKING, QUESTION, TOLD = 232, 240, 264


class Look(Program):
    def setUp(self):
        super().setUp()
        self.write(m=F1)
        self.load('m')
        self.write(m=F2)
        self.reload()                        # the engine is there
        self.evidence = sys.modules['_mr_attach'].host.part('evidence')

    def newest(self, *paths):
        return self.evidence.newest([self.path(one) for one in paths], None)

    def ctime(self, path):
        return os.lstat(self.path(path)).st_ctime_ns

    def test_files(self):
        self.assertEqual(self.newest('m.py', 'none.py', 'none/m.py', 'm.py/x'), [self.ctime('m.py'), -1, -1, -1])
        self.assertEqual(self.newest('m\0.py'), [-1])

    def test_links(self):
        os.mkdir(self.path('one'))
        self.write(one__a=F1)
        time.sleep(0.02)
        os.symlink('one', self.path('now'))
        os.symlink('one/a.py', self.path('b.py'))
        os.symlink('none', self.path('c.py'))
        self.assertEqual(self.newest('now/a.py', 'b.py', 'c.py'), [self.ctime('now'), self.ctime('b.py'), -1])

    def test_renamed_folder(self):
        os.mkdir(self.path('one'))
        self.write(one__a=F1)
        self.assertEqual(self.newest('one/a.py'), [self.ctime('one/a.py')])
        time.sleep(0.02)
        os.rename(self.path('one'), self.path('other'))
        self.assertEqual(self.newest('other/a.py'), [self.ctime('other')])

    def test_what_cannot_be_seen(self):
        os.symlink('d.py', self.path('d.py'))
        self.assertEqual(self.newest('d.py'), [0])


    def test_an_answer_that_comes_too_late(self):
        """It is not taken for the answer to the next question."""
        block, paths = Block(request('stale')).with_questions(), ['/%d.py' % n for n in range(9)]
        context = types.SimpleNamespace(view=memoryview(block.memory))
        self.addCleanup(setattr, self.evidence, 'PATIENCE', self.evidence.PATIENCE)
        self.evidence.PATIENCE = {1: 0.1, 2: 0.05}

        def play():
            for state in (2, 3):
                for _ in range(500):
                    if block.get(ASKING) == 1:
                        break
                    time.sleep(0.002)
                start = block.get(TOLD)
                block.memory[start:start + 80] = struct.pack('=10q', *[1] * 10)
                block.put(TOLD + 16, 80)
                block.put(ASKING, state)
        thread = threading.Thread(target=play)
        thread.start()
        self.assertEqual([self.evidence.silent(paths, text, context) for text in ('m', 'n')], [set(), set()])
        thread.join()


class Told(Program):
    """Somebody plays mr-attach, and says of every file what ANSWER says."""

    def setUp(self):
        super().setUp()
        self.write(m=F1)
        self.m = self.load('m')
        self.write(m=F2)

    def run_with(self, play):
        block = Block(request('stale')).with_questions()
        thread = threading.Thread(target=play, args=(block,))
        thread.start()
        answer = block.run()
        thread.join()
        self.assertEqual(answer['status'], 0, answer['error'])
        return [one['name'] for one in answer['modules']]

    def asked(self, block):
        """The paths that are asked for, as soon as they are."""
        for _ in range(2000):
            if block.get(ASKING) == 1:
                start = block.get(QUESTION)
                return bytes(block.memory[start:start + block.get(QUESTION + 16)]).decode().split('\0')[:-1]
            time.sleep(0.002)
        self.fail('nothing was asked')

    def tell(self, block, numbers, size=None):
        data, start = struct.pack('=%dq' % len(numbers), *numbers), block.get(TOLD)
        block.memory[start:start + len(data)] = data
        block.put(TOLD + 16, len(data) if size is None else size)
        block.put(ASKING, 3)

    def test_it_is_believed(self):
        def play(block):
            paths.extend(self.asked(block))
            self.tell(block, [1] * len(paths))
        paths = []
        self.assertEqual(self.run_with(play), [])
        self.assertIn(self.path('m.py'), paths)
        self.assertTrue(all(path.startswith('/') for path in paths), paths)

    def test_changed_and_missing(self):
        def play(block):
            paths = self.asked(block)
            self.tell(block, [1 << 62 if path == self.path('m.py') else 1 for path in paths])
        self.assertEqual(self.run_with(play), ['m'])

    def test_what_it_cannot_see_is_looked_at_here(self):
        def play(block):
            self.tell(block, [0] * len(self.asked(block)))
        self.assertEqual(self.run_with(play), ['m'])

    def test_it_declines(self):
        def play(block):
            self.asked(block)
            block.put(ASKING, 4)
        self.assertEqual(self.run_with(play), ['m'])

    def test_nonsense(self):
        for size in (0, 8, 1 << 63, None):
            def play(block):
                self.tell(block, [1] * (len(self.asked(block)) - (size is None)), size)
            self.assertEqual(self.run_with(play), ['m'], size)

    def test_it_is_gone(self):
        self.assertEqual(self.run_with(lambda block: None), ['m'])

    def test_it_does_not_come_back(self):
        """From a file system that hangs: our thread would not come back either."""
        for what in (request('stale'), request('reload', ['m'])):
            block = Block(what).with_questions()
            thread = threading.Thread(target=lambda: (self.asked(block), block.put(ASKING, 2)))
            thread.start()
            answer = block.run()
            thread.join()
            self.assertEqual((answer['status'], answer['error']['code']), (1, 'unreadable-source'))
            self.assertEqual(self.m.f(), 1)

    def test_it_takes_its_time(self):
        def play(block):
            paths = self.asked(block)
            block.put(ASKING, 2)
            for beat in range(8):
                time.sleep(0.1)
                block.put(TOLD + 16, beat)
            self.tell(block, [1 << 62 if path == self.path('m.py') else 1 for path in paths])
        self.assertEqual(self.run_with(play), ['m'])

    def test_no_room(self):
        block = Block(request('stale')).with_questions(16)
        self.assertEqual([one['name'] for one in block.run()['modules']], ['m'])
        self.assertEqual(block.get(ASKING), 0)


class Silent(Program):
    """Which modules import from one whose names changed: those that surely do not mention it are not read."""

    def follow(self, answer):
        """Change a constant; ANSWER plays mr-attach: {path: number} for the question for a word."""
        self.write(m='X = 1\nimport os\n', user='from m import X\nY = X\n', **{'other%d' % n: F1 for n in range(5)})
        m, user = self.load('m', 'user', *['other%d' % n for n in range(5)])[:2]
        self.write(m='X = 2\nimport os\n')
        block = Block(request('reload-stale')).with_questions()
        words, done = [], threading.Event()

        def play():
            while not done.is_set():
                if block.get(ASKING) == 1:
                    start = block.get(QUESTION)
                    asked = bytes(block.memory[start:start + block.get(QUESTION + 16)]).decode().split('\0')[:-1]
                    numbers = [0] * len(asked)
                    if asked[0][0] == '?':
                        words.append(asked[0])
                        numbers = [answer.get(one, 1) for one in asked]
                    data, start = struct.pack('=%dq' % len(numbers), *numbers), block.get(TOLD)
                    block.memory[start:start + len(data)] = data
                    block.put(TOLD + 16, len(data))
                    block.put(ASKING, 3)
                time.sleep(0.001)
        thread = threading.Thread(target=play)
        thread.start()
        said = block.run()
        done.set()
        thread.join()
        self.assertEqual((said['status'], m.X, words[:1]), (0, 2, ['?m']), said['error'])
        return user.X, self.entry(said)

    def test_who_mentions_it_is_read(self):
        value, entry = self.follow({self.path('user.py'): 2})
        self.assertEqual((value, entry['rebound'], [one['name'] for one in entry['derived']]), (2, ['user.X'], ['Y']))

    def test_who_cannot_be_read_there_is_read_here(self):
        self.assertEqual(self.follow({self.path('user.py'): 0})[0], 2)

    def test_who_does_not_is_left_alone(self):
        self.assertEqual(self.follow({})[0], 1, 'it was believed')


class Seen(Program):
    """What was read and is the same is not read again until its evidence changes."""

    def compiled(self):
        """The files that reload-stale compiles."""
        engine, found = sys.modules['_mr_attach'], []
        real = engine.sources.compiled

        def compiled(data, filename, *args, **more):
            if filename.startswith(self.folder):     # the tests' own files are as young as this process
                found.append(os.path.basename(filename))
            return real(data, filename, *args, **more)
        engine.sources.compiled = compiled
        try:
            self.reload()
        finally:
            engine.sources.compiled = real
        return found

    def test_it(self):
        self.write(m=F1, other=F1)
        m, other = self.load('m', 'other')
        self.write(m=F2)
        self.reload()
        self.write(m='# a remark\n' + F2, other='# a remark\n' + F1)
        time.sleep(0.15)
        self.assertIn('m.py', self.compiled())     # lines moved
        self.compiled()
        self.assertEqual(self.compiled(), [])
        self.write(m='# a remark\n' + F1, other='# another remark\n' + F1)
        self.assertIn('other.py', self.compiled())
        self.assertEqual((m.f(), other.f()), (1, 1))
        self.assertEqual(command('undo')['status'], 0)
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])


    def test_what_is_kept_is_told_again(self):
        """--keep makes a module with an undecided value count as the same for one command only."""
        sys.dont_write_bytecode = True
        self.write(m='import sys\nX = 1\nY = sys.maxsize\n', other=F1)
        self.load('m', 'other')
        self.write(m='import sys\nX = 2\nY = sys.maxsize\n', other=F2)
        for _ in range(2):
            time.sleep(0.15)
            self.reload(keep=['X'])
        self.assertEqual([one['name'] for one in command('stale')['modules']], ['m'])

    def test_fields_that_a_decorator_made_slots(self):
        """What the source gives them cannot be seen any more, and is no reason to refuse (attrs)."""
        sys.dont_write_bytecode = True
        text = ('def slotted(c):\n    names = "__dict__", "__weakref__", "a"\n    members = {k: v for k, v in c.__dict__.items() if k not in names}\n'
                '    return type(c)(c.__name__, c.__bases__, dict(members, __slots__=("a",)))\n'
                '@slotted\nclass K:\n    a: int = 5\n')
        self.write(m=text + F1)
        m = self.load('m')
        self.write(m=text + F2)
        warnings = self.entry(self.reload())['warnings']
        self.assertIn('line 7: a cannot be compared with what the module ran before, and was not run again', warnings)
        self.assertEqual(m.f(), 2)


class Branches(Program):
    def test_constants_of_a_branch_that_did_not_run(self):
        """They say nothing against a .pyc."""
        self.write(m='try:\n    A = True\nexcept ImportError:\n    A = False\nB = object()\n')
        self.load('m')
        entry = self.entry(self.reload('m'))
        self.assertEqual((entry['state'], entry['baseline'], entry['warnings']), ('unchanged', 'pyc', []))


if __name__ == '__main__':
    unittest.main()

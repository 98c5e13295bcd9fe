# SPDX-License-Identifier: MIT
"""Functions that forward: re-pointed and never stacked, of the kind of their target, put back and undone exactly."""
import asyncio
import inspect
import traceback
import unittest

from harness import Program, command

DECO = 'def deco(f):\n    def w(*a): return "d%s" % f(*a)\n    return w\n'
TEXT = DECO.replace('%', '%%')
PLAIN = TEXT + 'def f(): return %d\n'
DECORATED = TEXT + '@deco\ndef f(): return %d\n'


def depth(function):
    """How many functions stand in the traceback of an exception that FUNCTION's call ends in."""
    try:
        function()
    except ValueError as error:
        return [one[2] for one in traceback.extract_tb(error.__traceback__)][1:]


class Trampolines(Program):
    def edit(self, text):
        self.write(m=text)
        answer = self.reload()
        self.assertEqual([one['name'] for one in command('stale')['modules']], [])
        return self.entry(answer)

    def start(self, text):
        self.write(m=text)
        return self.load('m')

    def test_back_and_forth(self):
        m = self.start(PLAIN % 1)
        held = [m.f]
        for number in range(2, 8):
            self.edit((DECORATED if number % 2 == 0 else PLAIN) % number)
            held.append(m.f)
            expected = 'd%d' % number if number % 2 == 0 else number
            self.assertEqual([one() for one in held], [expected] * len(held))
            if number % 2:
                self.assertIs(m.f, held[0])
        self.assertNotIn('__wrapped__', held[0].__dict__)
        self.assertEqual(inspect.signature(held[0]), inspect.signature(m.f))

    def test_one_step(self):
        raising = TEXT + '%sdef f(): raise ValueError\n'
        m = self.start(raising % '')
        held = [m.f]
        for number in range(2, 6):
            self.edit(DECO.replace('"d%', '"d' + str(number) + '%') + '@deco\n' * (number % 3) + 'def f(): raise ValueError\n')
            held.append(m.f)
        direct = depth(m.f)
        for one in held:
            self.assertIn(depth(one), (direct, ['f'] + direct, ['w'] + direct))

    def test_body_after_it(self):
        m = self.start(PLAIN % 1)
        held = m.f
        self.edit(DECORATED % 2)
        self.edit(DECORATED % 3)
        self.assertEqual((held(), m.f()), ('d3', 'd3'))
        self.edit((DECORATED % 3).replace('"d', '"D'))
        self.assertEqual((held(), m.f()), ('D3', 'D3'))

    def test_put_back_and_undone(self):
        m = self.start(PLAIN % 1)
        held = m.f
        held.mark = 5
        before = {name: getattr(held, name) for name in ('__code__', '__defaults__', '__kwdefaults__', '__doc__')}
        state = dict(held.__dict__)
        self.write(m=DECORATED % 2, z='X = 1\n')
        self.load('z')
        self.write(z='X = 2\nraise ValueError\n')
        self.refused(self.attempt(), 'exception')
        self.assertEqual({name: getattr(held, name) for name in before}, before)
        self.assertIs(held.__code__, before['__code__'])
        self.assertEqual((held.__dict__, m.f is held, held()), (state, True, 1))
        self.write(z='X = 1\n')
        self.reload()
        self.assertEqual(held(), 'd2')
        self.assertEqual(command('undo')['status'], 0)
        self.assertIs(held.__code__, before['__code__'])
        self.assertEqual((held.__dict__, m.f is held, held()), (state, True, 1))

    def test_kinds(self):
        text = ('import functools\ndef deco(f):\n    %s\n    return f\n%s\nasync def co(a): return a + %d\n'
                '%s\nasync def ag(a):\n    try:\n        b = yield a\n        yield b + %d\n    except KeyError: yield "caught"\n'
                '%s\ndef ge(a):\n    b = yield a\n    return b + %d\n')
        def of(number, deco):
            wrappers = ('async def co(a): return await f(a)\n    if f.__name__ == "co": return co\n'
                        '    def ge(a): return (yield from f(a))\n    if f.__name__ == "ge": return ge')
            return text % (wrappers, deco, number, deco, number, deco, number)
        m = self.start(of(1, ''))
        held = m.co, m.ag, m.ge
        self.edit(of(2, '@deco'))
        self.assertIsNot(m.co, held[0])
        self.assertTrue(inspect.iscoroutinefunction(held[0]) and inspect.isasyncgenfunction(held[1]) and
                        inspect.isgeneratorfunction(held[2]))
        loop = asyncio.new_event_loop()
        run = loop.run_until_complete

        async def talk(made):
            return [await made.asend(None), await made.asend(5)]

        async def throw(made):
            return [await made.asend(None), await made.athrow(KeyError('x')), await made.aclose()]
        self.assertEqual(run(held[0](1)), 3)
        self.assertEqual(run(talk(held[1](1))), [1, 7])
        self.assertEqual(run(throw(held[1](1))), [1, 'caught', None])
        made = held[2](1)
        self.assertEqual(next(made), 1)
        with self.assertRaises(StopIteration) as caught:
            made.send(5)
        self.assertEqual(caught.exception.value, 7)
        loop.close()

    def test_async_generator_forwards_all(self):
        text = 'class A:\n    async def m(self, x): yield 0\nclass K(A):\n' \
               '    async def m(self, x):\n        try:\n            b = yield x\n            yield b + %s\n' \
               '        except KeyError: yield "caught"\n'
        m = self.start(text % '1')
        held = m.K().m
        self.edit(text % '(super() and 2)')
        self.assertTrue(inspect.isasyncgenfunction(held))
        loop = asyncio.new_event_loop()

        async def talk():
            made, other, third = held(1), held(1), held(1)
            found = [await made.asend(None), await made.asend(5), [one async for one in made]]
            found += [await other.asend(None), await other.athrow(KeyError('x')), [one async for one in other]]
            return found + [await third.asend(None), await third.aclose()]
        self.assertEqual(loop.run_until_complete(talk()), [1, 7, [], 1, 'caught', [], 1, None])
        loop.close()

    def test_fewer_variables(self):
        two = 'def make(x, y):\n    def c(): return x%s\n    return c\n'
        m = self.start(two % ' + y')
        held = m.make(3, 4)
        self.assertEqual(self.edit(two % '')['kept_old'], [])
        self.assertEqual((held(), m.make(3, 4)()), (3, 3))
        self.edit(two % ' * 2')
        self.assertEqual(held(), 6)
        code = held.__code__
        self.edit(two % ' * y')
        self.assertEqual((held(), m.make(3, 4)()), (12, 12))
        self.assertIsNot(held.__code__, code)
        self.edit(two % ' + y')
        self.assertEqual(held(), 7)

    def test_variables_that_are_not_there(self):
        text = 'def make(x):\n    y = 10\n    def c(): return x + %s\n    return c\n'
        m = self.start(text % '1')
        held = m.make(3)
        kept = self.edit(text % 'y')['kept_old']
        self.assertEqual([(one['name'], 'free variables' in one['reason']) for one in kept], [('make.<locals>.c', True)])
        self.assertEqual((held(), m.make(3)()), (4, 13))

    def test_attributes_that_the_source_sets(self):
        tail = 'f.calls = 0\n'
        m = self.start(PLAIN % 1 + tail)
        held, m.f.calls = m.f, 7
        self.edit(DECORATED % 2 + tail)
        self.assertEqual((held(), m.f.calls), ('d2', 7))

    def test_lambda_and_back(self):
        m = self.start('f = lambda: 1\n')
        held = [m.f]
        for number, text in enumerate(('def f(): return %d\n', 'f = lambda: %d\n', 'def f(): return %d\n'), 2):
            self.edit(text % number)
            held.append(m.f)
            self.assertEqual([one() for one in held], [number] * len(held))

    def test_wrapped_by_another_statement(self):
        text = TEXT + 'def f(a=%d): return a\nf = deco(f)\n'
        m = self.start(text % 1)
        held = m.f
        self.assertEqual((self.edit(text % 2)['kept_old'], held(), m.f()), ([], 'd2', 'd2'))

    def test_what_the_new_one_calls_is_left(self):
        text = 'class Chain:\n    def __init__(self, f): self.first, self.last = globals().get("f"), f\n' \
               '    def __call__(self): return self.first(), self.last()\n%sdef f(): return %d\n'
        m = self.start(text % ('', 1))
        held = m.f
        entry = self.edit(text % ('@Chain\n', 2))
        self.assertEqual((m.f(), held()), ((2, 2), 2))
        self.assertEqual([one['name'] for one in entry['kept_old']], ['f'])

    def test_a_class_now(self):
        m = self.start(PLAIN % 1)
        held = m.f
        entry = self.edit('class f: x = 2\n')
        self.assertEqual((held(), m.f.x, [one['name'] for one in entry['kept_old']]), (1, 2, ['f']))
        said = [one['reason'] for one in self.edit('f = lambda: 1\n')['kept_old']]
        self.assertTrue(any(one.startswith('it is of type function now') for one in said), said)

    def test_an_object_now_while_a_dictionary_holds_the_function(self):
        m = self.start((PLAIN % 1) + 'D = {"f": f}\n')
        held = m.D
        entry = self.edit('class F:\n    def __call__(self): return 2\nf = F()\nD = {"f": f}\n')
        self.assertEqual((m.f(), held['f'](), [one['name'] for one in entry['kept_old']]), (2, 1, ['f']))

    def test_what_follows_is_not_derived(self):
        m = self.start(PLAIN % 1)
        self.write(n='import m\nHELD = m.f\n')
        n = self.load('n')
        self.assertEqual((self.edit(DECORATED % 2)['derived'], n.HELD(), m.f()), ([], 'd2', 'd2'))

    def test_a_dry_run_says_the_same(self):
        text = 'class A:\n    def a(self): return 1\nclass K(A):\n    def a(self): return %s\n' + TEXT + '@deco\ndef f(): return %d\n'
        m = self.start(text % ('5', 1))
        held = m.K().a, m.f
        new = (text % ('super().a() + 20', 2)).replace('def w(*a):', 'x = 1\n    def w(*a):').replace('% f(*a)', '% (x and f(*a))')
        self.write(m=new)
        dry = self.entry(self.reload(dry_run=True))
        self.assertEqual((held[0](), held[1]()), (5, 'd1'))
        real = self.entry(self.reload())
        for entry in (dry, real):
            entry.update(state=None, ran_us=None)
        self.assertEqual(dry, real)
        self.assertEqual((held[0](), held[1](), real['kept_old']), (21, 'd2', []))

    def test_wrappers_that_are_registered_beside_their_decorator(self):
        text = """
            import functools
            KNOWN = {}
            def deco(name, n=1%s):
                def around(f):
                    @functools.wraps(f)
                    def w(): return f(), n%s
                    KNOWN[name] = w
                    return w
                return around
            """
        m = self.start(text % ('', ''))
        self.write(h='import m\n@m.deco("a")\ndef f(): return 1\n')
        h = self.load('h')
        entry = self.edit(text % (', k=2', ', k'))
        self.assertEqual(entry['kept_old'], [{'name': 'deco.<locals>.around.<locals>.w', 'reason':
                                              'its free variables changed from (f, n) to (f, k, n)'}])
        self.assertEqual((h.f(), m.KNOWN['a']()), ((1, 1), (1, 1)))

    def test_frames_in_what_forwards_now(self):
        text = 'class A:\n    def a(self, go): return 1\nclass K(A):\n    def a(self, go):\n        go()\n        return %s\n'
        m, found = self.start(text % '5'), []

        def go():
            found.append(self.edit(text % 'super().a(go)'))
        self.assertEqual(m.K().a(go), 5)
        self.assertEqual([(one['kind'], one['function'], one['line']) for one in found[0]['running_old']], [('frame', 'm.K.a', 5)])


ALIASES = {                                  # (before, what changes in it, to what, what to ask, what it is then)
    'of a method': ('class K:\n    def a(self): return 1\n    b = a\n', 'b = a', 'def b(self): return 2', '(K().a(), K().b())', (1, 2)),
    'of a decorated method': ('def deco(f):\n    def w(self): return f(self)\n    return w\nclass K:\n    @deco\n    def a(self): return 1\n'
                              '    b = a\n', 'b = a', 'def b(self): return 2', '(K().a(), K().b())', (1, 2)),
    'in a property': ('class K:\n    def a(self): return 1\n    def b(self): return 2\n    p = property(a)\n', 'y(a)', 'y(b)',
                      '(K().a(), K().p)', (1, 2)),
    'of a lambda': ('class K:\n    a = lambda self: 1\n    b = a\n', 'b = a', 'def b(self): return 2', '(K().a(), K().b())', (1, 2)),
    'of a method of a base': ('class B:\n    def f(self): return 1\nclass K(B):\n    f = B.f\n', 'f = B.f', 'def f(self): return 2',
                              '(B().f(), K().f())', (1, 2)),
    'of another name of a base': ('class B:\n    def g(self): return 1\nclass K(B):\n    f = B.g\n', 'f = B.g', 'def f(self): return 2',
                                  '(B().g(), K().f())', (1, 2)),
    'of a function': ('def f(self=None): return 1\nclass K:\n    f = f\n', 'f = f', 'def f(self): return 2', '(f(), K().f())', (1, 2)),
    'of a method, in the module': ('class K:\n    @staticmethod\n    def f(): return 1\nf = K.f\n', '\nf = K.f', '\ndef f(): return 2',
                                   '(K.f(), f())', (1, 2)),
    'of a method, then a lambda': ('class K:\n    @staticmethod\n    def f(): return 1\nf = K.f\n', '= K.f', '= lambda: 2',
                                   '(K.f(), f())', (1, 2)),
}


class Aliases(Program):
    def test_the_other_names_stay(self):
        for number, (name, (before, old, new, question, expected)) in enumerate(ALIASES.items()):
            with self.subTest(name):
                self.write(**{'m%d' % number: before})
                m = self.load('m%d' % number)
                first = eval(question, vars(m))
                self.write(**{'m%d' % number: before.replace(old, new)})
                self.reload()
                self.assertEqual(eval(question, vars(m)), expected)
                command('undo')
                self.assertEqual(eval(question, vars(m)), first)


if __name__ == '__main__':
    unittest.main()

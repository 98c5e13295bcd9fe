# SPDX-License-Identifier: MIT
"""What is listed as derived because a call made it, and what --dependents does about it."""
import sys
import unittest

from harness import Program, command


class Calls(Program):
    def derived(self, answer):
        return {(one['module'], one['name']) for entry in answer['modules'] for one in entry['derived']}

    def test_derived_by_calls(self):
        text = 'def g(a=%d): return %d\ndef h(): return g()\nclass K:\n    x = %d\n    def __init__(self): self.n = g()\n' \
            '    def v(self): return %d\ndef make():\n    def inner(): return %d\n    return inner\nY = h()\nZ = Y + 1\nc = make()\nQ = len("")\n'
        other = 'import m\nfrom m import g as gg, K\ndef own(): return m.g()\nA = gg()\nB = own()\nk = K()\nC = K().v()\nD = k.v()\n' \
            'E = K.x\nR = [m.h]\nclass L:\n    z = gg()\n@gg\ndef f(): pass\napp = [own()]\n'
        self.write(m=text % (1, 1, 1, 1, 1), n=other)
        command('track')
        m, n = self.load('m', 'n')
        for options in ({'dry_run': True}, {}):
            self.write(m=text % (1, 1, 1, 1, 2))
            self.assertEqual(self.derived(self.reload(**options)), set())
            self.write(m=text % (1, 2, 1, 1, 2))
            self.assertEqual(self.derived(self.reload(**options)), {('m', 'Y'), ('m', 'Z')} | {
                ('n', name) for name in ('A', 'B', 'k', 'C', 'D', 'L.z', 'f', 'app')})
        self.write(m=text % (1, 2, 2, 2, 2))
        self.assertEqual(self.derived(self.reload()), {('n', 'C'), ('n', 'D'), ('n', 'E')})
        self.write(m=text % (1, 3, 3, 3, 3))
        app, k = n.app, n.k
        self.assertEqual(self.derived(self.reload(dependents=True)), {('n', 'app'), ('n', 'k')})
        self.assertEqual((m.Y, m.Z, n.A, n.B, n.C, n.D, n.E, n.L.z, n.f), (3, 4, 3, 3, 3, 3, 3, 3, 3))
        self.assertEqual((n.app is app, n.k is k, m.c()), (True, True, 3))

    def test_few_among_many_modules(self):
        """They are found where references can be counted, and where not."""
        names, texts = ['n%d' % number for number in range(200)], {}
        for number, name in enumerate(names):
            texts[name] = 'def g(): return 0\nA = g()\n'
        held = {'n7': 'import m\nA = m.g()\n', 'n8': 'from m import g as other\nA = other()\n', 'n120': 'from n8 import other\nA = other()\n',
                'n199': 'from m import K\nA = K.s()\n'}
        text = 'def g(): return %d\nclass K:\n    @staticmethod\n    def s(): return %d\n'
        self.write(m=text % (1, 1), **dict(texts, **held))
        self.load('m', *names)
        answers = [self.reload()]
        scope = sys.modules['_mr_attach'].host.part('scope')
        for countable in scope.host.COUNTED, 0:
            scope.host.COUNTED = countable
            self.write(m=text % (2 + len(answers), 2 + len(answers)))
            answers.append(self.reload())
        self.assertEqual([self.derived(one) for one in answers], [set()] + [{(name, 'A') for name in held}] * 2)

    def test_a_class_with_a_new_base_is_not_derived_from_it(self):
        text = 'class A: pass\n%sclass K(%sA): pass\nR = [K]\n'
        self.write(m=text % ('', ''))
        command('track')
        self.load('m')
        self.write(m=text % ('class B: pass\n', 'B, '))
        for options in ({'dry_run': True}, {}):
            self.assertEqual(self.derived(self.reload(**options)), set())

    def test_branches_calls_and_bases(self):
        """They are listed, and not made again: what they did besides is not known."""
        text = 'class A: pass\nclass B: pass\nX = 1\nBASE = A\nif X > 1:\n    def f(): return 1\nelse:\n    def f(): return 2\n' \
            'L = []\nL.append(X)\nfor i in range(X): pass\nclass K(BASE): pass\nif X:\n    Y = X + 1\n'
        self.write(m=text)
        command('track')
        m = self.load('m')
        self.write(m=text.replace('X = 1', 'X = 2').replace('BASE = A', 'BASE = B'))
        found = {('m', name) for name in ('f', 'line 10', 'i', 'K', 'Y')}
        self.assertEqual(self.derived(self.reload('m', dry_run=True)), found)
        self.assertEqual(self.derived(self.reload('m', dependents=True)), found - {('m', 'Y')})
        self.assertEqual((m.f(), m.L, m.i, m.K.__base__ is m.A, m.Y), (2, [1], 0, True, 3))

    def test_what_a_lambda_made_that_nobody_holds(self):
        text = 'L = sorted([1, 2], key=lambda x: -x)\nH = {"a": lambda x: -x}\nclass K:\n    l = max([1, 2], key=lambda x: -x)\n' \
            '    def f(self): return max([1, 2], key=lambda x: -x)\n'
        self.write(m=text)
        command('track')
        m = self.load('m')
        self.write(m=text.replace('-x', 'x'))
        self.assertEqual(self.derived(self.reload('m', dry_run=True)), {('m', 'L'), ('m', 'K.l')})
        self.assertEqual(self.derived(self.reload('m')), {('m', 'L'), ('m', 'K.l')})
        self.assertEqual((m.L, m.K.l, m.H['a'](1), m.K().f()), ([2, 1], 1, 1, 2))

    def test_what_decorators_did_is_not_undone(self):
        text = 'import functools\n@functools.singledispatch\ndef f(x): return 1\n'
        self.write(m=text + '@f.register(str)\ndef g(x): return 2\ndef plain(): pass\nclass K: pass\n')
        command('track')
        m = self.load('m')
        self.write(m=text)
        self.assertEqual(self.reload('m')['modules'][0]['warnings'], ['what the decorators of g did is not undone'])
        self.assertEqual((m.f(''), hasattr(m, 'g')), (2, False))

    @unittest.skipIf(sys.version_info < (3, 7), 'has no dataclasses')
    def test_instances_of_a_class_that_is_made_anew(self):
        text = 'import dataclasses\n@dataclasses.dataclass\nclass K:\n    a: int = %d\nk = K()\n'
        self.write(m=text % 1, n='from m import K\nk = K(5)\n')
        command('track')
        self.load('m', 'n')
        self.write(m=text % 2)
        self.assertEqual(self.derived(self.reload(dry_run=True)), {('m', 'k'), ('n', 'k')})
        self.assertEqual(self.derived(self.reload()), {('m', 'k'), ('n', 'k')})

    def test_derived_by_what_functions_read(self):
        self.write(b='X = 1\ndef g(): return X\nY = g()\n',
                   m='import b\nfrom b import X\ndef h(): return X\ndef q(): return b.X\nA = h()\nB = q()\nC = b.g()\n')
        command('track')
        b, m = self.load('b', 'm')
        for value, options in ((2, {'dry_run': True}), (2, {}), (3, {'dependents': True})):
            self.write(b='X = %d\ndef g(): return X\nY = g()\n' % value)
            self.assertEqual(self.derived(self.reload(**options)), set() if value == 3 else {
                ('b', 'Y'), ('m', 'A'), ('m', 'B'), ('m', 'C')})
        self.assertEqual((b.Y, m.A, m.B, m.C), (3, 3, 3, 3))

    def test_derived_where_the_signature_changed(self):
        self.write(m='def g(a=1): return a\nY = g()\n')
        command('track')
        self.load('m')
        self.write(m='def g(a=2): return a\nY = g()\n')
        self.assertEqual(self.derived(self.reload()), {('m', 'Y')})

    def test_what_took_a_definition_that_another_follows(self):
        text = '%s\nclass K:\n    x = f\nt = [f]\n%s'
        for first in ('f = lambda: 1', 'def f(): return 1'):
            self.write(m=text % (first, ''))
            command('track')
            sys.modules.pop('m', None)
            m = self.load('m')
            self.write(m=text % (first, 'def f(): return 2\n'))
            self.assertEqual(self.derived(self.reload()), {('m', 'K.x'), ('m', 't')})
            self.assertEqual((m.f(), m.t[0]()), (2, 2))

    def test_derived_in_a_module_that_holds_only_what_is_around_it(self):
        text = 'import functools\nfrom deco import log\n@log\ndef g(): return %d\n@functools.lru_cache()\ndef h(): return %d\n'
        self.write(deco='def log(f):\n    def wrapper(): return f()\n    wrapper.__wrapped__ = f\n    return wrapper\n',
                   m=text % (1, 1), n='from m import g\nA = g()\n', o='from m import h\nB = h()\n')
        command('track')
        self.load('deco', 'm', 'n', 'o')
        self.write(m=text % (2, 2))
        self.assertEqual(self.derived(self.reload(dry_run=True)), {('n', 'A'), ('o', 'B')})
        self.assertEqual(self.derived(self.reload()), {('n', 'A'), ('o', 'B')})

    def test_derived_in_a_module_that_holds_only_what_calls_it(self):
        text = 'def g(): return %d\ndef h(): return g()\nclass K:\n    def v(self): return h()\n'
        self.write(m=text % 1, n='from m import h as hh\nA = hh()\n', o='from m import K\nk = K()\nB = k.v()\n',
                   p='from m import h\ndef f(a=h()): return a\n', q='from m import K\nC = K().v()\n',
                   r='from m import h\ndef f(\n        a=h(),\n        ):\n    return a\n',
                   s='from m import h\ndef deco(f): return h\n@deco\ndef f(): return 0\nD = f()\n')
        command('track')
        self.load(*'mnopqrs')
        for value, options in ((2, {'dry_run': True}), (2, {})):
            self.write(m=text % value)
            self.assertEqual(self.derived(self.reload(**options)), {('n', 'A'), ('o', 'B'), ('p', 'f'), ('q', 'C'), ('r', 'f'), ('s', 'D')})


class Classes(Program):
    """Classes that calls made of what changed, with --dependents: the class that lives is kept."""

    def made(self, statement, before, after, hold='made = m.K'):
        self.write(b='N = %s\n' % before, m='import b, collections, enum, sys, typing\n%s\n' % statement)
        command('track')
        space = {'m': self.load('m')}
        exec(hold, space)
        self.write(b='N = %s\n' % after)
        self.reload(dependents=True)
        return space

    def test_namedtuple(self):
        space = self.made('K = collections.namedtuple("K", b.N)', '"a"', '"a b"', 'K, k = m.K, m.K(1)')
        self.assertEqual((space['m'].K, space['K']._fields, type(space['k']), space['k'].a), (space['K'], ('a', 'b'), space['K'], 1))

    def test_typed_namedtuple(self):
        space = self.made('K = typing.NamedTuple("K", [(b.N, int)])', '"a"', '"c"', 'K, k = m.K, m.K(1)')
        self.assertEqual((space['m'].K, space['m'].K(2).c, type(space['k'])), (space['K'], 2, space['K']))

    def test_type(self):
        space = self.made('K = type("K", (dict,), {"n": b.N, "f": lambda self: b.N})', '1', '2', 'K, k = m.K, m.K()')
        self.assertEqual((space['m'].K, space['K'].n, space['k'].f(), space['k'].n), (space['K'], 2, 2, 2))

    def test_enum(self):
        space = self.made('K = enum.Enum("K", b.N)', '"A B"', '"A C B"', 'K, b = m.K, m.K.B')
        self.assertEqual((space['m'].K, [one.name for one in space['K']], space['K'].B, space['b'].value),
                         (space['K'], ['A', 'C', 'B'], space['b'], 3))

    @unittest.skipIf(sys.version_info < (3, 7), 'has no dataclasses')
    def test_dataclass(self):
        space = self.made('import dataclasses\nK = dataclasses.make_dataclass("K", b.N)', '["a"]', '["a", "c"]', 'K, k = m.K, m.K(1)')
        self.assertEqual((space['m'].K, repr(space['K'](1, 2)), type(space['k']), space['k'].a),
                         (space['K'], 'K(a=1, c=2)', space['K'], 1))


class Members(Calls):
    TEXT = 'import re\nclass K:\n    _a = {"x": 1}\n    _d = {"y": %d}\n    _d.update(_a)\n    PART = "a%d"\n    r = re.compile(PART)\n' \
        '    size = len(r.pattern)\n    def f(self, part=PART): return part, self.PART\n    @property\n    def p(self): return %d\n' \
        '    @p.setter\n    def p(self, value): pass\n    class Inner:\n        x = 1\n    other = _a\n'

    def test_attributes_made_from_others(self):
        """In the body of a class; a property and its setter are one."""
        self.write(m=self.TEXT % (1, 1, 1))
        command('track')
        m = self.load('m')
        self.write(m=self.TEXT % (1, 1, 2))
        self.assertEqual(self.derived(self.reload()), set())
        self.write(m=self.TEXT % (2, 2, 2))
        found = {('m', name) for name in ('line 5', 'K.r', 'K.size', 'K.f')}
        for options in ({'dry_run': True}, {}):
            self.assertEqual(self.derived(self.reload(**options)), found)
        self.assertEqual((m.K._d, m.K.r.pattern, m.K().f(), m.K().p), ({'y': 2}, 'a1', ('a1', 'a2'), 2))
        self.write(m=self.TEXT % (2, 13, 2))
        self.assertEqual(self.derived(self.reload(dependents=True)), set())
        self.assertEqual((m.K.r.pattern, m.K.size, m.K().f()), ('a13', 3, ('a13', 'a13')))


class Made(Program):
    def test_what_runs_itself_is_not_derived(self):
        self.write(m='A = 1\nclass K: pass\n')
        self.load('m')
        self.write(m='A = 2\nclass L:\n    x = A\n    def f(self, x=A): pass\nclass K:\n    class N:\n        x = A\n')
        for dry_run in True, False:
            self.assertEqual(self.entry(self.reload(dry_run=dry_run))['derived'], [])


if __name__ == '__main__':
    unittest.main()

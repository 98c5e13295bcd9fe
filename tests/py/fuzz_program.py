# SPDX-License-Identifier: MIT
"""Random programs of three modules, and random edits to them.

A program is {module: [definition, ...]}. A definition knows what it reads by the number of the definition that it reads,
so that a definition can be renamed, moved or left out and the rest still fits. fb imports from fa, fc from both.
"""
import copy
import sys

MODULES = ('fa', 'fb', 'fc')
# What they begin with: state, under names that no star import takes.
PREFIX = '_STATE = {}\n_RUNS = []\n_RUNS.append(1)\n'
KINDS = ['func'] * 6 + ['class'] * 4 + ['const'] * 3 + ['deco', 'deco', 'factory', 'lambda', 'derived', 'box', 'alias',
                                                       'from', 'from', 'import', 'star', 'enum', 'data', 'tuple',
                                                       'called', 'called', 'again', 'loop', 'maker', 'meta', 'counter']
MEMBERS = ['method'] * 5 + ['attr', 'attr', 'static', 'klass', 'property', 'super', 'super', 'nested', 'secret', 'lambda', 'setter', 'slots',
                             'summed', 'abstract']
STYLES = ['plain'] * 4 + ['generator', 'comprehension', 'nested', 'raise', 'async', 'try', 'asyncgen', 'nonlocal'] + [
    'match'] * (sys.version_info >= (3, 10))
PARAMS = ['', 'a=%s', 'a=%s, *, k=%s', '*a', 'a, b=%s', '**k']
CALLABLE = ('func', 'lambda', 'factory', 'class', 'data')
DECORATORS = ('deco', 'maker')


class Def:
    """One definition of a module, or one member of a class."""

    def __init__(self, number, kind, name, n):
        self.number, self.kind, self.name, self.n = number, kind, name, n
        self.reads, self.decos, self.bases, self.members = [], [], [], []
        self.params, self.defaults, self.style, self.doc, self.note, self.wrap, self.blank = 0, [None, None], 'plain', 0, None, 0, 0
        self.metas = []
        self.target = None                   # what an alias or an import is about: (module, number)

    def references(self):
        """What is read when the statement runs, then what is read when a function is called."""
        early = self.decos + self.bases + self.metas + [one for one in self.defaults + [self.note] if one is not None]
        late = []
        for member in self.members:
            for mine, its in zip((early, late), member.references()):
                mine.extend(its)
        (early if self.kind in ('derived', 'box', 'alias', 'attr', 'called', 'again') else late).extend(self.reads)
        return early, late


class Program:
    def __init__(self, random):
        self.random, self.count = random, 0
        self.modules = {name: [] for name in MODULES}

    def copy(self):
        same = copy.copy(self)
        same.modules = copy.deepcopy(self.modules)
        return same

    def number(self):
        self.count += 1
        return self.count

    # --- the program as text

    def names(self, module):
        return {one.number: one.name for one in self.modules[module]}

    def text(self, module):
        names, parts = self.names(module), []
        for one in self.modules[module]:
            lines = '\n'.join(Text(names, self).statement(one))
            if one.wrap == 1:
                lines = 'if _STATE is not None:\n' + indented(lines)
            elif one.wrap == 2:
                lines = 'try:\n' + indented(lines) + '\nexcept NameError:\n    pass'
            elif one.wrap == 3:
                lines = 'if _RUNS:\n' + indented(lines) + '\nelse:\n    %s = None' % one.name
            parts.append('\n' * one.blank + lines + '\n')
        return PREFIX + ''.join(parts)

    def texts(self):
        return {module: self.text(module) for module in MODULES}

    # --- what depends on what, by name

    def dependencies(self):
        """{(module, name): ({names read when it was made}, {names read when it is called})}."""
        found = {}
        for module in MODULES:
            names = self.names(module)
            for one in self.modules[module]:
                early, late = found.setdefault((module, one.name), (set(), set()))
                for there, references in zip((early, late), one.references()):
                    there.update((module, names[number]) for number in references)
                if one.target is not None:
                    there, number = one.target
                    early.update((there, name) for mark, name in self.names(there).items() if number in (mark, None))
                if one.kind == 'star':
                    for name in self.names(one.target[0]).values():
                        found.setdefault((module, name), (set(), set()))[0].add((one.target[0], name))
        return found

    def too_early(self):
        """{(module, name)} of what stands above what it reads when it is made: a fresh import may fail there, which `try` hides."""
        found = set()
        for module, there in self.modules.items():
            places = {one.number: index for index, one in enumerate(there)}
            found.update((module, one.name) for index, one in enumerate(there)
                         if any(places.get(number, -1) > index for number in one.references()[0]))
        return found

    # --- edits

    def clean(self):
        """Leave out what leads nowhere any more."""
        again = True
        while again:
            again = False
            for module in MODULES:
                here = set(self.names(module))
                for one in list(self.modules[module]):
                    if one.target is not None and one.target[1] is not None and \
                            one.target[1] not in self.names(one.target[0]) or one.kind in ('alias', 'called', 'again') and not \
                            set(one.reads) & here:
                        self.modules[module].remove(one)
                        again = True
                        continue
                    for part in [one] + one.members:
                        for kept in (part.reads, part.decos, part.bases, part.metas):
                            kept[:] = [number for number in kept if number in here]
                        part.defaults = [number if number in here else None for number in part.defaults]
                        part.note = part.note if part.note in here else None
                    if one.kind == 'again':  # it binds the name of what it reads once more
                        one.name = self.names(module).get(one.reads[0], one.name)
        return self

    def some(self, module, kinds=None, before=None, most=1):
        """Up to MOST definitions of the module, of KINDS, that stand before the definition BEFORE."""
        there = self.modules[module]
        if before is not None and before in there:
            there = there[:there.index(before)]
        there = [one.number for one in there if one is not before and one.kind != 'star' and (
            kinds is None or one.kind in kinds or one.kind == 'from' and self.kind_of(one) in kinds)]
        self.random.shuffle(there)
        return there[:self.random.randint(0, most)]

    def kind_of(self, one):
        """The kind of what a definition leads to in the end."""
        while one.kind == 'from':
            one = next(other for other in self.modules[one.target[0]] if other.number == one.target[1])
        return one.kind

    def new(self, module, at=None):
        random = self.random
        kind = random.choice(KINDS)
        if MODULES.index(module) == 0 and kind in ('from', 'import', 'star'):
            kind = 'func'
        name = {'class': 'K%d', 'enum': 'E%d', 'data': 'K%d', 'tuple': 'N%d', 'const': 'X%d', 'called': 'Y%d', 'loop': 'T%d', 'meta': 'M%d'}.get(kind, 'f%d')
        name = name % random.randint(0, 5)
        taken = {one.name for one in self.modules[module]}
        name += module[1] if random.random() < 0.9 else ''       # the same as in another module
        if name in taken and random.random() < 0.95:
            while name in taken:
                name += '_'
        one = Def(self.number(), kind, name, random.randint(1, 9))
        there = self.modules[module]
        there.insert(random.randint(0, len(there)) if at is None else at, one)
        self.fill(module, one)
        return one

    def fill(self, module, one):
        """Give a definition that stands in its place what its kind needs."""
        random, kind = self.random, one.kind
        if kind in ('from', 'import', 'star'):
            source = random.choice(MODULES[:MODULES.index(module)])
            there = [other.number for other in self.modules[source] if other.kind != 'star']
            one.target = (source, random.choice(there) if kind == 'from' and there else None)
            if kind == 'from' and not there:
                one.kind, one.target = 'const', None
            if kind == 'import':
                one.name = source
            return
        if kind in ('alias', 'called', 'again'):
            one.reads = self.some(module, {'called': CALLABLE, 'again': ('func', 'const')}.get(kind), one)
            one.decos = self.some(module, DECORATORS, one) if kind == 'again' else []
            one.kind = kind if one.reads else 'const'
            return
        late = kind in ('func', 'lambda', 'factory')
        one.reads = self.some(module, None, one, 2) if late or kind in ('derived', 'box') else []
        one.params, one.style = random.randrange(len(PARAMS)), random.choice(STYLES)
        if kind in ('func', 'lambda') and random.random() < 0.2:
            one.defaults[0] = (self.some(module, None, one) or [None])[0]
        if kind == 'func' and random.random() < 0.25:
            one.decos = self.some(module, DECORATORS, one, 2)
        if kind in ('class', 'enum', 'data'):
            for _ in range(random.randint(1, 4)):
                self.member(module, one)
        if kind == 'class' and random.random() < 0.5:
            one.bases = self.some(module, ('class',), one)
        if kind == 'class' and random.random() < 0.15:
            one.metas = self.some(module, ('meta',), one)

    def member(self, module, owner):
        random = self.random
        kind = random.choice(MEMBERS if owner.kind == 'class' else ('attr', 'method'))
        name = {'attr': 'x%d', 'nested': 'C%d', 'secret': '__s%d', 'summed': 'x%d'}.get(kind, 'm%d') % random.randint(0, 3)
        if name in {one.name for one in owner.members} and random.random() < 0.95:
            return
        one = Def(self.number(), kind, name, random.randint(1, 9))
        one.params = random.randrange(len(PARAMS))
        if random.random() < 0.3 and owner.kind == 'class':
            one.reads = self.some(module, None, owner)
        if kind == 'method' and random.random() < 0.1:
            one.decos = self.some(module, DECORATORS, owner)
        owner.members.insert(random.randint(0, len(owner.members)), one)

    def edited(self):
        """A copy with a few edits; None when there is nothing that could be edited so."""
        other = self.copy()
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            other.edit()
        return other.clean()

    def edit(self):
        random = self.random
        module = random.choice(MODULES)
        there = self.modules[module]
        if not there or random.random() < 0.15:
            self.new(module)
            return
        one = random.choice(there)
        roll = random.random()
        if roll < 0.07:
            there.remove(one)
            self.clean()
        elif roll < 0.12 and one.kind != 'import':
            one.name += 'r' if len(one.name) < 4 else ''
        elif roll < 0.2:
            there.remove(one)
            there.insert(random.randint(0, len(there)), one)
        elif roll < 0.24:
            one.blank = random.randint(0, 3)
        elif roll < 0.28 and one.kind != 'star':
            one.wrap = random.choice((0, 1, 2, 3))
        elif roll < 0.31 and one.kind != 'import':     # something else under the same name
            index = there.index(one)
            there.remove(one)
            self.clean()
            self.new(module, min(index, len(there))).name = one.name
        else:
            self.change(module, one)

    def change(self, module, one):
        """Another content of one definition."""
        random, kind = self.random, one.kind
        if one.members and random.random() < 0.85 or kind in ('class', 'enum', 'data') and random.random() < 0.5:
            return self.change_members(module, one)
        if kind in ('from', 'import', 'star', 'alias', 'called') or random.random() < 0.1:
            return self.fill(module, one)
        what = random.choice(('n', 'n', 'n', 'style', 'params', 'reads', 'decos', 'doc', 'default', 'note'))
        if what == 'style':
            one.style = random.choice(STYLES)
        elif what == 'params':
            one.params = random.randrange(len(PARAMS))
        elif what == 'reads' and kind in ('func', 'lambda', 'factory', 'derived', 'box'):
            one.reads = self.some(module, None, one, 2)
        elif what == 'decos' and kind == 'func':
            one.decos = self.some(module, DECORATORS, one, 2)
        elif what == 'doc':
            one.doc = random.randint(0, 2)
        elif what == 'default' and kind == 'func':
            one.defaults[0] = (self.some(module, None, one) or [None])[0]
        elif what == 'note' and kind == 'func':
            one.note = (self.some(module, ('class', 'const'), one) or [None])[0]
        elif kind == 'class' and random.random() < 0.3:
            one.bases = self.some(module, ('class',), one)
        elif kind == 'class' and random.random() < 0.2:
            one.metas = self.some(module, ('meta',), one)
        elif kind == 'again' and random.random() < 0.5:
            one.decos = self.some(module, DECORATORS, one)
        else:
            one.n = random.randint(1, 9)

    def change_members(self, module, owner):
        random = self.random
        roll = random.random()
        if not owner.members or roll < 0.2:
            return self.member(module, owner)
        one = random.choice(owner.members)
        if roll < 0.3:
            owner.members.remove(one)
        elif roll < 0.35:
            random.shuffle(owner.members)
        elif roll < 0.45 and owner.kind == 'class':
            one.reads = self.some(module, None, owner)
        elif roll < 0.5 and one.kind == 'method':
            one.decos = self.some(module, DECORATORS, owner)
        elif roll < 0.55 and owner.kind == 'class':
            one.kind = random.choice(MEMBERS)
        elif roll < 0.6:
            one.params = random.randrange(len(PARAMS))
        else:
            one.n = random.randint(1, 9)


def indented(text):
    return '\n'.join('    ' + line if line else line for line in text.split('\n'))


class Text:
    """Definitions as source."""

    def __init__(self, names, program):
        self.program, self.known = program, names

    def name(self, number):
        return self.known[number]

    def parameters(self, one, first=''):
        shape = PARAMS[one.params]
        values = tuple(str(one.n) if number is None else self.name(number) for number in one.defaults)
        return ', '.join(part for part in (first, shape % values[:shape.count('%s')]) if part)

    def values(self, one):
        """What a function gives back: its number, what it was passed, what it reads."""
        own = {1: ['a'], 2: ['a', 'k'], 3: ['a'], 4: ['b'], 5: ['k']}.get(one.params, []) if one.kind != 'factory' else []
        kinds = {other.number: self.program.kind_of(other) for part in self.program.modules.values() for other in part}
        read = [self.name(number) + ('()' if kinds[number] in CALLABLE and number % 2 else '') for number in one.reads]
        return '(' + ', '.join([str(one.n)] + own + read) + ',)'

    def statement(self, one):
        return getattr(self, one.kind)(one)

    def function(self, one, first='', style=None):
        style = style or one.style
        head = ['@' + self.decorator(number) for number in one.decos]
        note = ' -> ' + self.name(one.note) if one.note is not None else ''
        head.append('%sdef %s(%s)%s:' % ('async ' if style in ('async', 'asyncgen') else '', one.name, self.parameters(one, first), note))
        values, body = self.values(one), ['"doc %d"' % one.doc] if one.doc else []
        body += {'generator': ['yield %d' % one.n, 'yield ' + values],
                 'comprehension': ['return [i + %d for i in range(2)] + list(%s)' % (one.n, values)],
                 'nested': ['def inner(z):', '    return z, ' + values, 'return inner(1)'],
                 'raise': ['x = ' + values, 'raise ValueError(%d)' % one.n],
                 'try': ['try:', '    return ' + values, 'except NameError as error:', '    return str(error)'],
                 'asyncgen': ['yield ' + values],
                 'nonlocal': ['c = %d' % one.n, 'def up():', '    nonlocal c', '    c += 1', '    return c, ' + values, 'return up(), up()'],
                 'match': ['match %s:' % values, '    case (%d, *rest): return rest' % one.n, '    case _: return 0'],
                 }.get(style, ['return ' + values])
        return head + ['    ' + line for line in body]

    def decorator(self, number):
        kinds = {other.number: self.program.kind_of(other) for part in self.program.modules.values() for other in part}
        return self.name(number) + ('(%d)' % (number % 3) if kinds[number] == 'maker' else '')

    def func(self, one):
        return self.function(one)

    def const(self, one):
        return ['%s = %s' % (one.name, (one.n, '"text %d"' % one.n, (one.n, 'x'), -one.n)[one.params % 4])]

    def derived(self, one):
        return ['%s = (%s)' % (one.name, ''.join('%s, ' % part for part in [one.n] + [self.name(x) for x in one.reads]))]

    def box(self, one):
        return ['%s = {"n": %d, %s}' % (one.name, one.n, ', '.join('"%d": %s' % (number, self.name(x))
                                                                   for number, x in enumerate(one.reads)))]

    def alias(self, one):
        return ['%s = %s' % (one.name, self.name(one.reads[0]))]

    def called(self, one):
        made = '%s()' % self.name(one.reads[0])      # what can be looked at once only would be used up
        return ['try:', '    %s = %s' % (one.name, made), '    if hasattr(%s, "close"): %s = 0' % (one.name, one.name),
                'except Exception:', '    %s = None' % one.name]

    def again(self, one):
        """One more statement that binds a name, out of what it was."""
        name = self.name(one.reads[0])
        if one.decos:
            return ['%s = %s(%s)' % (name, self.decorator(one.decos[0]), name)]
        return ['%s = (%d, %s)' % (name, one.n, name)] if one.params % 3 else ['if _STATE is not None:', '    %s = [%s, %d]' % (name, name, one.n)]

    def loop(self, one):
        return ['%s = %d' % (one.name, one.params), 'for i in (1, %d):' % one.n, '    %s += i' % one.name]

    def maker(self, one):
        return ['def %s(n):' % one.name, '    def deco(f):', '        def w(*a, **k): return (n, %d, f(*a, **k))' % one.n, '        return w',
                '    return deco']

    def counter(self, one):
        return ['def %s(start=%d):' % (one.name, one.n), '    def step():', '        nonlocal start', '        start += %d' % (one.params + 1),
                '        return start', '    return step']

    def meta(self, one):
        return ['class %s(type):' % one.name, '    def hello(cls): return %d' % one.n]

    def deco(self, one):
        extra = ['    extra = 7'] if one.params % 3 == 1 else []
        more = ', extra' if extra else ''
        wraps = ['    @__import__("functools").wraps(f)'] if one.params % 3 == 2 else []
        return ['def %s(f):' % one.name] + extra + wraps + [
            '    def w(*a, **k): return (%d, f(*a, **k)%s)' % (one.n, more), '    return w']

    def factory(self, one):
        free = ', y' if one.params > 3 else ''
        return ['def %s(x=0):' % one.name, '    y = 5', '    def inner(z=1): return (x, z%s, %s)' % (
            free, self.values(one)), '    return inner']

    def lambda_(self, one, first=''):
        return ['%s = lambda %s: %s' % (one.name, self.parameters(one, first), self.values(one))]

    def import_(self, one):
        return ['import ' + one.target[0]]

    def star(self, one):
        return ['from %s import *' % one.target[0]]

    def from_(self, one):
        theirs = self.program.names(one.target[0])[one.target[1]]
        return ['from %s import %s%s' % (one.target[0], theirs, ' as ' + one.name if one.name != theirs else '')]

    def tuple(self, one):
        return ['import collections', '%s = collections.namedtuple("%s", "a%s")' % (
            one.name, one.name, ' b' if one.params % 3 == 1 else '')]

    def body(self, one):
        lines = ['    "doc %d"' % one.doc] if one.doc else []
        for member in one.members:
            lines += ['    ' + line for line in getattr(self, 'member_' + member.kind)(member)]
        return lines or ['    pass']

    def class_(self, one):
        bases = ', '.join(dict.fromkeys(self.name(number) for number in one.bases))
        bases = ', '.join(part for part in [bases] + ['metaclass=' + self.name(number) for number in one.metas[:1]] if part)
        return ['class %s%s:' % (one.name, '(%s)' % bases if bases else '')] + self.body(one)

    def enum(self, one):
        for member in one.members:           # no two are one, save those that are the first
            member.n = member.n % 10 + 10 * member.number if member.params % 3 else 100
        base = ('Enum', 'Enum', 'Enum', 'IntEnum', 'Enum', 'Flag')[one.params % 6]
        return ['import enum', 'class %s(enum.%s):' % (one.name, base), '    FIRST = 100'] + self.body(one)

    def data(self, one):
        given = ('', '', '', '(order=True)', '(frozen=True)', '(eq=False)')[one.params % 6]
        lines = ['import dataclasses', '@dataclasses.dataclass' + given, 'class %s:' % one.name]
        fields = [member for member in one.members if member.kind == 'attr']
        bare = next((number for number, member in enumerate(fields) if member.params != 3), len(fields))
        lines += ['    %s: %s' % (member.name, 'int' if member.n % 2 else 'str') for member in fields[:bare]]
        lines += ['    %s: int = %d' % (member.name, member.n) for member in fields[bare:]]
        return lines + [line for member in one.members if member.kind == 'method' for line in self.indent(member)] + (
            [] if len(lines) > 3 or one.members else ['    pass'])

    def indent(self, member):
        return ['    ' + line for line in self.member_method(member)]

    def member_method(self, one):
        return self.function(one, 'self')

    def member_static(self, one):
        return ['@staticmethod'] + self.function(one)

    def member_klass(self, one):
        return ['@classmethod'] + self.function(one, 'cls')

    def member_property(self, one):
        return ['@property', 'def %s(self): return %d' % (one.name, one.n)]

    def member_super(self, one):
        return ['def %s(self): return (%d, super().%s())' % (one.name, one.n, one.name)]

    def member_secret(self, one):
        return ['def %s(self): return %d' % (one.name, one.n), 'def open%s(self): return self.%s()' % (one.name, one.name)]

    def member_attr(self, one):
        return ['%s = %s' % (one.name, ', '.join([str(one.n)] + [self.name(number) for number in one.reads]))]

    def member_setter(self, one):
        return ['@property', 'def %s(self): return %d' % (one.name, one.n), '@%s.setter' % one.name,
                'def %s(self, value): self.v = value + %d' % (one.name, one.params)]

    def member_slots(self, one):
        return ['__slots__ = ("s%d",)' % (one.n % 3)]

    def member_summed(self, one):
        return ['%s = %d' % (one.name, one.params), 'y = %s' % one.name, '%s += %d' % (one.name, one.n)]

    def member_abstract(self, one):
        mark = ['@__import__("abc").abstractmethod'] if one.params % 2 else []
        return mark + ['def %s(self): return %d' % (one.name, one.n)]

    def member_lambda(self, one):
        return self.lambda_(one, 'self')

    def member_nested(self, one):
        return ['class %s:' % one.name, '    y = %d' % one.n, '    def m(self): return %s' % self.values(one)]


for word in ('lambda', 'import', 'from', 'class'):
    setattr(Text, word, getattr(Text, word + '_'))

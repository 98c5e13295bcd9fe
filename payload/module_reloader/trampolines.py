# SPDX-License-Identifier: MIT
"""Functions that forward: what an old function becomes when it cannot take the new code itself.

CPython gives a function new code only if that has as many free variables, and reads them by position.  So a function
whose free variables change, or which a decorator wraps now, or which is a decorator's wrapper that is no longer
wanted, gets a code object of ours instead: with its own free variables, of the kind (plain, generator, coroutine,
asynchronous generator) of what it forwards to, its target.  The target stands in __kwdefaults__, where the collector
sees it.  Forwarding goes one step: when a target forwards in turn, those that lead to it are pointed to the new target,
and a function that can take the newest code itself, because an edit was taken back, does so and forwards no more.

In a traceback each such call is one frame more, in a file named codes.FORWARD.  The rest of the engine passes over
these functions, and looks at their targets.
"""
from . import baseline, codes, host, journal as journals, patch, trees

DECORATED = 'its decorators changed: who took a reference to it before goes on with the old one'
FAR = 10000                                  # objects; who holds more is taken to hold everything
FUNCTIONS = ('FunctionDef', 'AsyncFunctionDef')
HEAD = 'def make(%s):\n    %sdef forward(*__mr_args, __mr_target__, **__mr_kwargs):\n'
BODIES = {
    0: '        return __mr_target__(*__mr_args, **__mr_kwargs)\n',
    0x20: '        return (yield from __mr_target__(*__mr_args, **__mr_kwargs))\n',
    0x80: '        return await __mr_target__(*__mr_args, **__mr_kwargs)\n',
    0x200: '''        __mr_made = __mr_target__(*__mr_args, **__mr_kwargs)
        __mr_step, __mr_sent = __mr_made.asend, None
        while True:
            try:
                __mr_value = await __mr_step(__mr_sent)
            except StopAsyncIteration:
                return
            try:
                __mr_sent = yield __mr_value
                __mr_step = __mr_made.asend
            except GeneratorExit:
                await __mr_made.aclose()
                raise
            except BaseException as __mr_error:
                __mr_step, __mr_sent = __mr_made.athrow, __mr_error
'''}


def code_for(function, target):
    """The code object with which FUNCTION forwards to TARGET; None if its free variables cannot be written."""
    names, real = function.__code__.co_freevars, type(target) is host.FunctionType
    if not all(name.isidentifier() for name in names):
        return None
    kind = target.__code__.co_flags & codes.GENERATORS if real else 0
    text = HEAD % (', '.join(names), 'async ' if kind & 0x280 else '') + BODIES[kind]
    text += '        %s\n' % ', '.join(names) if names else ''
    code = host.compile_quietly(text, codes.FORWARD)
    code = codes.children(codes.children(code)[0])[0]
    return codes.rebuilt(code, code.co_flags | (target.__code__.co_flags & codes.ITERABLE if real else 0),
                         function.__code__.co_name)


def twin(function, code, cells):
    """A function that is FUNCTION in all but code and cells."""
    made = host.FunctionType(code, function.__globals__, function.__name__, function.__defaults__, cells)
    for name in ('__kwdefaults__', '__qualname__', '__doc__', '__module__'):
        setattr(made, name, getattr(function, name))
    name = '__annotate__' if hasattr(made, '__annotate__') else '__annotations__'
    setattr(made, name, getattr(function, name))
    made.__dict__.update(function.__dict__)
    return made


def reaches(target, function):
    """Whether TARGET may call FUNCTION: something that it holds, names of modules excepted, leads there."""
    todo, seen = [target], set()
    while todo and len(seen) < FAR:
        one = todo.pop()
        if one is function:
            return True
        if id(one) in seen or host.is_class(one) or host.among(type(one), (host.ModuleType, host.CodeType)):
            continue
        seen.add(id(one))
        if type(one) is host.FunctionType:
            todo.extend([one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__])
        else:
            todo.extend(host.gc.get_referents(one))
    return bool(todo)


class Forwards:
    """Which functions forward to which target, in one module."""

    def __init__(self, functions=()):
        self.known = []
        for function in functions:
            if codes.forwards_to(function) is not None:
                self.known.append(function)

    def to(self, target):
        return [one for one in self.known if codes.forwards_to(one) is target]

    def point(self, function, target, journal, soon=None):
        """Make FUNCTION, and what forwards to it, forward to TARGET; whether it could be done.

        What TARGET, or the function SOON that it is about to become, may call stays as it is: the call would never end.
        """
        done = True
        for one in self.to(function) + [function]:
            if one is not target and reaches(soon or target, one):
                done = False
            elif one is not target:
                done = self.forward(one, target, journal) and done
        return done

    def forward(self, function, target, journal):
        code = code_for(function, target)
        if code is None:
            return False
        for name, value in (('__kwdefaults__', {'__mr_target__': target}), ('__defaults__', None), ('__code__', code)):
            journal.set('function', function, name, value)
        if type(target) is host.FunctionType:
            patch.describe(function, target, journal)
        journal.set('item', function.__dict__, '__wrapped__', target)
        if function not in self.known:
            self.known.append(function)
        return True

    def take(self, function, new, journal):
        """Make FUNCTION, which forwards, what NEW is: it forwards no more."""
        if not patch.transplant(function, new, journal):
            return False
        self.end(function, journal)
        return True

    def end(self, function, journal):
        if '__wrapped__' in function.__dict__:
            journal.set('item', function.__dict__, '__wrapped__', journals.ABSENT)
        self.known = [one for one in self.known if one is not function]

    def cells(self, function):
        """The cells by name that FUNCTION and those that forward to it hold."""
        found = {}
        for one in self.to(function) + [function]:
            found.update(zip(one.__code__.co_freevars, one.__closure__ or ()))
        return found

    def bring(self, function, code):
        """A function with CODE to which FUNCTION can forward, made of cells that are there; None if one is missing."""
        cells = self.cells(function)
        if not all(name in cells for name in code.co_freevars):
            return None
        return twin(function, codes.like(function.__code__, code), tuple(cells[name] for name in code.co_freevars))


def of(plan):
    """The functions of the plan's module that forward."""
    if plan.forwards is None:
        plan.forwards = Forwards(plan.functions)
    return plan.forwards


def prepare(plan):
    """Find what can be done for functions that cannot take their new code."""
    forwards, left = of(plan), []
    for one in plan.stuck:
        if one.code is not None:
            one.target = forwards.bring(one.function, one.code)
            if one.target is not None and one.defaults:
                one.target.__defaults__, one.target.__kwdefaults__ = one.defaults
        (left if one.target is None else plan.patches).append(one)
    plan.stuck = left
    if left:
        decorated_again(plan)
        expect(plan)


def expect(plan):
    """Mark the functions that the definitions which run will make forward."""
    made = [(host.part('forecast').members_of(one), host.class_dict(one.kind)) for one in plan.classes]
    made += [(trees.bound(one), plan.module.dict) for one in plan.statements if trees.kind(one) in FUNCTIONS or
             trees.kind(getattr(one, 'value', None)) == 'Lambda']
    found = {id(one) for names, there in made for name in names for one in baseline.inner_functions(there.get(name))}
    for one in plan.stuck:
        one.expected = id(one.function) in found


def belongs(value, name, module, there=None):
    """Whether VALUE, a function or a wrapper of one, is the definition NAME of a module, or wraps it; in a class, NAME is K.f.

    What stands under the name of another definition goes on as that one.  A lambda, or a closure in a class, has no name of
    its own: it belongs to the only one that it has THERE.
    """
    outer, _, last = name.rpartition('.')
    for one in baseline.inner_functions(value):
        place, _, own = codes.path_of(one).rpartition('.') if not codes.is_hidden(one) else (outer, '', one.__code__.co_name)
        if one.__globals__ is module.dict and place == outer and trees.mangled(own, outer.rpartition('.')[2]) == last:
            return True
    path = codes.path_of(value) if type(value) is host.FunctionType and value.__globals__ is module.dict else ''
    return (path == name[:-len(last)] + '<lambda>' or there is not None and '<locals>' in path) and not any(
        one is value for key, one in (module.dict if there is None else there).items() if key != last)


def depart(plan, name, old, new, journal):
    """A statement that defines no function left NAME with NEW, where the definition OLD, or a wrapper of it, was."""
    there = old.__module__ == plan.module.dict.get('__name__') and old.__qualname__ == name if host.is_class(old) else \
        belongs(old, name, plan.module)
    if not there or any(value is old for value in journal.seen(plan.module.dict).values()):
        return
    if type(old) is type(new) is host.FunctionType and belongs(new, name, plan.module):
        journal.set('item', plan.module.dict, name, succeed(plan, name, old, new, journal))
    else:
        what = 'of type ' + type(new).__name__ if not host.is_class(new) else 'another class' if host.is_class(old) else 'a class'
        plan.kept_old.append({'name': name, 'reason': 'it is %s now: who took a reference to it before goes on with '
                              'the old definition' % what})


def defined(plan, value):
    """The names of the functions of the module that VALUE is, or is made of."""
    return {one.__code__.co_name for one in baseline.inner_functions(value) if one.__globals__ is plan.module.dict}


def fill(plan, old, new, journal):
    """The functions inside of OLD, which may be held for ever, have the code of those inside of NEW: they get the defaults, too."""
    definition = host.part('decorators').definition
    for name in defined(plan, old) & defined(plan, new):
        inner, its = (definition(one, name, plan.module.dict) for one in (old, new))
        if inner is not None and its is not None and inner is not old and inner is not its and codes.same_place(inner, its):
            patch.transplant(inner, its, journal)


def goes_on(plan, old, name):
    """Whether OLD, which stands in a class and is decorated again, may be held, and cannot forward."""
    return not patch.inner(old) and is_callable(old) and name.rpartition('.')[2] in defined(plan, old)


def is_callable(value):
    return not host.among(type(value), (staticmethod, classmethod, property)) and hasattr(type(value), '__call__')


def succeed(plan, name, old, new, journal):
    """A definition was made again, OLD stood there, NEW does now: what NAME leads to from now on."""
    forwards = of(plan)
    fill(plan, old, new, journal)
    if type(old) is not host.FunctionType or not is_callable(new) or not belongs(old, name, plan.module):
        if codes.live_key(old) is None:      # a constant is nothing to go on with
            plan.kept_old.append({'name': name, 'reason': DECORATED})
        return new
    if type(new) is host.FunctionType and new.__globals__ is plan.module.dict and new.__code__.co_name == name:
        for one in forwards.to(old):         # an edit that was taken back: the first function is whole again
            if one.__code__.co_name == name and forwards.take(one, new, journal):
                forwards.point(old, one, journal, new)
                return one
    keep_attributes(plan, name, old, new, journal)
    if forwards.point(old, new, journal):
        plan.followed.add(name)
    elif not any(value is old for value in baseline.inner_functions(new)):
        plan.kept_old.append({'name': name, 'reason': 'what it leads to now holds it: who took a reference to it before '
                              'goes round that'})
    return new


def keep_attributes(plan, name, old, new, journal):
    """Attributes that the source puts on a function after its definition are state, and go over."""
    if type(new) is not host.FunctionType:
        return
    for statement in trees.inside(plan.examined.tree.body):
        for target in getattr(statement, 'targets', ()):
            if trees.kind(target) == 'Attribute' and trees.kind(target.value) == 'Name' and \
                    target.value.id == name and target.attr in old.__dict__ and target.attr not in new.__dict__:
                journal.set('item', new.__dict__, target.attr, old.__dict__[target.attr])


def succeed_member(plan, name, old, new, journal, there):
    """The same for what stands in a class, with the members THERE: the functions of OLD forward to those in the same role of NEW."""
    if host.part('classes').binds_otherwise(type(old), type(new)):
        return
    olds, news = patch.inner(old), patch.inner(new)
    if not olds:
        fill(plan, old, new, journal)
        if goes_on(plan, old, name):
            plan.kept_old.append({'name': name, 'reason': DECORATED})
    if 'self' in olds and 'self' not in news and is_callable(new):
        news = {'self': new}
    for role, function in olds.items():
        target = news.get(role)
        if target is None or target is function or not is_callable(target):
            continue
        fill(plan, function, target, journal)
        if type(function) is host.FunctionType and belongs(function, name, plan.module, there):
            of(plan).point(function, target, journal)


def decorated_again(plan):
    """Definitions to run again: their wrappers cannot take the new code of the decorator that made them."""
    stuck = {id(one.function) for one in plan.stuck}

    def holds(value):
        return any(id(one) in stuck for one in baseline.inner_functions(value))

    body = plan.examined.tree.body
    for statement in body:
        again = statement not in plan.statements or statement in plan.undecorated
        if is_decorated(statement) and again and holds(plan.module.dict.get(statement.name)):
            plan.statements = [one for one in plan.statements if one is not statement] + [statement]
            plan.undecorated = [one for one in plan.undecorated if one is not statement]
            plan.warnings.append('%s was decorated again: what its old wrapper kept in variables of its own starts anew'
                                 % statement.name)
    paths = {'.'.join(one.name for one in path): path for path in trees.classes(body).values()}
    for name, kind in baseline.classes_of(plan.module):
        for statement in paths[name][-1].body if name in paths else ():
            name_there = trees.mangled(statement.name, kind.__name__) if is_decorated(statement) else None
            if name_there and holds(host.class_dict(kind).get(name_there)):
                host.part('classes').run_too(plan, name, kind, paths[name], statement)


def is_decorated(statement):
    return trees.kind(statement) in FUNCTIONS and statement.decorator_list

# SPDX-License-Identifier: MIT
"""What a module is to those who use it, as plain data that two of them can be compared by.

Functions are called, classes are made instances of, attributes are looked up, and all of it is written down by names
and values, never by identity.
"""
import gc
import inspect
import os
import re
import types

CALLS = ((), (1,), (1, 2))
DEEPEST = 4
HIDDEN = {'__dict__', '__weakref__', '__doc__', '__static_attributes__', '__annotate_func__', '__annotations_cache__',
          '__abstractmethods__', '_abc_impl', '__annotate__'}


def named(value):
    """The text of VALUE without addresses."""
    return re.sub(' at 0x[0-9a-f]+', '', str(value))


def attempt(function, *args):
    """('is', result) or ('raises', kind, text, line)."""
    try:
        return ('is', function(*args))
    except Exception as error:
        step = error.__traceback__
        while step.tb_next:
            step = step.tb_next
        there = os.path.basename(step.tb_frame.f_code.co_filename) in ('fa.py', 'fb.py', 'fc.py')
        return ('raises', type(error).__name__, named(error), step.tb_lineno if there else None)


def told(outcome, depth):
    return ('is', tell(outcome[1], depth)) if outcome[0] == 'is' else outcome


def state(value):
    """The attributes of an instance, but what the enum library has cached in a flag."""
    return {name: one for name, one in getattr(value, '__dict__', {}).items() if name != '_inverted_'}


def tell(value, depth=0):
    """VALUE as plain data."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if depth > DEEPEST:
        return '...'
    kind = type(value)
    if kind in (tuple, list):
        return (kind.__name__,) + tuple(tell(one, depth + 1) for one in value)
    if kind in (dict, types.MappingProxyType):
        return ('dict',) + tuple((str(key), tell(one, depth + 1)) for key, one in value.items())
    if kind is types.FunctionType:
        return tell_function(value, depth)
    if kind is types.MethodType:
        return ('method', tell(value.__func__, depth + 1), type(value.__self__).__name__)
    if kind in (staticmethod, classmethod):
        return (kind.__name__, tell(value.__func__, depth + 1))
    if kind is property:
        return ('property',) + tuple(tell(one, depth + 1) for one in (value.fget, value.fset, value.fdel))
    if kind is types.GeneratorType:
        return ('generator',) + tuple(tell(one, depth + 1) for one, _ in zip(value, range(5)))
    if kind is types.CoroutineType:
        return ('coroutine', finish(value, depth))
    if isinstance(value, type):
        return tell_class(value, depth)
    if kind is types.ModuleType:
        return ('module', value.__name__)
    if kind.__module__ in ('fa', 'fb', 'fc'):
        return ('instance of', kind.__module__, kind.__qualname__, tell(state(value), depth + 1))
    return ('a', kind.__name__)


def finish(coroutine, depth):
    try:
        coroutine.send(None)
    except StopIteration as end:
        return tell(end.value, depth + 1)
    except Exception as error:
        return ('raises', str(error))
    finally:
        coroutine.close()


def tell_function(function, depth):
    calls = tuple(told(attempt(function, *args), depth + 1) for args in CALLS) if depth < DEEPEST - 1 else ()
    if function.__code__.co_filename == '<forwarded by mr-attach>':
        function = function.__wrapped__      # it forwards, and says so
    if type(function) is not types.FunctionType:
        return tell(function, depth)
    code = function.__code__
    names = {name: getattr(note, '__name__', str(note)) for name, note in function.__annotations__.items()}
    return ('function', function.__module__, function.__qualname__, function.__doc__, code.co_firstlineno,
            os.path.basename(code.co_filename), tell(function.__defaults__, depth + 2), tell(function.__kwdefaults__, depth + 2),
            tuple(names.items()), tuple(sorted(function.__dict__)), named(inspect.signature(function)) if depth < 2 else '', calls)


def tell_class(kind, depth):
    bases = tuple((one.__module__, one.__qualname__) for one in kind.__mro__)
    if kind.__module__ not in ('fa', 'fb', 'fc') or depth > 2:
        return ('class', bases)
    members = tuple((name, tell(value, depth + 1)) for name, value in sorted(vars(kind).items()) if name not in HIDDEN)
    return ('class', kind.__module__, kind.__qualname__, kind.__doc__, bases, members, tell_instance(attempt(kind), depth))


def tell_instance(outcome, depth=0):
    """What an instance does: each of its attributes, called where it can be."""
    if outcome[0] != 'is':
        return outcome
    value = outcome[1]
    shown = attempt(repr, value)             # a field that came may be missing
    found = [('repr', named(shown[1]) if shown[0] == 'is' else shown), ('state', tell(state(value), depth + 1))]
    for name in sorted({name for kind in type(value).__mro__ for name in vars(kind) if not name.startswith('__')}):
        got = attempt(getattr, value, name)
        found.append((name, told(got, depth + 2)))
        if got[0] == 'is' and type(got[1]) in (types.MethodType, types.FunctionType):
            found.append((name + '()', told(attempt(got[1]), depth + 2)))
    return tuple(found)


def tell_module(module):
    """What each public name of a module is."""
    return {name: tell(value) for name, value in sorted(vars(module).items()) if not name.startswith('__')}


def held_of(module, names):
    """What a program may hold of the functions and classes that a module defines under NAMES: {(name, what): object}."""
    found = {}
    for name in names:
        value = vars(module).get(name)
        if type(value) is types.FunctionType and value.__globals__ is vars(module):
            found[name, 'function'] = value
            inner = attempt(value)
            if inner[0] == 'is' and type(inner[1]) is types.FunctionType:
                found[name, 'closure'] = inner[1]
        elif isinstance(value, type) and value.__module__ == module.__name__:
            found[name, 'class'] = value
            instance = attempt(value)
            if instance[0] != 'is':
                continue
            found[name, 'instance'] = instance[1]
            for member, function in sorted(vars(value).items()):
                if type(function) is types.FunctionType:
                    found[name, 'bound ' + member] = getattr(instance[1], member)
                    found[name, 'plain ' + member] = function
    return found


def tell_held(what, value):
    told = tell_instance(('is', value)) if what == 'instance' else tell(value)
    return unnamed(told) if what not in ('class', 'instance') else told


def unnamed(told):
    """A told function without the name of its definition: it keeps the one that it was made with."""
    if type(told) is not tuple:
        return told
    if told[0] == 'method':
        return told[:1] + (unnamed(told[1]),) + told[2:]
    return told[:2] + told[3:] if told[0] == 'function' else told


def state_of(modules):
    """The identity of everything that a reload could change: [(where, object)], to be compared by `is`."""
    found = []
    for module in modules:
        found += [((module.__name__, name), value) for name, value in sorted(vars(module).items())]
        kinds = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
        while kinds:
            kind = kinds.pop()
            found += [((kind.__module__, kind.__qualname__, name), value) for name, value in sorted(vars(kind).items())
                      if name not in HIDDEN]
            found += [((kind.__module__, kind.__qualname__, 'bases', number), one) for number, one in enumerate(kind.__bases__)]
            kinds += [value for value in vars(kind).values() if isinstance(value, type) and
                      value.__qualname__.startswith(kind.__qualname__ + '.')]
        for function in gc.get_referrers(vars(module)):
            if type(function) is types.FunctionType:
                for part in ('__code__', '__defaults__', '__kwdefaults__', '__doc__'):
                    found.append(((function, part), getattr(function, part)))
    return found


def differences(before, after):
    """The places whose object is another one now."""
    after = {where: value for where, value in after}
    missing = object()
    return [str(where) for where, value in before if after.get(where, missing) is not value and
            not (type(where[0]) is types.FunctionType and after.get(where, missing) is missing)]

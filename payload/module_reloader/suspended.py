# SPDX-License-Identifier: MIT
"""What is suspended in code that a reload replaces: generators, coroutines, asyncio's tasks, greenlets.

Generators and coroutines are found by what refers to their code.  Greenlets hold frames that nothing refers to; they
are looked for where greenlet is loaded.  Nothing of the program is asked: all is read through attributes written in C.
"""
from . import codes, host

KINDS = {'generator': 'gi_', 'coroutine': 'cr_', 'async_generator': 'ag_'}
AWAITED = {'generator': 'gi_yieldfrom', 'coroutine': 'cr_await', 'async_generator': 'ag_await'}
DEPTH = 100                                  # coroutines that await each other


def find(search, wanted, heap):
    """Tell SEARCH of what is suspended in one of the code objects WANTED, and in greenlets."""
    found = [one for one in heap.suspended(wanted) if type(one).__name__ in KINDS] if wanted else []
    told = set()
    awaited = [one for one in found if type(one).__name__ == 'coroutine' or type(one).__name__ == 'generator' and
               one.gi_code.co_flags & codes.ITERABLE]
    if awaited and 'asyncio' in host.sys.modules:
        for task, base in all_tasks(awaited, heap):
            name, value = task_name(task, base), getattr(task, '_coro', None)
            for _ in range(DEPTH):
                if type(value).__name__ not in KINDS:
                    break
                tell(search, value, told, 'task', name)
                value = getattr(value, AWAITED[type(value).__name__], None)
    for one in found:
        tell(search, one, told, type(one).__name__)
    greenlet = getattr(host.sys.modules.get('greenlet'), 'greenlet', None)
    if host.is_class(greenlet):
        for one in [one for one in heap.look() if issubclass(type(one), greenlet)]:
            search.frames(host.class_dict(greenlet)['gr_frame'].__get__(one), 'greenlet')


def tell(search, value, told, kind, name=None):
    """Report a generator or coroutine, if it waits in old code."""
    prefix = KINDS[type(value).__name__]
    code, frame = getattr(value, prefix + 'code', None), getattr(value, prefix + 'frame', None)
    if prefix == 'ag_':                      # it counts as running while it awaits something
        waits = frame is not None and frame.f_back is None
    else:
        waits = frame is not None and not getattr(value, prefix + 'running')
    if waits and id(code) in search.old and id(value) not in told:
        told.add(id(value))
        search.add(kind, code, frame.f_lineno, None, name)


def all_tasks(waiting, heap):
    """(task, the class of asyncio that it is of): what asyncio itself keeps of them.

    Where it keeps them in C: 3.14 on, what refers to the class; 3.6, the tasks of the coroutines WAITING themselves.
    """
    asyncio = host.sys.modules.get('asyncio.tasks')
    names = vars(asyncio) if type(asyncio) is host.ModuleType else {}
    bases = [kind for kind in (names.get('_CTask'), names.get('_PyTask'), names.get('Task')) if host.is_class(kind)]
    found = []
    for keep in [names.get(name) for name in ('_all_tasks', '_scheduled_tasks', '_eager_tasks')]:
        if type(keep).__name__ == 'WeakSet':
            found.extend(one() for one in list(keep.data))
        elif type(keep) is set:
            found.extend(list(keep))
    if bases and not (3, 7) <= host.sys.version_info < (3, 14):
        found.extend(heap.look(*(bases if host.sys.version_info > (3, 7) else waiting)))
    seen = set()
    for one in found:
        base = next((kind for kind in bases if issubclass(type(one), kind)), None)
        if base is not None and id(one) not in seen:
            seen.add(id(one))
            yield one, base


def task_name(task, base):
    """The name of a task (from 3.8 on), without asking a class of the program."""
    if type(base.__dict__.get('get_name')).__name__ == 'method_descriptor':
        return base.get_name(task)
    name = getattr(task, '__dict__', {}).get('_name')
    return name if type(name) is str else None

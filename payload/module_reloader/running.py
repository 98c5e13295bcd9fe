# SPDX-License-Identifier: MIT
"""What goes on in code that a reload replaces: frames of threads; suspended.py finds what is on no thread's stack."""
from . import host


class Search:
    """One search: what it looks for, and what it found."""

    def __init__(self, plans):
        self.old = {id(one.old): (plan, one) for plan in plans for one in plan.patches + plan.stuck if one.changed}
        for plan in plans:
            plan.running = []

    def add(self, kind, code, line, thread=None, name=None):
        plan, one = self.old[id(code)]
        function = plan.module.name + '.' + one.path
        plan.running.append({'kind': kind, 'thread': thread, 'name': name, 'function': function,
                             'file': plan.module.path, 'line': line})

    def frames(self, frame, kind, thread=None):
        """Those of a stack, from its innermost frame on."""
        while frame is not None:
            if id(frame.f_code) in self.old:
                self.add(kind, frame.f_code, frame.f_lineno, thread)
            frame = frame.f_back


def find(plans, heap):
    """Note in each of PLANS what goes on in code that it replaces."""
    search = Search(plans)
    names = thread_names() if search.old else {}
    try:
        for ident, frame in list(host.sys._current_frames().items()) if search.old else ():
            search.frames(frame, 'frame', names.get(ident, str(ident)))
    finally:
        frame = None                         # one is ours: it would hold itself, and all that it knows
    if any(plan.suspended for plan in plans) or search.old and 'greenlet' in host.sys.modules:
        host.part('suspended').find(search, [code for plan in plans for code in plan.suspended], heap)


def thread_names():
    """The names of the program's threads, without calling anything of theirs."""
    threading = host.sys.modules.get('threading')
    active = getattr(threading, '_active', None) if type(threading) is host.ModuleType else None
    found = {}
    for ident, thread in list(active.items()) if type(active) is dict else ():
        name = getattr(thread, '__dict__', {}).get('_name')
        if isinstance(name, str):
            found[ident] = name
    return found

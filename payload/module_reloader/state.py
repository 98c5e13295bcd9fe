# SPDX-License-Identifier: MIT
"""What the engine remembers in a process between commands: plain data, so that a newer engine can adopt it.

    format    1
    tracked   {module name: {'path', 'time', 'exact', 'source', 'filename', 'id'}}: the source that a module runs
    history   [{'id', 'at', 'uid', 'sudo_user', 'command', 'status', 'modules'}], the newest last
    journal   [{'id', 'modules', 'steps', 'tracked', 'bytes'}]: what the newest commands replaced, for undo; tracked is as
              above, what the modules ran before, or None
    undone    {module name: hash of the source whose reload was undone}
    last      the highest id so far
    busy      while a command is at work: (pid, ident of its thread, its name)
"""
import sys

from . import host

LIMIT, ROOM = 20, 16 << 20                   # commands that can be taken back, and bytes that they may hold

STATE = {'format': 1, 'tracked': {}, 'history': [], 'journal': [], 'undone': {}, 'last': 0}
EMPTY = {'tracked': dict, 'history': list, 'journal': list, 'undone': dict, 'last': int}


def busy():
    """Refuse if a command is at work already: below us in this thread, whose code called us, or in another thread."""
    owner = STATE.get('busy')
    if owner is None or owner[0] != host.posix.getpid() or owner[1] not in sys._current_frames():
        return                               # nobody, or somebody whom a fork did not take along
    where = 'below, in this thread' if owner[1] == host._thread.get_ident() else 'in thread %d' % owner[1]
    raise host.Refusal('engine-busy', 'the command %s is still at work in this process, %s' % (owner[2], where),
                       'try again when it has ended; exec works meanwhile')


class Busy:
    """The time for which a command is at work."""

    def __init__(self, command, context=None):
        self.owner, self.context = (host.posix.getpid(), host._thread.get_ident(), command), context

    def __enter__(self):
        busy()
        if self.context is not None:
            self.context.at_end(self.__exit__)       # even if an exception comes right before our own __exit__
        STATE['busy'] = self.owner

    def __exit__(self, *unused):
        if STATE.get('busy') is self.owner:
            del STATE['busy']


def share(other):
    """Remember in the dictionary OTHER, which belongs to an engine that goes on beside this one."""
    global STATE
    STATE = other
    for key, kind in EMPTY.items():
        if type(STATE.get(key)) is not kind:
            STATE[key] = kind()


def adopt(old):
    """Take over what another engine remembered, if it is in a format that we know and we know nothing ourselves."""
    if isinstance(old, dict) and old is not STATE and old.get('format') == STATE['format']:
        for key, kind in EMPTY.items():
            if type(old.get(key)) is kind and not STATE[key]:
                STATE[key] = old[key]


def remember(module, data, when, exact):
    """MODULE runs DATA now."""
    STATE['undone'].pop(module.name, None)
    STATE['tracked'][module.name] = {'path': module.path, 'time': when, 'exact': exact, 'source': data,
                                     'filename': module.filename(), 'id': id(module.dict)}


def why_stale(module, data):
    """Why MODULE is stale, if its source is DATA: that was undone, or it is another content."""
    return 'undone' if data is not None and STATE['undone'].get(module.name) == hash(data) else 'content'


def tracked(module):
    """The record of what MODULE runs, if it is about this very module object."""
    record = STATE['tracked'].get(module.name)
    return record if record is not None and record['id'] in (None, id(module.dict)) else None

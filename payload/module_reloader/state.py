# SPDX-License-Identifier: MIT
"""What the engine remembers in a process between commands: plain data, so that a newer engine can adopt it.

    format    1
    tracked   {module name: {'path', 'time', 'exact', 'source', 'filename', 'id'}}: the source that a module runs
    history   [{'id', 'at', 'uid', 'sudo_user', 'command', 'status', 'modules'}], the newest last
    journal   [{'id', 'modules', 'steps', 'tracked'}]: what the newest commands replaced, for undo
    installed what tracking put where: {'finder': ...}
"""
LIMIT = 20                                   # commands that can be taken back

STATE = {'format': 1, 'tracked': {}, 'history': [], 'journal': [], 'installed': {}, 'last': 0}


def adopt(old):
    """Take over what another engine remembered, if it is in a format that we know."""
    if isinstance(old, dict) and old.get('format') == STATE['format']:
        STATE.clear()
        STATE.update(old)


def remember(module, data, when, exact):
    """MODULE runs DATA now."""
    STATE['tracked'][module.name] = {'path': module.path, 'time': when, 'exact': exact, 'source': data,
                                     'filename': module.filename(), 'id': id(module.dict)}


def tracked(module):
    """The record of what MODULE runs, if it is about this very module object."""
    record = STATE['tracked'].get(module.name)
    return record if record is not None and record['id'] in (None, id(module.dict)) else None

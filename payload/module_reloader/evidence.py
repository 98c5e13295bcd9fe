# SPDX-License-Identifier: MIT
"""Which files may have become others, and when at the latest: one number for each path.

It is the latest ctime, in ns, of the file, of each link on the way to it, and of each folder on the way that was
renamed, which shows in a ctime that is not its mtime.  Editors, rsync and git fake dates of content, nobody fakes
that.  UNKNOWN: it cannot be seen; MISSING: there is no such file.

Each look at a file from inside lets go of the GIL and waits for it again; so mr-attach is asked, which looks from outside
(attach/evidence.c): the paths are put into the request block, and we wait without the GIL.  If it does not take the
question, or we are alone, we look.  If it took it and does not come back, a file system does not answer, from where nothing
but SIGKILL brings a thread back: the command is refused, for it is the program's thread that would be kept.
"""
from . import host

ASKING, QUESTION, TOLD = 232, 240, 264       # words of the request block: request.h
ASKED, TAKEN, ANSWERED, DECLINED = 1, 2, 3, 4
UNKNOWN, MISSING, SILENT = 0, -1, 1
PATIENCE = {ASKED: 0.1, TAKEN: 0.5}          # seconds without a sign of life: a tool that is gone takes nothing, or dies on it
LINK, FOLDER = 0o120000, 0o040000


def newest(paths, context):
    """The numbers of PATHS."""
    found = ask(paths, context) or [UNKNOWN] * len(paths)
    folders = {}
    for number, path in enumerate(paths) if UNKNOWN in found else ():
        if found[number] == UNKNOWN:
            found[number] = look(path, folders)
    return found


def silent(paths, text, context):
    """Those of PATHS that surely do not hold the word TEXT, or not the word `import`; none if nobody else can read them."""
    try:
        found = ask(['?' + text] + paths, context)
    except host.Refusal:                     # they did answer a moment ago: it is slow
        found = None
    return {path for path, number in zip(paths, found[1:]) if number == SILENT} if found is not None else set()


def word(view, offset):
    return int.from_bytes(view[offset:offset + 8], 'little')


def put(view, offset, value):
    view[offset:offset + 8] = value.to_bytes(8, 'little')


def ask(paths, context):
    """What mr-attach says, or None."""
    view = getattr(context, 'view', None)
    if view is None or not paths or word(view, ASKING) in PATIENCE:
        return None                          # while a question is open, what is told may be the answer to that
    encoding = host.sys.getfilesystemencoding(), host.sys.getfilesystemencodeerrors()
    try:
        question = '\0'.join(paths + ['']).encode(*encoding)
    except host.faults(UnicodeError):
        return None
    start, room = word(view, QUESTION), word(view, QUESTION + 8)
    if len(question) > room or question.count(b'\0') != len(paths):
        return None
    view[start:start + len(question)] = question
    put(view, QUESTION + 16, len(question))
    put(view, ASKING, ASKED)
    state = wait(view)
    if state == TAKEN:
        raise host.Refusal('unreadable-source', 'no answer came from the files of the modules in time',
                           'either a file system does not answer, or the machine is too busy: then try again')
    if state != ANSWERED or word(view, TOLD + 16) != 8 * len(paths):
        return None
    start = word(view, TOLD)
    return memoryview(bytes(view[start:start + 8 * len(paths)])).cast('q').tolist()


def wait(view):
    """Wait for an answer, as long as somebody seems to be at it: how far it came."""
    began, pause, life = host.time.perf_counter(), 0.0002, None
    while True:
        host.rest(pause)
        state, pause = word(view, ASKING), min(pause * 1.5, 0.005)
        if life != (state, word(view, TOLD + 16)):               # while it looks it counts there
            began, life = host.time.perf_counter(), (state, word(view, TOLD + 16))
        if state not in PATIENCE or host.time.perf_counter() - began > PATIENCE[state]:
            return state


def look(path, folders):
    """The number of one path, from inside; FOLDERS remembers those that were seen."""
    try:
        found = host.posix.lstat(path)
        number = max(found.st_ctime_ns, 1)
        if found.st_mode & 0o170000 == LINK:
            number = max(number, host.posix.stat(path).st_ctime_ns)
        return max(number, above(path.rpartition('/')[0], folders))
    except host.faults(OSError, ValueError) as error:
        return MISSING if getattr(error, 'errno', 2) in (2, 20) else UNKNOWN


def above(folder, folders):
    """The number of a folder on the way."""
    if folder not in folders:
        number = 1
        if folder:
            found = host.posix.lstat(folder)
            kind = found.st_mode & 0o170000
            if kind == LINK or kind == FOLDER and found.st_ctime_ns != found.st_mtime_ns:
                number = found.st_ctime_ns
            number = max(number, above(folder.rpartition('/')[0], folders))
        folders[folder] = number
    return folders[folder]

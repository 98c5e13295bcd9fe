# SPDX-License-Identifier: MIT
"""Sources inside of zip files: read through Python's own zipimport, which is loaded where a module came from one.

It remembers the table of contents of each archive, and would read a replaced archive at the places of the old one: the
table is forgotten when the file is another one.  Importers that hold the old table themselves go on with it, as ever.
"""
from . import host, sources

SEEN = {}                                    # {archive: identity of the file whose table zipimport has}


def find(path):
    """The archive that PATH leads into, or None."""
    while '/' in path.strip('/'):
        path = path.rpartition('/')[0]
        try:
            kind = host.posix.stat(path).st_mode & sources.KIND
        except host.faults(OSError, ValueError):
            continue
        return path if kind == sources.REGULAR else None
    return None


def slurp(path):
    """The content of the file at PATH."""
    archive, zipimport = find(path), host.sys.modules.get('zipimport')
    if archive is None or type(zipimport) is not host.ModuleType:
        raise sources.Problem('missing-source', '%s: no such file' % path, file=path)
    identity = sources.identity(host.posix.stat(archive))
    if SEEN.get(archive) != identity:
        getattr(zipimport, '_zip_directory_cache', {}).pop(archive, None)
    try:
        data = zipimport.zipimporter(archive).get_data(path)
    except host.faults(Exception) as error:  # of zipimport, zlib, or the file
        gone = path == '%s/%s' % (archive, getattr(error, 'filename', None))  # its errno means nothing
        raise sources.Problem('missing-source' if gone else 'unreadable-source', '%s: %s' % (
            path, 'it is not in the archive' if gone else error), file=path)
    SEEN[archive] = identity
    return data

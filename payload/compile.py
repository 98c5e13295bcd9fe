# SPDX-License-Identifier: MIT
"""Compiles the payload, at build time, by the Python that runs this: its code goes along beside the source.

In a process of that Python (the magic number of .pyc files tells) nothing needs to be compiled then, which would hold the
GIL for most of the time that a small command takes.  Standard input: boot.py and the parts, packed as they are sent: "name
size\n" and the bytes.  Standard output: one line "MAJOR.MINOR MAGIC BOOT BASE ENGINE", the sizes of what follows: the code
of boot.py, and the parts of base.bin and of engine.bin, packed, each as "name.code".
"""
import importlib.util
import marshal
import sys

BASE = ('trouble', 'escapes', 'execute', 'handlers')


def unpacked(data):
    start = 0
    while start < len(data):
        end = data.index(b'\n', start)
        name, size = data[start:end].decode('ascii').split(' ')
        start = end + 1 + int(size)
        yield name, data[end + 1:start]


def packed(name, source):
    code = marshal.dumps(compile(source, '<mr-attach>/%s.py' % name, 'exec', 0, True, 0))
    return b'%s.code %d\n' % (name.encode('ascii'), len(code)) + code


def main():
    sources = dict(unpacked(sys.stdin.buffer.read()))
    boot = marshal.dumps(compile(sources.pop('boot'), '<mr-attach>', 'exec', 0, True, 0))
    base = b''.join(packed(name, sources.pop(name)) for name in BASE)
    engine = b''.join(packed(name, source) for name, source in sources.items())
    head = '%d.%d %s %d %d %d\n' % (*sys.version_info[:2], importlib.util.MAGIC_NUMBER.hex(), len(boot), len(base), len(engine))
    sys.stdout.buffer.write(head.encode('ascii') + boot + base + engine)


if __name__ == '__main__':
    main()

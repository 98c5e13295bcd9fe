# SPDX-License-Identifier: MIT
"""A file system that can stop answering, as a network does: FUSE, spoken by hand (linux/fuse.h). Needs root and /dev/fuse.

Its server is a process of its own, so that stopping it is all that is needed: the kernel then waits for it, and with it
whoever looks at a file there. Run as `hanging.py FD FOLDER` it serves the files of FOLDER.
"""
import ctypes
import errno
import os
import signal
import struct
import subprocess
import sys

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 18, 25, 26, 36, 42
HEADER, ROOT = 40, 1
NOSUID_NODEV, DETACH = 6, 2


class Server:
    def __init__(self, device, folder):
        self.device, self.folder = device, folder
        self.paths = [None, folder]          # by number of the node

    def attributes(self, node):
        st = os.stat(self.paths[node])
        times = [t // 10 ** 9 for t in (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns)]
        parts = [t % 10 ** 9 for t in (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns)]
        return struct.pack('<6Q10I', node, st.st_size, st.st_blocks, *times + parts, st.st_mode, 1, 0, 0, 0, 4096, 0)

    def lookup(self, node, data):
        path = os.path.join(self.paths[node], data.rstrip(b'\0').decode())
        os.stat(path)
        if path not in self.paths:
            self.paths.append(path)
        number = self.paths.index(path)
        return struct.pack('<4Q2I', number, 0, 0, 0, 0, 0) + self.attributes(number)

    def read(self, node, data):
        _, offset, size = struct.unpack_from('<QQI', data)
        with open(self.paths[node], 'rb') as file:
            file.seek(offset)
            return file.read(size)

    def answer(self, what, node, data):
        if what == INIT:
            return struct.pack('<4I2HI8I', 7, 31, 1 << 16, 0, 16, 8, 1 << 16, 1, *[0] * 7)[:64]
        if what == LOOKUP:
            return self.lookup(node, data)
        if what == GETATTR:
            return struct.pack('<Q2I', 0, 0, 0) + self.attributes(node)
        if what == OPEN:
            return struct.pack('<Q2I', 0, 0, 0)
        if what == READ:
            return self.read(node, data)
        if what in (RELEASE, FLUSH):
            return b''
        raise OSError(errno.ENOSYS, 'unknown')

    def serve(self):
        while True:
            asked = os.read(self.device, 1 << 18)
            _, what, number, node = struct.unpack_from('<2I2Q', asked)
            if what in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            error, data = 0, b''
            try:
                data = self.answer(what, node, asked[HEADER:])
            except OSError as failed:
                error = -failed.errno
            os.write(self.device, struct.pack('<IiQ', 16 + len(data), error, number) + data)


class FileSystem:
    """The files of FOLDER, mounted at PLACE."""

    def __init__(self, folder, place):
        self.folder, self.place, self.libc = folder, place, ctypes.CDLL(None, use_errno=True)

    def __enter__(self):
        device = os.open('/dev/fuse', os.O_RDWR | os.O_CLOEXEC)
        try:
            options = 'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other' % device
            if self.libc.mount(b'hanging', self.place.encode(), b'fuse', NOSUID_NODEV, options.encode()):
                raise OSError(ctypes.get_errno(), 'mount')
            self.server = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(device), self.folder],
                                           pass_fds=[device])
        finally:
            os.close(device)
        return self

    def hang(self):
        self.server.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.server.send_signal(signal.SIGCONT)

    def __exit__(self, *exception):
        self.server.kill()                   # whoever waits gets an error
        self.server.wait()
        self.libc.umount2(self.place.encode(), DETACH)


if __name__ == '__main__':
    Server(int(sys.argv[1]), sys.argv[2]).serve()

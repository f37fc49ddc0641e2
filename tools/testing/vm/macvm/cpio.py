# SPDX-License-Identifier: GPL-2.0
"""Writes cpio archives in the "newc" format that the kernel unpacks.

Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's
source describes it. Archives may follow each other in one initramfs: a later
one adds to, and replaces, what earlier ones brought.
"""

import os
import shutil
import stat


class Archive:
    """An initramfs archive; parent directories appear by themselves."""

    def __init__(self, out):
        self._out = out
        self._names = set()
        self._inode = 0

    def directory(self, name, mode=0o755):
        name = name.strip("/")
        if name and name not in self._names:
            self._parents(name)
            self._header(name, stat.S_IFDIR | mode, 0)

    def symlink(self, name, target):
        name = name.strip("/")
        self._parents(name)
        self._header(name, stat.S_IFLNK | 0o777, len(target.encode()))
        self._data(target.encode())

    def data(self, name, content, mode=0o644):
        name = name.strip("/")
        self._parents(name)
        self._header(name, stat.S_IFREG | mode, len(content))
        self._data(content)

    def file(self, name, path):
        """Stores the file that PATH leads to, with its permissions."""
        name = name.strip("/")
        with open(path, "rb") as source:
            info = os.fstat(source.fileno())
            self._parents(name)
            self._header(name, stat.S_IFREG | stat.S_IMODE(info.st_mode), info.st_size)
            start = self._out.tell()
            shutil.copyfileobj(source, self._out, 1 << 20)
            if self._out.tell() - start != info.st_size:
                raise OSError(f"{path} changed while it was read")
            self._pad()

    def close(self):
        self._header("TRAILER!!!", 0, 0)

    def _parents(self, name):
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)

    def _header(self, name, mode, size):
        self._names.add(name)
        self._inode += 1
        raw = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device (4), name size, check
        fields = (self._inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(raw), 0)
        self._out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + raw)
        self._pad()

    def _data(self, content):
        self._out.write(content)
        self._pad()

    def _pad(self):
        self._out.write(b"\0" * (-self._out.tell() % 4))

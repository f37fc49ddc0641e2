# SPDX-License-Identifier: GPL-2.0
"""What a program needs beside itself to run."""

import os
import re
import struct
import subprocess

from .errors import VmError

PT_INTERP = 3


def _is_dynamic(path):
    """True for a 64-bit ELF file that names a dynamic loader."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return False
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        table = file.read(size * count)
    return any(struct.unpack_from("<I", table, size * i)[0] == PT_INTERP for i in range(count))


def libraries(path):
    """The shared libraries, and the loader, of the program at PATH.

    The loader lists them, so that the program itself (which may be anything)
    does not run. It crashes on static programs, hence the look at the header.
    """
    if not _is_dynamic(path):
        return []
    listing = subprocess.run(
        ["ld.so", "--list", path], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    missing = re.findall(r"^\s*(\S+) => not found", listing.stdout, re.M)
    if missing or listing.returncode:
        wanted = ", ".join(missing) or listing.stderr.strip()
        raise VmError(
            f"{path} needs libraries that the build root lacks ({wanted}): "
            "build it in the build root (scripts/buildroot run ...) or link it statically"
        )
    # "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)", and for the
    # loader, which is given by its path, "/lib64/ld-linux-x86-64.so.2 => ...".
    found = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", listing.stdout, re.M)
    loader = re.findall(r"^\s*(/\S+) => ", listing.stdout, re.M)
    return sorted(set(found + loader))


def interpreter(path):
    """The interpreter that a script's first line names, or None."""
    with open(path, "rb") as file:
        line = file.readline(256)
    if not line.startswith(b"#!"):
        return None
    words = line[2:].decode(errors="replace").split()
    if words and os.path.basename(words[0]) == "env" and len(words) > 1:
        return words[1]
    return words[0] if words else None

# SPDX-License-Identifier: GPL-2.0
"""Execution counters: from the recorder's lines on a console to LLVM's raw profile."""

import re
import struct
import subprocess

# As recorder/profile_recorder.c prints them: the module, the number of the
# first counter on this line and of all, and the counters.
_LINE = re.compile(r"profile: (\w+) (\d+)/(\d+)((?: \d+)+)")

# Of LLVM's InstrProfData.inc. llvm-profdata refuses another version than its own.
MAGIC = int.from_bytes(b"\xfflprofr\x81", "big")
VERSION = 10
LAST_VALUE_KIND = 2
# struct __llvm_profile_data, whose third field is how far its counters are.
RECORD = 64
COUNTER_POINTER = 16
# Where the counters are said to lie, the records being at 0.
COUNTERS = 1 << 32

R_X86_64_PC64 = 24


class CountersError(Exception):
    """Counters that are incomplete, or of another module."""


def parse(console):
    """The counters in the text CONSOLE, by module."""
    counters, counts = {}, {}
    for module, at, count, values in _LINE.findall(console):
        known = counters.setdefault(module, [])
        if int(at) != len(known):
            raise CountersError(f"{module}: counter {len(known)} is missing")
        known += map(int, values.split())
        counts[module] = int(count)
    for module, count in counts.items():
        if len(counters[module]) != count:
            raise CountersError(f"{module}: {len(counters[module])} counters of {count}")
    return counters


def add(total, counters):
    """Adds COUNTERS to those in TOTAL, both by module."""
    for module, values in counters.items():
        known = total.get(module, [0] * len(values))
        if len(known) != len(values):
            raise CountersError(f"{module}: counters of two builds")
        total[module] = [left + right for left, right in zip(known, values)]


def _section(path, name):
    dumped = subprocess.run(
        ["llvm-objcopy", f"--dump-section={name}=/dev/stdout", path, "/dev/null"],
        check=True, stdout=subprocess.PIPE,
    )
    return dumped.stdout


def relocated(records, relocations):
    """RECORDS with the pointers that the kernel would have filled in."""
    records = bytearray(records)
    for offset, info, addend in struct.iter_unpack("<QQq", relocations):
        if info & 0xFFFFFFFF != R_X86_64_PC64 or offset % RECORD != COUNTER_POINTER:
            raise CountersError(f"not the pointer of a record at {offset}")
        struct.pack_into("<q", records, offset, COUNTERS + addend - offset)
    return bytes(records)


def raw(path, counters):
    """The raw profile of the module at PATH: what LLVM's runtime would write."""
    records = relocated(
        _section(path, "__llvm_prf_data"), _section(path, ".rela__llvm_prf_data")
    )
    names = _section(path, "__llvm_prf_names")
    if len(_section(path, "__llvm_prf_cnts")) != 8 * len(counters):
        raise CountersError(f"{path} is not the module that was run")
    header = struct.pack(
        "<16Q", MAGIC, VERSION, 0, len(records) // RECORD, 0, len(counters), 0, 0, 0,
        len(names), COUNTERS, 0, 0, 0, 0, LAST_VALUE_KIND,
    )
    padding = bytes(-len(names) % 8)
    return header + records + struct.pack(f"<{len(counters)}Q", *counters) + names + padding

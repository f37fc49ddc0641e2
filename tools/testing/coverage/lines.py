# SPDX-License-Identifier: GPL-2.0
"""Which lines ran, in lcov's format and for people."""

import os

# What is ours, and neither generated nor inlined from the kernel's crates.
SOURCES = ("drivers/", "rust/")


def select(info, top):
    """What the lcov text INFO says of files below the directory TOP, by path from there."""
    chosen = []
    *records, _ = info.split("end_of_record\n")
    for record in records:
        head, _, rest = record.partition("\n")
        path = os.path.relpath(head.removeprefix("SF:"), top)
        if path.startswith(SOURCES):
            chosen.append(f"SF:{path}\n{rest}end_of_record\n")
    return "".join(chosen)


def parse(info):
    """How often each line with code ran: a dictionary by number, by file."""
    files = {}
    for line in info.splitlines():
        kind, _, value = line.partition(":")
        if kind == "SF":
            lines = files.setdefault(value, {})
        elif kind == "DA":
            number, count = value.split(",")[:2]
            lines[int(number)] = lines.get(int(number), 0) + int(count)
    return files


def missed(files, read):
    """Says which lines did not run; READ gives the text of a file."""
    for path, lines in sorted(files.items()):
        source = read(path).splitlines()
        for number, count in sorted(lines.items()):
            if count == 0:
                yield f"{path}:{number}: {source[number - 1].strip()}"


def table(files):
    """Says how many lines with code ran of each file, and of all."""
    yield f"{'lines':>6} {'run':>6} {'%':>6}  file"
    total = [0, 0]
    for path, lines in sorted(files.items()):
        counts = [len(lines), sum(count > 0 for count in lines.values())]
        total = [left + right for left, right in zip(total, counts)]
        yield _row(*counts, path)
    yield _row(*total, "all")


def _row(lines, run, name):
    return f"{lines:6} {run:6} {100 * run / lines if lines else 100:6.1f}  {name}"

# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites in our modules: they run when those are loaded, if the kernel is told to."""

import pathlib
import re
import subprocess
import tempfile

import ktap

# What the console has before a message, and after it.
_STAMP = re.compile(r"^\[ *\d+\.\d+\] |\r$")
_HEADER = "KTAP version 1"

# Of the machine; the suites take one of them.
SECONDS = 600


def report(console):
    """The last report on the CONSOLE, with what was said meanwhile."""
    lines = [_STAMP.sub("", line) for line in console.split("\n")]
    if _HEADER not in lines:
        return ""
    return "\n".join(lines[len(lines) - 1 - lines[::-1].index(_HEADER):])


def run(machine):
    """The results of all suites in the machine that the command line MACHINE begins."""
    with tempfile.TemporaryDirectory() as directory:
        ended = subprocess.run(
            [*machine, "--kernel", "debug", "--append", "kunit.autorun=1",
             "--timeout", str(SECONDS), "--log", directory, "--", "modprobe", "macvtap"],
            stdin=subprocess.DEVNULL,
        )
        console = pathlib.Path(directory, "console.log")
        text = report(console.read_text(errors="replace")) if console.exists() else ""
    print(text, flush=True)
    results = ktap.parse(text)
    if not results:
        results["kunit: no suite"] = ktap.FAILED
    if ended.returncode:
        results[f"kunit: the machine (status {ended.returncode})"] = ktap.FAILED
    return results

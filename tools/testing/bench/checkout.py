# SPDX-License-Identifier: GPL-2.0
"""Where all is, which commit it is, and what is said meanwhile."""

import argparse
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
SELFTESTS = TOP / "tools/testing/selftests"
VM = TOP / "tools/testing/vm/vm"


class Failed(Exception):
    """What was to be measured was not."""


def note(what, text):
    print(f"  {what:<8}{text}", file=sys.stderr, flush=True)


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit():
    """Of this checkout, with a mark if there is more in it."""
    told = subprocess.run(
        ["git", "-C", TOP, "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    return told.stdout.strip() or "unknown"


def enter_buildroot(program):
    """Goes on with this PROGRAM in the build root, unless it is there; it is told the commit
    where there is git."""
    if "MACVTAP_BUILDROOT" not in os.environ:
        buildroot = TOP / "scripts/buildroot"
        os.chdir(TOP)
        os.execv(buildroot, [buildroot, "run", program, "--commit", commit(), *sys.argv[1:]])


def add_arguments(parser):
    """The options that all programs here have."""
    parser.add_argument("--module-dir", metavar="DIR",
                        help="where our modules are (default: they are built)")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", default=TOP / "build/bench",
                        help="default: build/bench")
    # Told by the part that runs where there is git.
    parser.add_argument("--commit", help=argparse.SUPPRESS)

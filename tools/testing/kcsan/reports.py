# SPDX-License-Identifier: GPL-2.0
"""Reads what KCSAN reports on a kernel's console."""

import re

# From where a race is ours: the modules' names.
OURS = re.compile(r"\[(tap|macvtap)( |\])")
# As deep in the stack as something that a module calls may be.
DEPTH = 3

_TIME = re.compile(r"^(\[ *\d+\.\d+\])?(\[ *[TC]\d+\])? ?")
_ACCESS = re.compile(r"^(race at unknown origin, with )?(?P<what>[a-z-]+( \([a-z, ]+\))?) to "
                     r"0x[0-9a-f]+ of (?P<size>\d+) bytes by ")
_FRAME = re.compile(r"^ *(?P<function>[\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+")


def _reports(text):
    """The lines of each report in TEXT."""
    lines = None
    for line in text.split("\n"):
        line = _TIME.sub("", line.rstrip("\r"), count=1)
        if line.startswith("BUG: KCSAN: "):
            lines = []
        elif line.startswith("=====") and lines is not None:
            yield lines
            lines = None
        elif lines is not None:
            lines.append(line)


def _accesses(lines):
    """What is accessed, and the stack, of each side of a report."""
    stack = None
    for line in lines:
        access = _ACCESS.match(line)
        if access:
            stack = []
            yield f"{access['what']} of {access['size']} bytes", stack
        elif stack is not None and _FRAME.match(line):
            stack.append(line.strip())
        else:
            stack = None


def _where(stack):
    """The functions of a stack up to the first in our modules."""
    names = []
    for frame in stack[:DEPTH]:
        names.append(_FRAME.match(frame)["function"])
        if OURS.search(frame):
            return " < ".join(names), True
    return names[0] if names else "unknown", False


def races(text):
    """The races of our modules that the console's TEXT tells, a line each."""
    for lines in _reports(text):
        # The stacks are filled as the lines are read.
        sides = [(what, *_where(stack)) for what, stack in list(_accesses(lines))]
        if any(ours for _, _, ours in sides):
            yield " / ".join(sorted(f"{what} in {where}" for what, where, _ in sides))

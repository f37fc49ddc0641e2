# SPDX-License-Identifier: GPL-2.0
"""Finds what must not be on a kernel's console."""

import re

# Reports begin a message, so that one that merely mentions a word is none. In
# front of it: the time stamp and, with CONFIG_PRINTK_CALLER, who printed it.
_START = r"(\[\ *\d+\.\d+\](\[\ *[TC]\d+\])?\ )?"

_REPORTS = r"""
    WARNING:\ |                     # WARN_ON(), lockdep, RCU usage
    (watchdog:\ )?BUG:\ |           # faults, KASAN, lockups, atomic sleep
    kernel\ BUG\ at\ |
    BUG\ \S+\ \(|                  # slab corruption
    .*\bOops:\ |
    Kernel\ panic\ -\ not\ syncing |
    Call\ Trace: |
    .*\bpanicked\ at\ |             # Rust
    UBSAN:\ | KCSAN:\ | KMSAN:\ |
    (rcu:\ )?INFO:\ .*\bstall |
    INFO:\ task\ .*\ blocked\ |
    \[\ BUG:\ |                    # lockdep's wait contexts
    INFO:\ (trying\ to\ register\ non-static\ key | lockdep\ ) |
    .*\b(soft\ lockup | hard\ LOCKUP | workqueue\ lockup) |
    .*\bDEBUG_LOCKS_WARN_ON |
    turning\ off\ the\ locking\ correctness\ validator |
    ODEBUG:\ |
    .*\bnew\ suspected\ memory\ leaks |
    (kmemleak:\ )?unreferenced\ object |
    # That it had no memory is what fault injection wants.
    ref_tracker:\ (?!memory\ allocation\ failure) |
    unregister_netdevice:\ waiting\ for\ |
    .*\brefcount_t:\ |
    .*\blist_(add|del)\ corruption |
    .*\bscheduling\ while\ atomic
"""

_ANY = re.compile(f"{_START}({_REPORTS})", re.VERBOSE)

# Lines of context that help to understand a report: little in front of it, and
# a call trace's worth after it.
BEFORE = 3
AFTER = 25
# A broken kernel can fill the console; the log has the rest.
MOST_LINES = 200

# Bits of /proc/sys/kernel/tainted that a good run does not set: they show even
# what never reached the console.
_TAINTS = {
    4: "machine check",
    5: "bad page",
    7: "oops or BUG",
    9: "warning",
    14: "lockup",
}


def offending(lines, wanted=""):
    """The indices of those LINES with which a report begins or goes on, but for those that say
    what is WANTED."""
    return [
        index for index, line in enumerate(lines)
        if _ANY.match(line) and not (wanted and wanted in line)
    ]


def excerpt(text, wanted=""):
    """What is wrong in the console's TEXT, with context; "" if nothing is, or what is WANTED.

    Offending lines are marked with ">", a gap is shown by "...".
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    marked = set(offending(lines, wanted))
    shown = sorted(
        {
            near
            for index in marked
            for near in range(max(0, index - BEFORE), min(len(lines), index + AFTER + 1))
        }
    )
    out = []
    last = None
    for index in shown:
        if last is not None and index != last + 1:
            out.append("...")
        out.append(("> " if index in marked else "  ") + lines[index])
        last = index
    if len(out) > MOST_LINES:
        out[MOST_LINES:] = [f"... ({len(out) - MOST_LINES} more lines in the log)"]
    return "\n".join(out)


def taints(mask):
    """What the taint MASK says of a kernel that did not do well."""
    return [text for bit, text in _TAINTS.items() if mask & 1 << bit]

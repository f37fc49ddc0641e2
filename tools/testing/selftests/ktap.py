# SPDX-License-Identifier: GPL-2.0
"""Reads reports in the kernel's test format, KTAP, with one level of subtests.

A diagnostic line "# data: ..." before a result tells what the case has seen,
to be compared with what it sees on other modules.
"""

import difflib
import re

_PLAN = re.compile(r"1\.\.(\d+)")
_RESULT = re.compile(r"(not )?ok (\d+)(?: -)?(?: ([^#]*))?(?:# *(.*))?")
_SUBTEST = re.compile(r"# Subtest: (.*)")
_DATA = re.compile(r"# data: (.*)")
_INDENT = "    "

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class _Document:
    """A plan and the results that came so far."""

    def __init__(self, name):
        self.name = name
        self.plan = None
        self.results = []  # of (name, outcome)
        self.data = {}  # lines by name
        self._lines = []  # of the next result

    def read(self, line):
        """Takes LINE; returns whether it is a result."""
        if match := _PLAN.fullmatch(line):
            self.plan = int(match[1])
        elif match := _DATA.fullmatch(line):
            self._lines.append(match[1])
        elif match := _RESULT.fullmatch(line):
            name = (match[3] or f"case {match[2]}").strip()
            self.results.append((name, _outcome(match)))
            if self._lines:
                self.data[name] = self._lines
                self._lines = []
            return True
        return False

    @property
    def failed(self):
        return any(outcome == FAILED for _, outcome in self.results)

    def complaints(self):
        """What is wrong but said in no result."""
        if self.plan is None:
            yield "no plan"
        elif self.plan != len(self.results):
            yield f"{len(self.results)} results of {self.plan} planned"


def _outcome(match):
    if match[1]:
        return FAILED
    return SKIPPED if (match[4] or "").lower().startswith("skip") else PASSED


def is_data(line):
    return _DATA.fullmatch(line.strip()) is not None


class Results(dict):
    """Outcomes by "group: case", and in the same way the lines of data."""

    def __init__(self):
        super().__init__()
        self.data = {}


def parse(text):
    """The results in TEXT.

    What was planned and has no result is in it as a failure, and so is a
    group that failed although its cases passed.
    """
    outer, inner = _Document("groups"), None
    results = Results()

    def add(name, outcome):
        if name in results:
            name, outcome = f"{name}: reported twice", FAILED
        results[name] = outcome

    def close(group, complaints):
        for name, outcome in group.results:
            add(f"{group.name}: {name}", outcome)
            if name in group.data:
                results.data[f"{group.name}: {name}"] = group.data[name]
        for complaint in complaints:
            add(f"{group.name}: {complaint}", FAILED)

    for line in text.splitlines():
        nested = line.startswith(_INDENT)
        # KUnit names a group in its report, our suite before it.
        if match := _SUBTEST.fullmatch(line.removeprefix(_INDENT)):
            if inner:
                close(inner, ["no end"])
            inner = _Document(match[1])
        elif nested:
            if inner:
                inner.read(line.removeprefix(_INDENT))
        elif outer.read(line):
            name, outcome = outer.results[-1]
            if not inner or inner.name != name:
                add(f"{name}: no subtest", FAILED)
                continue
            complaints = list(inner.complaints())
            if inner.failed != (outcome == FAILED) and not complaints:
                complaints.append("its exit status")
            close(inner, complaints)
            inner = None
    if inner:
        close(inner, ["no end"])
    for complaint in outer.complaints():
        add(f"groups: {complaint}", FAILED)
    return results


def compare_data(c, rust):
    """Prints a KTAP line for each case that has data on either side; the results."""
    names = [*c.data, *(name for name in rust.data if name not in c.data)]
    results = {}
    if names:
        print(f"# What the cases have seen on both\nKTAP version 1\n1..{len(names)}")
    for number, name in enumerate(names, 1):
        lines = list(difflib.unified_diff(
            c.data.get(name, []), rust.data.get(name, []), "C", "Rust", lineterm="", n=0))
        for line in lines:
            print(f"# {line}")
        title = f"{name}: same data"
        results[title] = FAILED if lines else PASSED
        print(f"{'not ok' if lines else 'ok'} {number} {title}", flush=True)
    return results

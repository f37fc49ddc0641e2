# SPDX-License-Identifier: GPL-2.0
"""Compares the logs of the random walks on C and on Rust."""

import re

import ktap

# In make test: some 20,000 steps, which take a minute or two.
SEEDS = "1-16"
STEPS = 1280

CONTEXT = 10
# Of the differing steps; after a real difference all may differ.
SHOWN = 5

SIDES = {"c": "C", "rust": "Rust"}

_SEED = re.compile(r"seed (\d+)")


class Logs(dict):
    """Lines by seed, and how the machine ended."""

    status = 0


def seeds(text):
    """The numbers that "7" or "1-20" stands for."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def parse(text, status):
    logs = Logs()
    logs.status = status
    lines = None
    for line in text.splitlines():
        if match := _SEED.fullmatch(line):
            lines = logs.setdefault(int(match[1]), [])
        elif lines is not None:
            lines.append(line)
    return logs


def _complete(lines, steps):
    """Whether a walk has a line for each step, one before and one after."""
    return len(lines) == steps + 2 and lines[-1].startswith("end ")


def _compare(walks, steps):
    """What there is to say of two walks, as pairs of a name and its lines, with
    one seed; nothing if they are fine."""
    (left, one), (right, other) = walks
    differing = [at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1]]
    if differing:
        first = differing[0]
        yield from (f"     {line}" for line in one[max(0, first - CONTEXT):first])
        for at in differing[:SHOWN]:
            yield f"{left:<5}{one[at]}"
            yield f"{right:<5}{other[at]}"
        yield f"{len(differing)} lines differ, the first of them is step {first}"
    for side, lines in walks:
        if not _complete(lines, steps):
            yield f"{side}: no end of {steps} steps, but {len(lines)} lines; the last is:"
            yield f"     {lines[-1] if lines else 'none'}"


def _pairs(logs, again, wanted):
    """What is compared: a name, the seed, and two walks with it."""
    for seed in wanted:
        yield f"seed {seed}", seed, [(SIDES[side], logs[side].get(seed, [])) for side in SIDES]
    for side, name in SIDES.items():
        for seed, lines in again[side].items():
            walks = [(name, logs[side].get(seed, [])), ("again", lines)]
            yield f"seed {seed} again on {name}", seed, walks


def report(logs, again, wanted, steps):
    """Prints a KTAP line for each seed and for each walk that was repeated; the
    results. LOGS and AGAIN are by side."""
    results = {}
    ended = [(side, walks.status) for runs in (logs, again) for side, walks in runs.items()]
    for side, status in ended:
        # Every walk is judged by its log; this is about the kernel.
        if status:
            print(f"# a machine with {side} modules ended with status {status}")
    pairs = list(_pairs(logs, again, wanted))
    print(f"KTAP version 1\n1..{len(pairs) + 1}")
    for number, (name, seed, walks) in enumerate(pairs, 1):
        name = f"{name}, {steps} steps"
        said = list(_compare(walks, steps))
        for line in said:
            print(f"# {line}")
        if said:
            print(f"# to see it: make walk SEEDS={seed} STEPS={steps}")
        results[name] = ktap.FAILED if said else ktap.PASSED
        print(f"{'not ok' if said else 'ok'} {number} {name}")
    # Without a log of the repeated walk there is no line for it.
    fine = all(again.values()) and not any(status for _, status in ended)
    results["the machines"] = ktap.PASSED if fine else ktap.FAILED
    print(f"{'ok' if fine else 'not ok'} {len(pairs) + 1} the machines", flush=True)
    return results

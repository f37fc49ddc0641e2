# SPDX-License-Identifier: GPL-2.0
"""Compares the logs of the random walks on C and on Rust."""

import re

import ktap

# What takes about two minutes on either side, emulated.
SEEDS = "1-8"
STEPS = 400

CONTEXT = 10
# Of the differing steps; after a real difference all may differ.
SHOWN = 5

_SEED = re.compile(r"seed (\d+)")


class Logs(dict):
    """Lines by seed, and how the machine ended."""

    status = 0


def seeds(text):
    """The numbers that "7" or "1-20" stands for."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def parse(text):
    logs = Logs()
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


def _compare(c, rust, steps):
    """What there is to say of two logs of one seed, nothing if they are fine."""
    differing = [at for at, pair in enumerate(zip(c, rust)) if pair[0] != pair[1]]
    if differing:
        first = differing[0]
        yield from (f"     {line}" for line in c[max(0, first - CONTEXT):first])
        for at in differing[:SHOWN]:
            yield f"C    {c[at]}"
            yield f"Rust {rust[at]}"
        yield f"{len(differing)} lines differ, the first of them is step {first}; to see it:"
    for side, lines in (("C", c), ("Rust", rust)):
        if not _complete(lines, steps):
            yield f"{side}: no end of {steps} steps, but {len(lines)} lines; the last is:"
            yield f"     {lines[-1] if lines else 'none'}"


def report(logs, wanted, steps):
    """Prints a KTAP line for each seed; the results."""
    results = {}
    for side, walks in logs.items():
        # Every seed's walk is judged by its log; this is about the kernel.
        if walks.status:
            print(f"# the machine with {side} modules ended with status {walks.status}")
    print(f"KTAP version 1\n1..{len(wanted) + 1}")
    for number, seed in enumerate(wanted, 1):
        name = f"seed {seed}, {steps} steps"
        said = list(_compare(logs["c"].get(seed, []), logs["rust"].get(seed, []), steps))
        for line in said:
            print(f"# {line}")
        if said:
            print(f"# tools/testing/selftests/run --walk --seeds {seed} --steps {steps}")
        results[name] = ktap.FAILED if said else ktap.PASSED
        print(f"{'not ok' if said else 'ok'} {number} {name}")
    fine = not any(walks.status for walks in logs.values())
    results["the machines"] = ktap.PASSED if fine else ktap.FAILED
    print(f"{'ok' if fine else 'not ok'} {len(wanted) + 1} the machines", flush=True)
    return results

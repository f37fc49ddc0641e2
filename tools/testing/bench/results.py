# SPDX-License-Identifier: GPL-2.0
"""What was measured: by whom, how it compares, and how well it repeats."""

import re
import statistics
import typing

# What paths of frames do not begin with: these are seldom taken, or nobody's.
CONTROL = ("floor", "open", "close", "attach", "detach", "ioctl", "create", "delete")

# A path may cost so much more than before, in relation to C.
TOLERANCE = 0.01


class Path(typing.NamedTuple):
    """What a path of one of the two costs."""

    unit: str
    rounds: tuple  # the warm ones of all machines

    @property
    def value(self):
        """A timer or somebody else interrupts a round now and then, or takes memory for what has
        nothing to do with it, which the median hides."""
        return statistics.median(self.rounds)


def parse(text):
    """The paths in what the measuring program printed, by their names, and what it said of the
    kernel.

    The first round is left out: it is cold.
    """
    paths, kernel = {}, ""
    for line in text.splitlines():
        if line.startswith("# "):
            kernel = line[2:]
        name, *rest = line.split("\t")
        if len(rest) == 2:
            unit, rounds = rest
            _, *warm = (float(value) for value in rounds.split())
            paths[name] = Path(unit, tuple(warm))
    return paths, kernel


def compiler(kernel):
    """Which one built the kernel, by what /proc/version says."""
    names = re.search(r"[\w.-]*(?:gcc|clang)[\w.-]* [^,]*", kernel)
    return names[0].strip() if names else "unknown"


def spread(runs, name):
    """How far apart the medians of a path are in several machines with the same modules, in
    relation to the least; none of a single one."""
    values = [paths[name].value for paths in runs if name in paths]
    if len(values) < 2 or not min(values):
        return None
    return max(values) / min(values) - 1


def merge(runs):
    """The paths of several machines with the same modules as those of one."""
    merged = {}
    for paths in runs:
        for name, path in paths.items():
            before = merged[name].rounds if name in merged else ()
            merged[name] = Path(path.unit, before + path.rounds)
    return merged


def compare(c_runs, rust_runs):
    """A dictionary for each path: what it costs in C and here, and the ratio."""
    c, rust = merge(c_runs), merge(rust_runs)
    compared = []
    for name, path in rust.items():
        theirs = c[name].value if name in c else None
        compared.append({
            "name": name,
            "unit": path.unit,
            "c": theirs,
            "rust": path.value,
            "c_minimum": min(c[name].rounds) if name in c else None,
            "rust_minimum": min(path.rounds),
            "ratio": path.value / theirs if theirs else None,
            "c_spread": spread(c_runs, name),
            "rust_spread": spread(rust_runs, name),
        })
    return compared


def heading(results):
    """Of what was measured, for people."""
    return [
        f"kernel    {results['kernel']}",
        f"compilers {results['compiler']}, {results['rustc']}",
        f"commit    {results['commit']}",
    ]


def table(results):
    """The results for people."""
    lines = [
        *heading(results),
        "",
        f"{'path':<42} {'C':>10} {'ours':>10} {'ratio':>7} {'spread C':>9} {'ours':>7}",
    ]
    unit = None
    for path in results["paths"]:
        if path["unit"] != unit:
            unit = path["unit"]
            lines.append(f"-- {unit}")
        lines.append(
            f"{path['name']:<42} {number(path['c'])} {number(path['rust'])} "
            f"{ratio(path['ratio'])} {percent(path['c_spread'], 9)} {percent(path['rust_spread'], 7)}"
        )
    return "\n".join([*lines, *worst(results["paths"])]) + "\n"


def worst(paths):
    """The path of frames that is worst in relation to C, and how many there are."""
    frames = [
        path for path in paths
        if path["unit"] == "instructions" and path["ratio"] is not None
        and not path["name"].startswith(CONTROL)
    ]
    if frames:
        path = max(frames, key=lambda path: path["ratio"])
        yield f"\nworst of {len(frames)} paths of frames: {path['ratio']:.4f}, {path['name']}"


def number(value):
    return f"{'-' if value is None else format(value, ',.1f'):>10}"


def ratio(value):
    return f"{'-' if value is None else format(value, '.4f'):>7}"


def percent(value, width):
    return f"{'' if value is None else format(value, '.2%'):>{width}}"


def check(paths, baseline):
    """The name of each path that the BASELINE has, and what is wrong with it, if anything."""
    ratios = {path["name"]: path["ratio"] for path in paths}
    for name, before in baseline.items():
        now = ratios.get(name)
        if now is None:
            yield name, "was not measured"
        elif now > before * (1 + TOLERANCE):
            yield name, f"{now:.4f} times what C takes, {before:.4f} before"
        else:
            yield name, None

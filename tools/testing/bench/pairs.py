# SPDX-License-Identifier: GPL-2.0
"""What guests measured in turns: the ratios within pairs, their median and how far they are
apart."""

import json
import statistics
import typing

import results

SIDES = ("c", "rust", "passt")
WAYS = {"plain": "QEMU", "vhost": "vhost"}
# The packets of passt are moved by QEMU alone.
PASST = "passt"


class Meter(typing.NamedTuple):
    """What is read off what a program said."""

    name: str
    unit: str
    read: typing.Callable
    more_is_better: bool = False


def megabits(said):
    """Of what iperf3 said: what arrived, in 10^6 bits a second."""
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6


def field(number):
    """Of what netperf said, the fields that it was asked for."""
    return lambda said: float(said.split(",")[number])


# By what guest.sh calls them.
METERS = {
    "send": [Meter("to the peer", "Mbit/s", megabits, True)],
    "receive": [Meter("from the peer", "Mbit/s", megabits, True)],
    "request": [
        Meter("request and response, mean", "us", field(0)),
        Meter("request and response, 99 %", "us", field(1)),
    ],
}


def parse(text):
    """What guest.sh printed: by way, meter and side, a list of the values of each round; and
    what it said of the kernel."""
    values, kernel = {}, ""
    for line in text.splitlines():
        if line.startswith("# Linux "):
            kernel = line[2:]
        number, *rest = line.split("\t")
        if len(rest) != 4:
            continue
        side, way, what, said = rest
        for meter in METERS[what]:
            # A way without sides is one itself.
            one = values.setdefault((way, meter), {}).setdefault(way if side == "-" else side, [])
            if int(number) != len(one) + 1:
                raise ValueError(f"round {number} of {way}, {meter.name}, is not the next one")
            value = meter.read(said)
            if value <= 0:
                raise ValueError(f"round {number} of {way}, {meter.name}: {value} {meter.unit}")
            one.append(value)
    return values, kernel


def spread(ratios):
    """The median of some ratios, and between which the middle half and all of them are."""
    first, median, third = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else 3 * ratios
    )
    return {
        "median": median, "quartiles": [first, third], "extremes": [min(ratios), max(ratios)],
    }


def relate(values, others):
    """The spread of the ratios of VALUES to what the OTHERS were in the same pair."""
    return spread([value / other for value, other in zip(values, others, strict=True)])


def compare(values):
    """A dictionary for each way and meter: the medians of all sides, and the ratios to C."""
    compared = []
    for meter in (meter for meters in METERS.values() for meter in meters):
        for way, mover in WAYS.items():
            sides = values[way, meter] | values[PASST, meter]
            compared.append({
                "name": f"{mover}: {meter.name}",
                "unit": meter.unit,
                "more_is_better": meter.more_is_better,
                **{side: statistics.median(sides[side]) for side in SIDES},
                "ratio": relate(sides["rust"], sides["c"]),
                "passt_ratio": relate(sides[PASST], sides["c"]),
                "rounds": {side: sides[side] for side in SIDES},
            })
    return compared


def table(measured):
    """The results for people."""
    lines = [
        *results.heading(measured),
        f"rounds    {measured['pairs']} pairs, {measured['seconds']} s for each number",
        "",
        "Medians, and the ratios of ours and of passt to C within each pair: their median, and of",
        "ours the range of the middle half of them and of all.",
        "",
        f"{'':<34}{'C':>8} {'ours':>8} {'ratio':>6} {'half':>13} {'all':>13} {'passt':>9} {'ratio':>6}",
    ]
    unit = None
    for one in measured["measured"]:
        if one["unit"] != unit:
            unit = one["unit"]
            lines.append(f"-- {unit}, {'more' if one['more_is_better'] else 'less'} is better")
        ratio = one["ratio"]
        lines.append(
            f"{one['name']:<34}{one['c']:8,.0f} {one['rust']:8,.0f} {ratio['median']:6.3f} "
            f"{interval(ratio['quartiles'])} {interval(ratio['extremes'])} "
            f"{one['passt']:9,.0f} {one['passt_ratio']['median']:6.3f}"
        )
    return "\n".join(lines) + "\n"


def interval(ends):
    return f"{ends[0]:6.3f}-{ends[1]:6.3f}"

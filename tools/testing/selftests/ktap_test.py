#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests that no failure gets lost between the machine and the summary."""

import contextlib
import io
import sys
import unittest

sys.dont_write_bytecode = True

import fuzz  # noqa: E402
import ktap  # noqa: E402
import kunit  # noqa: E402
import walk  # noqa: E402
from ktap import FAILED, PASSED, SKIPPED  # noqa: E402

GOOD = """\
KTAP version 1
1..2
# Subtest: first
    KTAP version 1
    1..2
    # something that was said
    ok 1 one
    ok 2 two # SKIP no such thing here
ok 1 first
# Subtest: second
    TAP version 13
    1..1
    ok 1 - third
ok 2 second
"""


KUNIT = """\
KTAP version 1
1..2
    KTAP version 1
    # Subtest: first
    # module: tap
    1..1
    ok 1 one
ok 1 first
    KTAP version 1
    # Subtest: second
    # module: tap
    1..2
    # two: ASSERTION FAILED at drivers/net/tap/tests.rs:1
    Expected left == right to be true, but is false
    not ok 1 two
    ok 2 three
# second: pass:1 fail:1 skip:0 total:2
# Totals: pass:1 fail:1 skip:0 total:2
not ok 2 second
"""


# Of a kernel that has suites of its own, which ran when it started.
CONSOLE = (
    "[    0.1] Linux\r\n[    1.234567] KTAP version 1\r\n[    1.234568] 1..0\r\n"
    + "".join(f"[   12.000000] {line}\r\n" for line in KUNIT.splitlines())
    + "[   13.000000] reboot: Power down\r\n"
)


class Parse(unittest.TestCase):
    def failures(self, text):
        return [name for name, outcome in ktap.parse(text).items() if outcome == FAILED]

    def test_good(self):
        self.assertEqual(
            ktap.parse(GOOD),
            {"first: one": PASSED, "first: two": SKIPPED, "second: third": PASSED},
        )

    def test_data(self):
        seen = "    # data: a\n    # data: b\n    ok 2 two"
        good = ktap.parse(GOOD.replace("    ok 2 two", seen))
        self.assertEqual(good.data, {"first: two": ["a", "b"]})
        name = "first: two: same data"
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(ktap.compare_data(good, good), {name: PASSED})
            other = ktap.parse(GOOD.replace("    ok 2 two", seen.replace("b", "c")))
            self.assertEqual(ktap.compare_data(good, other), {name: FAILED})
            # Nothing seen is something else, too.
            self.assertEqual(ktap.compare_data(good, ktap.parse(GOOD)), {name: FAILED})
            self.assertEqual(ktap.compare_data(ktap.parse(GOOD), good), {name: FAILED})
        self.assertIn("# -b\n# +c\nnot ok 1 first: two: same data", output.getvalue())

    def test_kunit(self):
        self.assertEqual(
            ktap.parse(KUNIT),
            {"first: one": PASSED, "second: two": FAILED, "second: three": PASSED},
        )

    def test_kunit_on_the_console(self):
        self.assertEqual(ktap.parse(kunit.report(CONSOLE)), ktap.parse(KUNIT))

    def test_no_kunit_on_the_console(self):
        self.assertEqual(kunit.report("[    0.100000] Linux\r\n"), "")

    def test_failed_case(self):
        text = GOOD.replace("ok 1 one", "not ok 1 one").replace("ok 1 first", "not ok 1 first")
        self.assertEqual(self.failures(text), ["first: one"])

    def test_failed_case_is_not_skipped(self):
        text = GOOD.replace("ok 2 two", "not ok 2 two").replace("ok 1 first", "not ok 1 first")
        self.assertEqual(self.failures(text), ["first: two"])

    def test_missing_case(self):
        text = GOOD.replace("    ok 1 one\n", "")
        self.assertEqual(self.failures(text), ["first: 1 results of 2 planned"])

    def test_missing_plan(self):
        text = GOOD.replace("    1..1\n", "")
        self.assertEqual(self.failures(text), ["second: no plan"])

    def test_group_that_only_exited_wrong(self):
        text = GOOD.replace("ok 2 second", "not ok 2 second")
        self.assertEqual(self.failures(text), ["second: its exit status"])

    def test_group_that_hides_a_failure(self):
        text = GOOD.replace("ok 1 - third", "not ok 1 - third")
        self.assertEqual(self.failures(text), ["second: third", "second: its exit status"])

    def test_missing_group(self):
        text = GOOD[:GOOD.index("# Subtest: second")]
        self.assertEqual(self.failures(text), ["groups: 1 results of 2 planned"])

    def test_machine_that_died_in_a_group(self):
        text = GOOD[:GOOD.index("    ok 1 - third")]
        self.assertEqual(
            self.failures(text), ["second: no end", "groups: 1 results of 2 planned"]
        )

    def test_nothing(self):
        self.assertEqual(self.failures(""), ["groups: no plan"])

    def test_case_reported_twice(self):
        text = GOOD.replace("two # SKIP no such thing here", "one")
        self.assertEqual(self.failures(text), ["first: one: reported twice"])


class Walk(unittest.TestCase):
    GOOD = "seed 3\n0\n1 read\nend read 0\n"

    def failures(self, c=GOOD, rust=GOOD, again=GOOD, status=0):
        """Of a walk of one step, and what was printed."""
        logs = {"c": walk.parse(c, 0), "rust": walk.parse(rust, status)}
        repeated = {side: walk.parse(again, 0) for side in logs}
        with contextlib.redirect_stdout(io.StringIO()) as said:
            results = walk.report(logs, repeated, range(3, 4), 1)
        failures = [name for name, outcome in results.items() if outcome == FAILED]
        return failures, said.getvalue()

    def test_good(self):
        self.assertEqual(self.failures()[0], [])

    def test_difference(self):
        failures, said = self.failures(rust=self.GOOD.replace("1 read", "1 write"))
        self.assertIn("seed 3, 1 steps", failures)
        self.assertIn("make walk SEEDS=3 STEPS=1\n", said)

    def test_cut_off_on_both_sides(self):
        cut = self.GOOD.replace("end read 0\n", "")
        self.assertIn("seed 3, 1 steps", self.failures(cut, cut, cut)[0])

    def test_missing(self):
        self.assertIn("seed 3, 1 steps", self.failures("", "")[0])

    def test_another_walk_again(self):
        failures, _ = self.failures(again=self.GOOD.replace("1 read", "1 write"))
        names = [f"seed 3 again on {side}, 1 steps" for side in ("C", "Rust")]
        self.assertEqual(failures, names)

    def test_not_repeated(self):
        self.assertEqual(self.failures(again="")[0], ["the machines"])

    def test_machine(self):
        self.assertEqual(self.failures(status=1)[0], ["the machines"])


class Fuzz(unittest.TestCase):
    def test_last_input(self):
        log = "[ 9.1] fuzz: input 9 00ff\n[ 9.2] fuzz: input 10 ab\n"
        # The console has the log once more from its beginning, up to where the machine ended.
        replayed = "[ 9.1] fuzz: input 9 00ff\n"
        self.assertEqual(fuzz.last_input(log + replayed), ("10", "ab"))

    def test_no_input(self):
        self.assertIsNone(fuzz.last_input("[ 9.1] Kernel panic\n"))


unittest.main(argv=["ktap_test.py", *sys.argv[1:]])

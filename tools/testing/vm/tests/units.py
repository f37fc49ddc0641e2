# SPDX-License-Identifier: GPL-2.0
"""What can be tested without a machine."""

import io
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from macvm import cache, cli, console, cpio, elf, kernel, session
from macvm.errors import VmError

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"

# What the consoles in fixtures/ are complaining about: recorded on Debian's
# stock 7.3 with the modules in faults/.
RECORDED = {
    "atomic": "BUG: scheduling while atomic: ",
    "bug": "kernel BUG at ",
    "hung-task": "INFO: task insmod:118 blocked for more than ",
    "list": "list_del corruption. ",
    "oops": "BUG: kernel NULL pointer dereference",
    "panic": "Kernel panic - not syncing: ",
    "rcu-stall": "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "refcount": "refcount_t: addition on 0; use-after-free.",
    "rust-panic": "rust_kernel: panicked at ",
    "shift": "UBSAN: shift-out-of-bounds in ",
    "soft-lockup": "watchdog: BUG: soft lockup - CPU#0 stuck for ",
    "warning": "WARNING: ",
}

# What only a debug kernel says, in the formats of the kernel's source.
FORMATS = """
    BUG: KASAN: slab-use-after-free in tap_do_read+0x1c0/0x9d0 [tap]
    BUG: KFENCE: use-after-free read in tap_do_read+0x1c0/0x9d0 [tap]
    BUG kmalloc-64 (Tainted: G           O     ): Poison overwritten
    BUG: sleeping function called from invalid context at net/core/sock.c:3532
    BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!
    WARNING: possible circular locking dependency detected
    WARNING: possible recursive locking detected
    WARNING: inconsistent lock state
    WARNING: suspicious RCU usage
    WARNING: cat/118 still has locks held!
    [ BUG: Invalid wait context ]
    INFO: trying to register non-static key.
    INFO: rcu_sched self-detected stall on CPU
    rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
    turning off the locking correctness validator.
    ODEBUG: free active (active state 0) object: 00000000 object type: timer_list hint: 0x0
    kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
    unreferenced object 0xffff89862ca702e8 (size 32):
    ref_tracker: netdev@00000000aa8bd9a1 has 1/2 users at
    unregister_netdevice: waiting for macvtap0 to become free. Usage count = 2
    watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1
    general protection: Oops: general protection fault, kernel NULL pointer [#1] SMP
"""


def lines_of(name):
    return (FIXTURES / f"{name}.log").read_text().splitlines()


class Console(unittest.TestCase):
    def test_every_recorded_complaint_is_found(self):
        self.assertEqual({path.stem for path in FIXTURES.glob("*.log")}, {*RECORDED, "clean"})
        for name, report in RECORDED.items():
            with self.subTest(name):
                lines = lines_of(name)
                found = [lines[index] for index in console.offending(lines)]
                self.assertTrue(any(report in line for line in found), found)

    def test_every_format_is_found_with_any_stamp(self):
        for report in FORMATS.strip().splitlines():
            for stamp in ("", "[    3.448317] ", "[12345.000001][  T118] ", "[    0.1][    C0] "):
                with self.subTest(stamp + report.strip()):
                    self.assertEqual(console.offending([stamp + report.strip()]), [0])

    def test_a_good_console_is_silent(self):
        lines = lines_of("clean")
        self.assertEqual([lines[index] for index in console.offending(lines)], [])
        self.assertEqual(console.excerpt("\r\n".join(lines)), "")

    def test_faults_on_request_are_no_complaints(self):
        said = "ref_tracker: memory allocation failure, unreliable refcount tracker."
        self.assertEqual(console.offending([f"[    1.000000] {said}"]), [])

    def test_what_is_wanted_is_no_complaint(self):
        lines = ["[    1.000000] BUG: KCSAN: data-race in a / b", "[    2.000000] BUG: c"]
        self.assertEqual(console.offending(lines, "BUG: KCSAN: data-race "), [1])

    def test_the_excerpt_marks_and_shortens(self):
        quiet = [f"line {number}" for number in range(100)]
        text = "\r\n".join(quiet + ["[    1.000000] WARNING: a at b"] + quiet + ["BUG: c"])
        excerpt = console.excerpt(text).split("\n")
        self.assertIn("> [    1.000000] WARNING: a at b", excerpt)
        self.assertEqual(excerpt[-1], "> BUG: c")
        self.assertEqual(excerpt[0], f"  line {100 - console.BEFORE}")
        self.assertEqual(excerpt.count("..."), 1)

    def test_a_flood_is_cut(self):
        excerpt = console.excerpt("WARNING: x\n" * 10000).split("\n")
        self.assertEqual(len(excerpt), console.MOST_LINES + 1)
        self.assertIn("more lines", excerpt[-1])

    def test_taints(self):
        self.assertEqual(console.taints(1 << 12 | 1 << 13), [])  # out of tree, unsigned
        self.assertEqual(console.taints(1 << 9), ["warning"])


class Output(unittest.TestCase):
    STREAM = b"up\nfirst\0second\n\0nonce \0" + b"\0nonce 3 512\nrubbish"

    def feed(self, chunks):
        output = session.Output("nonce")
        return output, b"".join(output.feed(chunk) for chunk in chunks)

    def test_in_pieces_of_any_size(self):
        for size in range(1, len(self.STREAM) + 1):
            chunks = [self.STREAM[at:at + size] for at in range(0, len(self.STREAM), size)]
            output, shown = self.feed(chunks)
            self.assertEqual(shown, b"first\0second\n\0nonce \0", size)
            self.assertEqual((output.status, output.taint), (3, 512))

    def test_what_is_no_mark_is_not_held_back(self):
        output, shown = self.feed([b"up\n", b"a\0b"])
        self.assertEqual(shown, b"a\0b")
        self.assertFalse(output.complete)

    def test_no_end_without_the_mark(self):
        output, shown = self.feed([b"up\nnonce 0 0\n"])
        self.assertEqual(shown, b"nonce 0 0\n")
        self.assertFalse(output.complete)


class Cpio(unittest.TestCase):
    def test_cpio_reads_it(self):
        with tempfile.TemporaryDirectory() as scratch:
            program = pathlib.Path(scratch, "program")
            program.write_bytes(b"12345")
            program.chmod(0o751)
            raw = io.BytesIO()
            archive = cpio.Archive(raw)
            archive.data("/etc/deep/text", b"words\n")
            archive.file("bin/program", program)
            archive.symlink("lib", "usr/lib")
            archive.close()
            self.assertEqual(len(raw.getvalue()) % 4, 0)
            out = pathlib.Path(scratch, "out")
            out.mkdir()
            subprocess.run(["cpio", "-id", "--quiet"], input=raw.getvalue(), cwd=out, check=True)
            self.assertEqual((out / "etc/deep/text").read_bytes(), b"words\n")
            self.assertEqual((out / "bin/program").read_bytes(), b"12345")
            self.assertEqual((out / "bin/program").stat().st_mode & 0o777, 0o751)
            self.assertEqual(os.readlink(out / "lib"), "usr/lib")


class Elf(unittest.TestCase):
    def test_a_dynamic_program_brings_libc_and_the_loader(self):
        found = elf.libraries("/usr/bin/bash")
        self.assertTrue(any("/libc.so" in path for path in found), found)
        self.assertTrue(any("/ld-linux" in path for path in found), found)

    def test_static_programs_and_scripts_need_nothing(self):
        self.assertEqual(elf.libraries("/usr/bin/busybox"), [])
        self.assertEqual(elf.libraries(__file__), [])

    def test_interpreter(self):
        for line, expected in {
            "#!/bin/bash -e": "/bin/bash",
            "#!/usr/bin/env python3": "python3",
            "#! /bin/sh": "/bin/sh",
            "#!": None,
            "text": None,
        }.items():
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(line + "\n")
                file.flush()
                self.assertEqual(elf.interpreter(file.name), expected, line)


class Cache(unittest.TestCase):
    def test_an_entry_is_made_once_and_only_whole(self):
        name = cache.key("selftest", os.urandom(8))

        def fail(file):
            file.write(b"half")
            raise VmError("no")

        with self.assertRaises(VmError):
            cache.get("selftest", name, fail)
        entry = cache.get("selftest", name, lambda file: file.write(b"whole"))
        try:
            self.assertEqual(entry.read_bytes(), b"whole")
            self.assertEqual(cache.get("selftest", name, fail), entry)
        finally:
            entry.unlink()


class Modules(unittest.TestCase):
    def test_what_lies_beside_ours_comes_along(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in ("tap.ko", "macvtap.ko", "profile-recorder.ko", "Module.symvers"):
                pathlib.Path(directory, name).touch()
            found = kernel.companions(directory)
            self.assertEqual(found, {"profile_recorder": pathlib.Path(directory, "profile-recorder.ko")})


class CommandLine(unittest.TestCase):
    def test_what_follows_the_dashes_is_the_command(self):
        options = cli.parse(["--modules", "c", "--", "ls", "--", "--shell"])
        self.assertEqual(options.command, ["ls", "--", "--shell"])
        self.assertFalse(options.shell)

    def test_module_names(self):
        self.assertEqual(kernel.module_name("kernel/net/sched/cls-x.ko.xz"), "cls_x")


class Guest(unittest.TestCase):
    def test_the_guest_knows_the_words_of_the_host(self):
        init = (FIXTURES.parent / "guest/init").read_text()
        words = re.findall(r'_send\(b"(\w+)', pathlib.Path(session.__file__).read_text())
        self.assertEqual(sorted(words), ["done", "hung"])
        self.assertIn('"$word" = hung', init)

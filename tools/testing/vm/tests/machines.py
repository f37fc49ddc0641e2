# SPDX-License-Identifier: GPL-2.0
"""What takes a machine to test, a few seconds each."""

import lzma
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import unittest

TOP = pathlib.Path(__file__).resolve().parents[4]
VM = TOP / "tools/testing/vm/vm"
LOGS = TOP / "build/logs/selftest"
FAULTS = TOP / "build/faults"


def tree():
    made = subprocess.run([TOP / "scripts/kernel-prepare"], stdout=subprocess.PIPE, check=True)
    return pathlib.Path(os.fsdecode(made.stdout.strip()))


def machines_of(log):
    """The QEMU processes that write into LOG."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if line.startswith(b"/usr/bin/qemu") and os.fsencode(log) in line:
            found.append(process.name)
    return found


class Machine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        FAULTS.mkdir(parents=True, exist_ok=True)
        source = TOP / "tools/testing/vm/faults"
        subprocess.run(
            ["make", "-s", "-C", tree(), f"M={source}", f"MO={FAULTS}", "modules"],
            check=True, stdout=subprocess.DEVNULL,
        )

    def setUp(self):
        self.log = LOGS / self.id().rpartition(".")[2]
        shutil.rmtree(self.log, ignore_errors=True)

    def command(self, *args, modules="c"):
        return [VM, "--modules", modules, "--log", self.log, "--timeout", "90", *args]

    def vm(self, *args, **how):
        stdin = how.pop("input", b"")
        return subprocess.run(self.command(*args, **how), input=stdin, capture_output=True)

    def script(self, text, *args, **how):
        return self.vm(*args, "--", "sh", "-c", text, **how)

    def fault(self, kind, before=""):
        return self.script(
            f"{before} insmod fault.ko kind={kind}",
            "--program", f"{FAULTS}/fault.ko:/root/fault.ko",
        )

    def test_output_and_status_come_through(self):
        # The sleeper keeps the output open and must not keep the machine up.
        ran = self.script(r"printf 'a\0b\r\n'; echo c >/dev/stderr; sleep 1000 & exit 7")
        self.assertEqual((ran.returncode, ran.stdout), (7, b"a\0b\r\nc\n"), ran.stderr)
        self.assertEqual((self.log / "output.log").read_bytes(), ran.stdout)

    def test_much_output_comes_through_whole(self):
        ran = self.script("seq 1 300000")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(ran.stdout, b"".join(b"%d\n" % number for number in range(1, 300001)))

    def test_a_panic_fails_the_run(self):
        ran = self.script("echo c >/proc/sysrq-trigger")
        self.assertEqual(ran.returncode, 125)
        self.assertIn(b"died before the command ended", ran.stderr)
        self.assertRegex(ran.stderr, rb"> .*Kernel panic - not syncing: sysrq")

    def test_a_warning_fails_a_command_that_succeeded(self):
        ran = self.fault("warn", before="set -e;")
        self.assertEqual(ran.returncode, 125)
        self.assertRegex(ran.stderr, rb"> .*WARNING: .* fault_warn")
        self.assertIn(b"a warning, as ordered", ran.stderr)

    def test_a_warning_that_the_console_did_not_show_fails_too(self):
        ran = self.fault("warn", before="dmesg -n 1;")
        self.assertEqual(ran.returncode, 125)
        self.assertIn(b"FAIL    the kernel is tainted: warning", ran.stderr)

    def test_a_rust_panic_fails_the_run(self):
        ran = self.vm("--program", f"{FAULTS}/rust_fault.ko:/root/f.ko", "--", "insmod", "f.ko")
        self.assertEqual(ran.returncode, 125)
        self.assertRegex(ran.stderr, rb"> .*rust_kernel: panicked at ")

    def test_a_hang_times_out_and_shows_where(self):
        ran = self.vm(
            "--timeout", "15", "--program", f"{FAULTS}/fault.ko:/root/fault.ko",
            "--", "insmod", "fault.ko", "kind=hang",
        )
        self.assertEqual(ran.returncode, 124)
        self.assertIn(b"timed out after 15 s", ran.stderr)
        self.assertIn(b"fault_init", ran.stderr)
        self.assertEqual(machines_of(self.log), [])

    def test_an_interrupt_ends_the_machine(self):
        with subprocess.Popen(
            self.command("--", "sh", "-c", "echo here; sleep 1000"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as running:
            self.assertEqual(running.stdout.readline(), b"here\n")
            self.assertEqual(len(machines_of(self.log)), 1)
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate()
        self.assertEqual(running.returncode, 130)
        self.assertIn(b"vm: interrupted by SIGINT\n", errors)
        self.assertNotIn(b"Traceback", errors)
        self.assertEqual(machines_of(self.log), [])

    def test_the_shell_takes_commands_from_a_pipe(self):
        commands = b"read a\nfed\necho $a; ip -n peer -br link show peer0\nexit 4\n"
        ran = self.vm("--shell", input=commands)
        self.assertEqual(ran.returncode, 4, ran.stderr)
        self.assertRegex(ran.stdout, rb"^fed\npeer0@")

    def test_the_shell_ends_with_the_pipe(self):
        ran = self.vm("--shell", input=b"lsmod | grep -c ^macvtap")
        self.assertEqual((ran.returncode, ran.stdout), (0, b"1\n"), ran.stderr)

    def test_the_shell_is_a_terminal_on_a_terminal(self):
        if not os.path.exists("/dev/ptmx"):
            # The build root's /dev, which is this process's own, has none.
            subprocess.run(["busybox", "mount", "-t", "devpts", "devpts", "/dev/pts"], check=True)
            os.symlink("pts/ptmx", "/dev/ptmx")
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.command("--shell"), stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
            env={**os.environ, "TERM": "vt100"}, start_new_session=True,
        ) as running:
            os.close(theirs)
            seen = b""
            # The prompt has job control's "#", and no complaint before it.
            while not seen.endswith(b"# "):
                seen += os.read(ours, 4096)
            os.write(ours, b"tty; echo $TERM; exit 6\r")
            try:
                while data := os.read(ours, 4096):
                    seen += data
            except OSError:
                pass  # the other end is closed
        os.close(ours)
        self.assertEqual(running.returncode, 6, seen)
        self.assertNotIn(b"no job control", seen)
        self.assertIn(b"/dev/hvc0", seen)
        self.assertIn(b"vt100", seen)

    def test_programs_come_with_their_libraries(self):
        ran = self.vm(
            "--program", "/usr/bin/tcpdump:sniffer", "--program", f"{TOP}/tools/testing/vm/guest",
            "--", "sh", "-c", "sniffer --version && ls /root/guest",
        )
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertIn(b"sniffer version", ran.stdout)
        self.assertTrue(ran.stdout.endswith(b"init\nroot\nshell\n"), ran.stdout)

    def test_the_root_is_a_whole_one_that_does_not_change(self):
        # The build root, in which this runs, and which has much that the machine has not.
        mark = pathlib.Path("/usr/vm-selftest")
        script = self.log.with_name("script.py")
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text("#!/usr/bin/python3\nprint('Python')\n")
        script.chmod(0o755)
        ran = self.script(
            f"python3 {script.name} && script.py && perl -e 'print \"Perl\n\"' &&"
            f" touch {mark} && rm /usr/bin/gcc && modprobe -a macvtap vhost_net &&"
            " unshare --mount findmnt --noheadings --output FSTYPE /",
            "--root", "/", "--program", f"{script}:/root/{script.name}", "--program", script,
        )
        self.assertEqual((ran.returncode, ran.stdout), (0, b"Python\nPython\nPerl\noverlay\n"), ran.stderr)
        self.assertFalse(mark.exists())
        self.assertTrue(shutil.which("gcc"))

    def test_the_modules_are_the_chosen_ones(self):
        # Copies of the kernel's own stand for ours: they need no build.
        own = TOP / "build/logs/selftest/modules"
        own.mkdir(parents=True, exist_ok=True)
        for name in ("tap", "macvtap"):
            (stock,) = tree().glob(f"debian/lib/modules/*/kernel/drivers/net/{name}.ko.xz")
            (own / f"{name}.ko").write_bytes(lzma.decompress(stock.read_bytes()))
        for modules, updates in {
            "c": [], "rust": ["macvtap", "tap"], "rust-tap": ["tap"], "rust-macvtap": ["macvtap"],
        }.items():
            with self.subTest(modules):
                ran = self.script(
                    "modprobe -a macvtap vhost_net ipvtap && modinfo -F filename macvtap tap &&"
                    " find /lib/modules/ -name macvtap.ko -o -name tap.ko",
                    "--module-dir", own, modules=modules,
                )
                self.assertEqual(ran.returncode, 0, ran.stderr)
                *paths, = map(pathlib.Path, os.fsdecode(ran.stdout).split())
                # Each of the two is there once, and that one is used.
                self.assertEqual(len(paths), 4)
                self.assertEqual(set(paths[:2]), set(paths[2:]))
                ours = sorted(path.stem for path in paths[2:] if path.parent.name == "updates")
                self.assertEqual(ours, updates)

    def test_icount_counts_instructions(self):
        ran = self.script("nproc; uptime_1=$(cut -d. -f1 /proc/uptime); echo $uptime_1", "--icount")
        self.assertEqual((ran.returncode, ran.stdout.split()[0]), (0, b"1"), ran.stderr)
        (command,) = self.log.glob("command")
        self.assertIn("-icount shift=0", command.read_text())

    def test_errors_are_one_line(self):
        for args in (
            ["--tree", "/nowhere"],
            ["--program", "/nowhere"],
            ["--program", str(VM)],  # the machine has no python3
            ["--modules", "rust", "--module-dir", "/nowhere"],
            ["--root", "/nowhere"],
        ):
            with self.subTest(args):
                ran = self.vm(*args, "--", "true")
                self.assertEqual(ran.returncode, 125)
                self.assertRegex(ran.stderr, rb"\Avm: error: .*\n\Z")

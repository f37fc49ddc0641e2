# SPDX-License-Identifier: GPL-2.0
"""The command line of vm."""

import argparse
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import console, cpio, elf, kernel, qemu, session, userland
from .errors import VmError

TOP = pathlib.Path(__file__).resolve().parents[4]
GUEST = pathlib.Path(__file__).resolve().parents[1] / "guest"

COMMAND_SECONDS = 300

LAST_LINES = 15  # of a console that says nothing of what happened

TIMED_OUT = 124
FAILED = 125

EPILOG = f"""
The exit status is the command's own. It is {TIMED_OUT} if the time-out struck and {FAILED}
if the machine died, if the kernel complained (see console.log), or on an error.
"""


class Interrupted(Exception):
    """A signal asked to stop."""


def note(what, text):
    print(f"  {what:<8}{text}", file=sys.stderr, flush=True)


def parse(args):
    # What follows "--" is the command, whatever it looks like.
    args, command = split(args)
    parser = argparse.ArgumentParser(
        prog="vm", usage="vm --modules c|rust [options] (-- COMMAND... | --shell)",
        description="Runs a command as root in a virtual machine with Debian's stock kernel, "
        "or one that finds faults.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )
    parser.add_argument("--modules", required=True, choices=kernel.VARIANTS,
                        help="whose tap.ko and macvtap.ko: the kernel's, ours, or one of ours")
    parser.add_argument("--kernel", choices=kernel.KERNELS, default="stock",
                        help="Debian's of the newest series or of 7.2, one built with clang, one that "
                        "finds faults, or the clang one with our drivers in its tree, as modules or "
                        "built in (default: stock)")
    parser.add_argument("--module-dir", metavar="DIR",
                        help="where our modules are (default: what scripts/build-modules prints)")
    parser.add_argument("--tree", metavar="DIR",
                        help="the kernel's tree (default: what its script prints)")
    parser.add_argument("--cpus", type=int, default=None, help="default: 2, or 1 with --icount")
    parser.add_argument("--memory", type=int, metavar="MB",
                        help="default: 512, or 1024 with --qemu-guest or --kernel debug")
    parser.add_argument("--timeout", type=float, metavar="S",
                        help=f"default: {COMMAND_SECONDS} for a command, none for a shell")
    parser.add_argument("--log", type=pathlib.Path, metavar="DIR",
                        help="default: build/logs/<time>-<modules>")
    parser.add_argument("--append", default="", metavar="ARGS", help="arguments for the kernel")
    parser.add_argument("--icount", action="store_true",
                        help="make the guest's clock count its instructions, one a nanosecond")
    parser.add_argument("--monitor", type=pathlib.Path, metavar="PATH",
                        help="a socket at which QEMU takes commands, in its machine protocol")
    parser.add_argument("--program", action="append", default=[], metavar="PATH[:NAME]",
                        help="a program (or directory) to take along, with its libraries: as "
                        "/usr/local/bin/NAME (/root/NAME), or as NAME if that begins with /")
    parser.add_argument("--qemu-guest", action="store_true", help="take QEMU along")
    parser.add_argument("--root", metavar="DIR",
                        help="a whole root file system, which the machine does not change, instead of "
                        "a small user space, e.g. what scripts/buildroot --systems prints")
    parser.add_argument("--shell", action="store_true",
                        help="a shell instead of a command, on the terminal or fed from a pipe")
    options = parser.parse_args(args)
    if bool(command) == options.shell:
        parser.error("give either a command after -- or --shell")
    if not kernel.KERNELS[options.kernel].modules and options.modules != "rust":
        parser.error(f"--kernel {options.kernel} has ours only: --modules rust")
    if options.icount and options.cpus not in (None, 1):
        parser.error("--icount counts on one processor only")
    if options.root and options.qemu_guest:
        parser.error("--qemu-guest adds to the small user space, which there is not with --root")
    options.command = command
    return options


def split(args):
    if "--" in args:
        at = args.index("--")
        return args[:at], args[at + 1:]
    return args, []


def script(name, *arguments):
    """What scripts/NAME, which makes a directory and prints its path, prints."""
    path = TOP / "scripts" / name
    if not path.exists():
        raise VmError(f"there is no scripts/{name} in this checkout")
    made = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        raise VmError(f"scripts/{name} failed (see above)")
    return made.stdout.strip()


def log_directory(options):
    """A directory for this run alone."""
    if options.log:
        options.log.mkdir(parents=True, exist_ok=True)
        return options.log
    base = TOP / "build/logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{options.modules}"
    base.parent.mkdir(parents=True, exist_ok=True)
    path, count = base, 1
    while True:
        try:
            path.mkdir()
            return path
        except FileExistsError:
            count += 1
            path = base.with_name(f"{base.name}-{count}")


def add_program(tree, spec, commands):
    """Puts what --program names into the archive."""
    source, _, name = spec.partition(":")
    source = pathlib.Path(source)
    if not source.exists():
        raise VmError(f"--program {spec}: there is no {source} (in the build root)")
    home = "/root" if source.is_dir() else "/usr/local/bin"
    target = os.path.join(home, name or source.resolve().name)
    files = [source]
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
    for path in files:
        needed = elf.interpreter(path)
        if needed and os.path.basename(needed) not in commands:
            raise VmError(f"{path} needs {needed}, which the machine does not have")
        where = os.path.join(target, path.relative_to(source)) if source.is_dir() else target
        tree.program(str(path), where)


def run_archive(file, options, config):
    """The part of the initramfs that is this run's own."""
    tree = userland.Tree(file)
    tree.store("/.vm/init", GUEST / "init")
    tree.store("/.vm/shell", GUEST / "shell")
    tree.cpio.data("/.vm/config", config.encode())
    tree.cpio.data("/.vm/command", f"exec {shlex.join(options.command)}\n".encode())
    if options.root:
        tree.store("/init", GUEST / "root")
        commands = userland.commands_in(options.root)
    else:
        tree.cpio.symlink("/init", ".vm/init")
        commands = userland.commands()
    commands.update(os.path.basename(spec.replace(":", "/")) for spec in options.program)
    for spec in options.program:
        add_program(tree, spec, commands)
    tree.close()


def initramfs(file, options, linux, config):
    """Writes the whole initramfs: archives that never change, then this run's."""
    variant, module_dir = options.modules, None
    source = kernel.KERNELS[options.kernel]
    if not source.modules:
        variant = "c"  # nothing is replaced
    elif kernel.VARIANTS[variant]:
        module_dir = options.module_dir or script(*source.modules)
    with tempfile.TemporaryDirectory() as scratch:
        own = pathlib.Path(scratch, "own")
        with open(own, "wb") as part:
            run_archive(part, options, config)
        if options.root:
            user_space = userland.root_archive()
        else:
            user_space = userland.archive(options.qemu_guest)
        for part in (user_space, linux.archive(variant, module_dir), own):
            with open(part, "rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
    file.flush()


def machine(options, linux, image, log):
    """QEMU's command line."""
    boot = linux.boot_image()
    if options.icount:
        # One virtual nanosecond per instruction needs a single, emulated
        # processor.
        accel = ["-accel", "tcg", "-cpu", "max", "-icount", "shift=0"]
        cpus = 1
    else:
        accel = list(qemu.accelerator(boot))
        cpus = options.cpus or 2
    much = options.qemu_guest or options.kernel in ("debug", "kcsan")
    memory = options.memory or (1024 if much else 512)
    append = f"{kernel.KERNELS[options.kernel].arguments} {options.append}"
    if options.monitor:
        accel += ["-qmp", f"unix:{options.monitor},server=on,wait=off"]
    if options.root:
        accel += qemu.root_file_system(options.root)
    return qemu.command(boot, image, memory, append) + accel + [
        "-smp", str(cpus), "-serial", f"file:{log / 'console.log'}",
    ]


def judge(one, log, wanted):
    """Says what is wrong with a run that ended; the exit status. Reports that say what is WANTED
    are not."""
    text = ""
    if (log / "console.log").exists():
        text = (log / "console.log").read_text(errors="replace")
    excerpt = console.excerpt(text, wanted)
    complaints = []
    if one.ended_by:
        complaints.append(f"the machine {one.ended_by}")
    elif not one.output.complete:
        complaints.append("the machine died before the command ended")
    if excerpt:
        complaints.append("the kernel complained on its console:")
    else:
        taints = console.taints(one.output.taint)
        complaints += [f"the kernel is tainted: {what}" for what in taints]
    for complaint in complaints:
        note("FAIL", complaint)
    if excerpt:
        print(excerpt, file=sys.stderr)
    elif not one.output.complete:
        words = (log / "qemu.log").read_text(errors="replace").splitlines()
        for line in text.strip().splitlines()[-LAST_LINES:] + words:
            print(f"  {line}", file=sys.stderr)
    if one.timed_out:
        return TIMED_OUT
    return FAILED if complaints else one.output.status


def check_root(root, linux):
    if not pathlib.Path(root, "usr/bin").is_dir():
        raise VmError(f"--root {root}: there is no root file system (in the build root)")
    if missing := linux.lacks_for_root():
        raise VmError(f"--root: Linux {linux.release} has no {', '.join(missing)}")


def run(options):
    source = kernel.KERNELS[options.kernel]
    linux = kernel.Kernel(options.tree or script(*source.tree))
    if options.root:
        check_root(options.root, linux)
    log = log_directory(options).resolve()
    one = attempt(options, linux, log)
    if one.stuck:
        os.replace(log / "console.log", log / "console-stuck.log")
        note("AGAIN", f"the machine {one.ended_by}: see console-stuck.log")
        one = attempt(options, linux, log)
    return judge(one, log, source.wanted)


def attempt(options, linux, log):
    """One machine, from its start to its end."""
    mode = "command"
    if options.shell:
        mode = "terminal" if os.isatty(0) and os.isatty(1) else "script"
    one = session.Session(mode, kernel.KERNELS[options.kernel].boot_seconds)
    timeout = options.timeout or (None if options.shell else COMMAND_SECONDS)

    with tempfile.NamedTemporaryFile() as image, open(log / "output.log", "wb") as record:
        initramfs(image, options, linux, one.config())
        command = machine(options, linux, image.name, log)
        (log / "command").write_text(one.command_line(command) + "\n")
        note("VM", f"Linux {linux.release}, {options.modules} modules, log in {display(log)}")
        how = "KVM" if "kvm" in command else "emulated"

        def show(data):
            record.write(data)
            record.flush()
            while data:
                data = data[os.write(1, data):]

        one.run(command, timeout, log, show,
                booted=lambda seconds: note("BOOTED", f"in {seconds:.1f} s ({how})"))
    return one


def display(path):
    """PATH, short if it lies below the current directory."""
    return path.relative_to(pathlib.Path.cwd()) if path.is_relative_to(pathlib.Path.cwd()) else path


def enter_build_root(args):
    """Goes on in the build root, whose QEMU and user space this needs."""
    if not pathlib.Path.cwd().is_relative_to(TOP):
        raise VmError(f"the build root sees nothing but the checkout: run this in {TOP}")
    buildroot = TOP / "scripts/buildroot"
    os.execv(buildroot, [buildroot, "run", TOP / "tools/testing/vm/vm", *args])


def interrupted(signum, _frame):
    raise Interrupted(signum)


def main(args):
    options = parse(args)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupted)
    try:
        if "MACVTAP_BUILDROOT" not in os.environ:
            enter_build_root(args)
        return run(options)
    except BrokenPipeError:
        return FAILED  # whoever read the output has seen enough
    except (VmError, OSError) as error:
        print(f"vm: error: {error}", file=sys.stderr)
        return FAILED
    except Interrupted as error:
        print(f"vm: interrupted by {signal.Signals(error.args[0]).name}", file=sys.stderr)
        return 128 + error.args[0]

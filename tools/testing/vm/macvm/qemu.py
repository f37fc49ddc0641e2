# SPDX-License-Identifier: GPL-2.0
"""QEMU's command line, and whether KVM is of use."""

import fcntl
import os
import pathlib
import subprocess
import tempfile

from . import cache, cpio, userland

# Emulation should be at least this fast: a KVM that needs longer to reach user
# space is no use, even if it works.
PROBE_SECONDS = 6

# The console shows warnings from the start (the rest once user space raises
# the level), faults end the machine at once, nothing is spent on defences
# against attackers who are not there, and KUnit suites only run on request.
KERNEL_ARGS = (
    "console=ttyS0 loglevel=5 panic=-1 oops=panic reboot=t "
    "mitigations=off nokaslr audit=0 no_timer_check kunit.autorun=0"
)

TCG = ["-accel", "tcg,thread=multi", "-cpu", "max"]
KVM = ["-accel", "kvm", "-cpu", "host"]


def command(kernel, initramfs, memory, append):
    """The part of QEMU's command line that all machines share."""
    return [
        userland.find("qemu-system-x86_64"),
        "-no-user-config", "-nodefaults", "-nographic", "-no-reboot",
        # A firmware that does nothing but start the kernel.
        "-machine", "q35", "-bios", "/usr/share/qemu/qboot.rom",
        "-m", str(memory),
        "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", f"{KERNEL_ARGS} {append}".strip(),
    ]


def root_file_system(directory):
    """The options that show DIRECTORY to the machine, which cannot write there."""
    return [
        "-fsdev", f"local,id=root,path={directory},security_model=none,readonly=on",
        "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
    ]


def accelerator(kernel):
    """The options that select KVM if it works here, and emulation otherwise."""
    return KVM if _kvm_works(kernel) else TCG


def _kvm_works(kernel):
    """Whether KVM boots this kernel; found out once per boot of the host.

    That /dev/kvm opens says little: nested in some hypervisors it hangs in
    the middle of the kernel's start.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    name = cache.key(boot, str(kernel), cache.stamp(userland.find("qemu-system-x86_64")))
    lock = cache.directory() / "kvm.lock"
    with open(lock, "w") as held:
        # Two probes at once would slow each other down.
        fcntl.flock(held, fcntl.LOCK_EX)
        entry = cache.get("kvm", name, lambda file: file.write(_probe(kernel)))
    return entry.read_bytes() == b"works"


def _probe(kernel):
    """Boots a machine that says so on its console and switches itself off."""
    with tempfile.TemporaryDirectory() as scratch:
        image = pathlib.Path(scratch, "initramfs")
        init = b"#!/bin/busybox sh\necho reached user space\nexec /bin/busybox poweroff -f\n"
        with open(image, "wb") as file:
            archive = cpio.Archive(file)
            archive.file("bin/busybox", userland.find("busybox"))
            archive.data("init", init, 0o755)
            archive.close()
        try:
            console = subprocess.run(
                command(kernel, image, 256, "") + KVM + ["-serial", "stdio"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=PROBE_SECONDS,
            ).stdout
        except subprocess.TimeoutExpired:
            console = b""
    return b"works" if b"reached user space" in console else b"does not work"

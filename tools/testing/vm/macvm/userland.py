# SPDX-License-Identifier: GPL-2.0
"""The machine's user space: taken from the build root, small and unchanged."""

import os
import pathlib
import shutil
import subprocess

from . import cache, cpio, elf
from .errors import VmError

PROGRAMS = """
    bash bridge busybox dnsmasq ethtool ip kmod ping readlink ss tc timeout udevadm
""".split()

# kmod is all of these, by the name it is called by.
KMOD_NAMES = "depmod insmod lsmod modinfo modprobe rmmod".split()

# For a virtual machine in the virtual machine, with its console on the serial
# port, whose network card boots by PXE or whose kernel is given.
QEMU_PROGRAMS = ["qemu-system-x86_64"]
QEMU_FILES = """
    /usr/share/qemu/efi-virtio.rom
    /usr/share/qemu/kvmvapic.bin
    /usr/share/qemu/linuxboot_dma.bin
    /usr/share/qemu/pvh.bin
    /usr/share/qemu/pxe-virtio.rom
    /usr/share/qemu/qboot.rom
    /usr/share/seabios/bios-256k.bin
""".split()

TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def find(program):
    """The path of PROGRAM in the build root."""
    path = shutil.which(program)
    if not path:
        raise VmError(f"the build root has no {program}: run scripts/buildroot to complete it")
    return path


def merged(path):
    """PATH with /bin, /sbin and /lib* where they lie on a merged-usr system."""
    first = path.strip("/").split("/")[0]
    if first in ("bin", "sbin", "lib", "lib64"):
        return "/usr" + path
    return path


class Tree:
    """An archive that takes programs along with what they need."""

    def __init__(self, file):
        self.cpio = cpio.Archive(file)
        self._stored = set()

    def store(self, name, path):
        name = merged(name)
        if name not in self._stored:
            self._stored.add(name)
            self.cpio.file(name, path)

    def program(self, path, name=None):
        self.store(name or path, path)
        for library in elf.libraries(path):
            self.store(library, library)

    def close(self):
        self.cpio.close()


def applets():
    """What busybox can be called as, by path."""
    listing = subprocess.run(
        ["busybox", "--list-full"], check=True, capture_output=True, text=True
    )
    return listing.stdout.split()


def commands():
    """The names of all commands that the machine has, without QEMU's."""
    return {os.path.basename(path) for path in applets()} | set(PROGRAMS) | set(KMOD_NAMES)


def commands_in(root):
    """The names of all commands in the root file system ROOT."""
    return {path.name for place in ("bin", "sbin") for path in pathlib.Path(root, "usr", place).iterdir()}


def archive(qemu_guest):
    """The initramfs archive of the user space, from the cache."""
    programs = [find(name) for name in PROGRAMS + (QEMU_PROGRAMS if qemu_guest else [])]
    files = QEMU_FILES if qemu_guest else []
    name = cache.key(
        # Libraries change together with the package database.
        cache.stamp("/var/lib/dpkg/status"),
        [cache.stamp(path) for path in programs],
    )
    kind = "qemu-userland" if qemu_guest else "userland"
    return cache.get(kind, name, lambda file: _write(file, programs, files))


def root_archive():
    """The initramfs archive for a machine that has its user space elsewhere, from the cache."""
    busybox = find("busybox")
    return cache.get("root", cache.key(cache.stamp(busybox)), lambda file: _write_root(file, busybox))


def _write_root(file, busybox):
    tree = Tree(file)
    _merge(tree)
    for directory in ("dev", "proc", "sys"):
        tree.cpio.directory(directory)
    tree.store(busybox, busybox)
    tree.close()


def _merge(tree):
    for directory in ("bin", "sbin", "lib", "lib64"):
        tree.cpio.directory(f"usr/{directory}")
        tree.cpio.symlink(directory, f"usr/{directory}")


def _write(file, programs, files):
    tree = Tree(file)
    _merge(tree)
    for directory in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var/lib/misc"):
        tree.cpio.directory(directory)
    tree.cpio.symlink("var/run", "/run")
    for program in programs:
        tree.program(program)
    for path in files:
        tree.store(path, path)
    for name, text in TEXTS.items():
        tree.cpio.data(name, text.encode())
    for name in KMOD_NAMES:
        tree.cpio.symlink(f"usr/sbin/{name}", "../bin/kmod")
    taken = {os.path.basename(path) for path in programs} | set(KMOD_NAMES)
    for applet in applets():
        if os.path.basename(applet) not in taken:
            tree.cpio.symlink(merged("/" + applet), "/usr/bin/busybox")
    tree.close()

# SPDX-License-Identifier: GPL-2.0
"""The kernel that is booted, and the modules that go with it."""

import lzma
import os
import pathlib
import subprocess
import tempfile
import typing

from . import cache, cpio
from .errors import VmError

# What takes the host's files for the machine's own (vm --root).
ROOT = "9p 9pnet_virtio overlay".split()

# What the tests and the samples put below, beside and on top of a macvtap, and what guests run on.
# Those that a kernel does not have, or has built in, are left out.
WANTED = """
    8021q act_mirred bonding bridge cls_bpf cls_flower cls_matchall cls_u32
    dummy geneve ifb ipvlan ipvtap kvm_amd kvm_intel macvlan macvtap netdev_notifier_error_inject
    netdevsim nlmon openvswitch sch_fq sch_htb sch_ingress sch_netem sctp tap tun
    vcan veth vhost_net virtio_net vrf vxlan
""".split() + ROOT


class Source(typing.NamedTuple):
    """How to get a kernel, by programs in scripts/."""

    tree: tuple  # what prints its tree
    modules: tuple  # what prints the directory of our modules for it; nothing: they are in its tree
    boot_seconds: int = 60  # many times what it takes for user space to be up
    arguments: str = ""  # for the kernel
    wanted: str = ""  # what reports say that are what the kernel is for


# What a kernel that finds faults says ends the machine: nothing that comes after it can be trusted,
# and a task that hangs is not waited for.
STRICT = "panic_on_warn=1 hung_task_panic=1 softlockup_panic=1"


# Those that can be booted.
KERNELS = {
    "stock": Source(("kernel-prepare",), ("build-modules", "--stock")),
    "7.2": Source(("kernel-prepare", "7.2"), ("build-modules", "--stock", "7.2")),
    "clang": Source(("kernel-clang",), ("build-modules", "--clang")),
    "debug": Source(("kernel-clang", "--debug"), ("build-modules", "--debug"), 300, STRICT),
    "kcsan": Source(("kernel-clang", "--kcsan"), ("build-modules", "--kcsan"), 300,
                    wanted="BUG: KCSAN: data-race "),
    "in-tree-m": Source(("kernel-in-tree", "m"), ()),
    "in-tree-y": Source(("kernel-in-tree", "y"), ()),
}

# Whose modules the machine has: the names of those that ours replace.
VARIANTS = {
    "c": (),
    "rust": ("tap", "macvtap"),
    "rust-tap": ("tap",),
    "rust-macvtap": ("macvtap",),
}


class Kernel:
    """A tree as the programs of KERNELS print it."""

    def __init__(self, tree):
        self.tree = pathlib.Path(tree).resolve()
        self.image = self.tree / "debian/vmlinuz"
        releases = list((self.tree / "debian/lib/modules").glob("*/modules.dep"))
        if not self.image.exists() or len(releases) != 1:
            raise VmError(
                f"{tree} is not a prepared kernel (no debian/vmlinuz, or not one "
                "debian/lib/modules/<release>): take what scripts/kernel-prepare or "
                "scripts/kernel-clang prints"
            )
        self.modules = releases[0].parent
        self.release = self.modules.name

    def lacks_for_root(self):
        """The modules of ROOT that this kernel does not have."""
        modules = set()
        for table in ("modules.dep", "modules.builtin"):
            if (self.modules / table).exists():
                lines = (self.modules / table).read_text().splitlines()
                modules.update(module_name(line.partition(":")[0]) for line in lines)
        return [name for name in ROOT if module_name(name) not in modules]

    def boot_image(self):
        """The file to boot, from the cache.

        QEMU can start the kernel that the image holds compressed by its PVH
        entry point: to decompress it takes an emulated processor longer than
        most tests run.
        """
        if "CONFIG_PVH=y\n" not in (self.tree / ".config").read_text():
            return self.image
        name = cache.key(cache.stamp(self.image))
        return cache.get("vmlinux", name, self._extract)

    def _extract(self, file):
        tool = self.tree / "scripts/extract-vmlinux"
        made = subprocess.run([tool, self.image], stdout=file, stderr=subprocess.PIPE, text=True)
        if made.returncode:
            raise VmError(f"cannot decompress {self.image}: {made.stderr.strip()}")

    def archive(self, variant, module_dir):
        """An initramfs archive with the modules of VARIANT, from the cache."""
        ours = {}
        for name in VARIANTS[variant]:
            path = pathlib.Path(module_dir, f"{name}.ko")
            if not path.exists():
                raise VmError(f"there is no {name}.ko in {module_dir}: build the modules first")
            ours[name] = path
        if ours:
            ours |= companions(module_dir)
        name = cache.key(
            cache.stamp(self.modules / "modules.dep"),
            [path.read_bytes() for path in ours.values()],
            variant,
        )
        return cache.get("modules", name, lambda file: self._write(file, ours))

    def _closure(self, ours):
        """The stock modules to take: those wanted and what they depend on."""
        depends = {}
        with open(self.modules / "modules.dep") as table:
            for line in table:
                path, _, others = line.partition(":")
                depends[path] = others.split()
        by_name = {module_name(path): path for path in depends}
        chosen, todo = set(), [by_name[name] for name in WANTED if name in by_name]
        while todo:
            path = todo.pop()
            if path not in chosen:
                chosen.add(path)
                todo += depends[path]
        return sorted(path for path in chosen if module_name(path) not in ours)

    def _write(self, file, ours):
        with tempfile.TemporaryDirectory() as root:
            base = pathlib.Path(root, "usr/lib/modules", self.release)
            for path in self._closure(ours):
                self._unpack(path, base)
            for name, path in ours.items():
                target = base / "updates" / f"{name}.ko"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
            for table in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
                if (self.modules / table).exists():
                    (base / table).write_bytes((self.modules / table).read_bytes())
            depmod = subprocess.run(
                ["depmod", "-b", os.path.join(root, "usr"), self.release],
                capture_output=True, text=True,
            )
            # A module that needs a symbol nobody has would fail at boot, where
            # it is harder to see why.
            if depmod.returncode or "needs unknown symbol" in depmod.stderr:
                raise VmError(f"depmod refused the modules: {depmod.stderr.strip()}")
            archive = cpio.Archive(file)
            for path in sorted(base.rglob("*")):
                if path.is_file():
                    archive.file(str(path.relative_to(root)), path)
            archive.close()

    def _unpack(self, path, base):
        """Stores a module uncompressed: xz costs the emulated processor most."""
        content = (self.modules / path).read_bytes()
        target = base / path
        if target.suffix == ".xz":
            content, target = lzma.decompress(content), target.with_suffix("")
        elif target.suffix != ".ko":
            raise VmError(f"{path}: do not know how to decompress {target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def companions(module_dir):
    """Modules that lie beside ours because ours need them, such as a recorder."""
    paths = {module_name(path): path for path in pathlib.Path(module_dir).glob("*.ko")}
    return {name: path for name, path in sorted(paths.items()) if name not in VARIANTS["rust"]}


def module_name(path):
    """A module's name as the kernel has it, from its file's."""
    return os.path.basename(path).partition(".")[0].replace("-", "_")

# SPDX-License-Identifier: GPL-2.0
"""Builds programs that run in the test machines, or report what they found; tests such."""

import fcntl
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[3]


def build(crate, program, destination):
    """Builds this PROGRAM of the crate and copies it to the directory DESTINATION."""
    cache = pathlib.Path(os.environ["MACVTAP_CACHE"])
    target = cache / "cargo-target"
    # All checkouts build there, so a program may be another one's a moment later. And cargo
    # takes it for this one's if it is newer than the sources here, but for the variable, which
    # the crates ask for.
    with open(cache / "cargo-target.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "--locked",
             "--manifest-path", crate / "Cargo.toml", "--target-dir", target],
            check=True, env=os.environ | {"MACVTAP_CHECKOUT": str(TOP)},
        )
        shutil.copy(target / "release" / program, destination)
    return pathlib.Path(destination, program)


def test_command(crate):
    """What runs the crate's own tests, while nobody else builds in the directory."""
    cache = pathlib.Path(os.environ["MACVTAP_CACHE"])
    return ["flock", cache / "cargo-target.lock", "env", f"MACVTAP_CHECKOUT={TOP}",
            "cargo", "test", "--quiet", "--locked", "--manifest-path", crate / "Cargo.toml",
            "--target-dir", cache / "cargo-target"]

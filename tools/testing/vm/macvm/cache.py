# SPDX-License-Identifier: GPL-2.0
"""Files that are expensive to make and stay the same from run to run."""

import hashlib
import os
import pathlib
import tempfile
import time

from .errors import VmError

# Entries that nobody used for this long are removed when a new one is made.
KEEP_SECONDS = 7 * 24 * 3600


def directory():
    """The cache of this checkout's tools, as scripts/common.sh has it."""
    path = pathlib.Path(os.environ["MACVTAP_CACHE"], "vm")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VmError(
            f"cannot create {path} ({error.strerror}): set MACVTAP_CACHE to a writable directory"
        ) from error
    return path


def key(*inputs):
    """A name for what this package makes from INPUTS (of a stable repr)."""
    sources = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256()
    for item in [path.read_bytes() for path in sources] + list(inputs):
        digest.update(item if isinstance(item, bytes) else repr(item).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def stamp(path):
    """Identifies the content of the file at PATH without reading it."""
    info = os.stat(path)
    return (str(path), info.st_ino, info.st_size, info.st_mtime_ns)


def get(kind, name, make):
    """The path of entry NAME of KIND; MAKE(file) writes it when it is missing.

    An entry appears under its name only when it is complete. Two runs at once
    may both make it: the second replaces the first by an equal file.
    """
    entry = directory() / f"{kind}-{name}"
    try:
        os.utime(entry)
        return entry
    except FileNotFoundError:
        pass
    _prune(kind)
    with tempfile.NamedTemporaryFile(dir=directory(), prefix=".new-", delete=False) as file:
        try:
            make(file)
            file.flush()
            os.rename(file.name, entry)
        except BaseException:
            os.unlink(file.name)
            raise
    return entry


def _prune(kind):
    limit = time.time() - KEEP_SECONDS
    for pattern in (f"{kind}-*", ".new-*"):
        for old in directory().glob(pattern):
            try:
                if old.stat().st_mtime < limit:
                    old.unlink()
            except FileNotFoundError:
                pass  # another run was faster

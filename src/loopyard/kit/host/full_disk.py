"""Full disks of the host: which errors mean one, and files whose room is taken beforehand. Light: the launcher forks
with it."""

import errno
import os
from pathlib import Path

from loopyard.kit.host.linux import NO_SPACE_ERRORS

_FULL = NO_SPACE_ERRORS | {errno.EIO}
"""EIO is a full disk below a loop device or a thin volume, as far as who writes can tell."""

LEAST_FREE_BYTES = 32 << 20
"""Room left free on the host's disk, in bytes: nothing new is begun with less, so that running commands and the store
can still write."""

RESERVED_BYTES = 4096
"""The room that `reserve` takes, in bytes: one block of most file systems."""


def is_full(error: OSError) -> bool:
    """Tell errors of a full disk, when something is written, from all others."""
    return error.errno in _FULL


def has_room(folder: Path) -> bool:
    """True if the disk that this folder is on has `LEAST_FREE_BYTES` left."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= LEAST_FREE_BYTES


def reserved(path: str | Path) -> Path:
    """Path of the room that `reserve` has taken for a file: it becomes the file when that is written."""
    return Path(f"{path}.new")


def reserve(path: str) -> None:
    """Take the room for a small file now, so that `layout.write_whole` can write `path` on a full disk later.

    Raises:
        OSError: The disk is full already.
    """
    file = os.open(reserved(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.posix_fallocate(file, 0, RESERVED_BYTES)
    except OSError as error:
        if is_full(error):
            raise
    finally:
        os.close(file)

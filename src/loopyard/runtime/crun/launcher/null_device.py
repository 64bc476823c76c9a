"""Null devices for the standard streams of what crun starts.

crun gives standard streams to the user of what it starts. A descriptor of the host's own /dev/null must not be among
them: root of a sandbox would own the host's device, and could take it from everybody by its mode.
"""

import contextlib
import os
import stat

from loopyard.runtime.crun.launcher.programs import seal_memory

_NULL = os.makedev(1, 3)
_ROOT = 0
_MODE = 0o666


def open_null(folder: str) -> int:
    """Open a null device that nothing else has. Returns its descriptor.

    Where the folder's file system takes no devices it is an empty file in memory that nobody can write to.

    Raises:
        OSError: The folder cannot be written to.
    """
    path = f"{folder}/null.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    try:
        os.mknod(path, stat.S_IFCHR | _MODE, _NULL)
    except PermissionError:
        return _empty_file()
    try:
        return os.open(path, os.O_RDWR)
    except PermissionError:
        return _empty_file()
    finally:
        os.unlink(path)


def reclaim_null(path: str = os.devnull) -> None:
    """Give the host's null device back to root: earlier versions gave it to a sandbox's user."""
    status = os.stat(path)
    if status.st_uid != _ROOT and stat.S_ISCHR(status.st_mode):
        os.chown(path, _ROOT, _ROOT)
        os.chmod(path, _MODE)


def _empty_file() -> int:
    empty = os.memfd_create("null", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    seal_memory(empty)
    return empty

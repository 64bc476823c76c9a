"""The cgroups of sandboxes, and of servers, in both versions of the kernel's file system for them."""

import contextlib
import os
from pathlib import Path

_TOP = Path("/sys/fs/cgroup")


def folders(cgroup: str) -> list[Path]:
    """Where a cgroup is: one folder in version 2, one for each controller in version 1."""
    name = cgroup.lstrip("/")
    return [folder for folder in (_TOP / name, *_TOP.glob(f"*/{name}")) if folder.is_dir()]


def remove(cgroup: str) -> None:
    """Remove a cgroup and those below it, as far as nothing runs in them."""
    for folder in folders(cgroup):
        for below, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(below)  # noqa: PTH106

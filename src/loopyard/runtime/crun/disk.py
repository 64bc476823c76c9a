"""The disk that all sandboxes write to: a btrfs in one sparse file, where each sandbox has a limit of its own.

Where the kernel or the programs for that are missing, sandboxes write to plain folders, without limits.
"""

import logging
import os
import shutil
import subprocess
from pathlib import Path

from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.layout import Layout
from loopyard.runtime.programs import search_path

log = logging.getLogger("loopyard.runtime.disk")

_SHARE_OF_FREE = 0.8
_LEAST_BYTES = 2 << 30


def prepare(layout: Layout, crun: Path, disk_gib: int | None) -> Place:
    """Make the disk's file unless it is there.

    Raises:
        RuntimeUnavailable: The data folder has not even 2 GiB free, or the disk cannot be made.
    """
    layout.pool.mkdir(parents=True, exist_ok=True)
    image = layout.pool_image
    if not image.exists():
        if not _can_have_disk():
            log.warning("no limits on disk use: they need btrfs in the kernel, and apt-get install btrfs-progs")
            return Place(crun=str(crun), pool=str(layout.pool), pool_image=None, acts=str(layout.acts))
        _make(image, disk_gib)
    return Place(crun=str(crun), pool=str(layout.pool), pool_image=str(image), acts=str(layout.acts))


def _can_have_disk() -> bool:
    if shutil.which("mkfs.btrfs", path=search_path()) is None or not Path("/dev/loop-control").exists():
        return False
    if "\tbtrfs\n" not in Path("/proc/filesystems").read_text():
        subprocess.run(["modprobe", "btrfs"], check=False, capture_output=True)
    return "\tbtrfs\n" in Path("/proc/filesystems").read_text()


def _make(image: Path, disk_gib: int | None) -> None:
    free = shutil.disk_usage(image.parent).free
    size = int(free * _SHARE_OF_FREE) if disk_gib is None else disk_gib << 30
    if size < _LEAST_BYTES:
        raise RuntimeUnavailable(f"{image.parent} has only {free >> 20} MiB free; sandboxes need at least 2 GiB.")
    temporary = image.with_name(image.name + ".new")
    with temporary.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(size)
    command = ("mkfs.btrfs", "--quiet", "--metadata", "single", "--data", "single", str(temporary))
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        temporary.unlink()
        raise RuntimeUnavailable(f"The sandboxes' disk could not be made: {made.stderr.strip()}")
    temporary.rename(image)

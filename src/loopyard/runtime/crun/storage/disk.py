"""The disk that all sandboxes write to: a btrfs in one sparse file, where each sandbox has a limit of its own.

Where the kernel or the programs for that are missing, sandboxes write to plain folders, without limits.
"""

import logging
import os
import shutil
import subprocess
from pathlib import Path

from loopyard.kit.host.full_disk import is_full
from loopyard.runtime.crun.host.btrfs import keep_in_place
from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.crun.launcher.requests import VERSION
from loopyard.runtime.crun.launcher.room import FIRST_BYTES, mark
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.layout import Layout
from loopyard.runtime.programs import search_path
from loopyard.runtime.syscalls import fallocate

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
            return _place(layout, crun, None, None)
        _make(image, disk_gib)
    return _place(layout, crun, str(image), [str(layout.sandboxes), str(layout.ready_ones)])


def _place(layout: Layout, crun: Path, image: str | None, kept_for: list[str] | None) -> Place:
    return Place(
        version=VERSION,
        crun=str(crun),
        pool=str(layout.pool),
        pool_image=image,
        acts=str(layout.acts),
        kept_for=kept_for,
    )


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
    kept = _reserve(temporary, size)
    options = ("--nodiscard", "--byte-count", str(FIRST_BYTES)) if kept else ()
    command = ("mkfs.btrfs", "--quiet", "--metadata", "single", "--data", "single", *options, str(temporary))
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        temporary.unlink()
        raise RuntimeUnavailable(f"The sandboxes' disk could not be made: {made.stderr.strip()}")
    noted = Path(mark(str(image)))
    if kept:
        noted.touch()
    else:
        noted.unlink(missing_ok=True)
    temporary.rename(image)


def _reserve(file: Path, size: int) -> bool:
    """Make a file of this size, and take the room of its beginning; false where the file system cannot do that."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        keep_in_place(descriptor)
        try:
            fallocate(descriptor, 0, FIRST_BYTES)
        except OSError as error:
            if is_full(error):
                raise RuntimeUnavailable(f"{file.parent} has no room for the sandboxes' disk.") from error
            return False
    finally:
        os.close(descriptor)
    return True

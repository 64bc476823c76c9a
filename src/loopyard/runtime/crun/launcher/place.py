"""Where the launcher lives: a private mount namespace, and in it the disk that the sandboxes write to."""

import contextlib
import fcntl
import os
import shutil
from typing import TypedDict

from loopyard.runtime.crun.host import btrfs
from loopyard.runtime.crun.launcher import room
from loopyard.runtime.crun.launcher.programs import ProgramFailed, run
from loopyard.runtime.syscalls import CLONE_NEWNS, MS_REC, MS_SLAVE, mount, new_mount, umount, unshare

UNIFIED = "/sys/fs/cgroup/unified"
_CGROUP2 = "/sys/fs/cgroup/cgroup.controllers"


_UNMOUNTABLE = (
    "the sandboxes' disk {image} cannot be mounted: {error}\n"
    "Nothing was changed. Put a copy of the file back from a backup, or repair it (`btrfs check {image}`, "
    "`btrfs rescue`), and start the server again. Or move it away: the server then makes an empty one. The database "
    "keeps all it has; devboxes, suspended ones too, and snapshots whose disks were in the file cannot be used any "
    "more."
)
_LOOP_SET_DIRECT_IO = 0x4C08
_HASTE = "favordynmods"
_CGROUP2_FLAGS = (
    "nsdelegate",
    "memory_localevents",
    "memory_recursiveprot",
    "memory_hugetlb_accounting",
    "pids_localevents",
)


class Place(TypedDict):
    """`version` is the server's of the schema in `requests`. `pool` is the folder to mount the disk at; `pool_image`
    the file that holds it, None for no disk of its own; `crun` the program; `acts` the file that is locked while
    somebody changes sandboxes, None for a launcher that only looks; `kept_for` the folders of the folders of the
    sandboxes that room is to be kept for on the disk, None for a launcher that only looks."""

    version: int
    crun: str
    pool: str
    pool_image: str | None
    acts: str | None
    kept_for: list[str] | None


def enter(given: Place) -> bool:
    """Go there. Returns whether disk limits hold.

    Raises:
        OSError: The host does not allow it, or the disk cannot be mounted.
    """
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_SLAVE)
    _hasten_moves()
    if not os.path.exists(_CGROUP2) and os.path.ismount(UNIFIED):
        # On a hybrid of cgroup v1 and v2 crun refuses to start; without the v2 part it takes v1.
        umount(UNIFIED)
        mount("tmpfs", UNIFIED, "tmpfs", 0, "size=16m,mode=755")
    if given["pool_image"] is None:
        return False
    return _mount_pool(given["pool_image"], given["pool"], looks=given["kept_for"] is None)


def _hasten_moves() -> None:
    """Have the kernel move processes between cgroups without waiting for a grace period, which takes some 8 ms.

    Linux 6.0 made that waiting the default, and `favordynmods` the option against it, for the whole host. It is given
    to the cgroup v2 hierarchy that is there, beside the options that it has: a mount sets all of them. The mount itself
    is not kept. Older kernels never wait, and do not know the option.
    """
    options = _cgroup2_options()
    if options is None or _HASTE in options:
        return
    kept = [(name, None) for name in _CGROUP2_FLAGS if name in options]
    with contextlib.suppress(OSError):
        os.close(new_mount("cgroup2", [*kept, (_HASTE, None)]))


def _cgroup2_options() -> list[str] | None:
    """The options of the host's cgroup v2 hierarchy; None where none is mounted."""
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, _, kind, options, *_ = line.split(" ")
            if kind == "cgroup2":
                return options.split(",")
    return None


def tidy(cgroup: str) -> None:
    """Remove what crun wrote to the stand-in for the v2 part. On a real cgroup file system this does nothing."""
    if not os.path.exists(_CGROUP2):
        shutil.rmtree(f"{UNIFIED}/{cgroup.lstrip('/')}", ignore_errors=True)


def _mount_pool(image: str, pool: str, *, looks: bool) -> bool:
    kept = room.is_kept(image)
    if kept and not looks:
        try:
            room.fill(image)
        except room.NoFileSystem as error:
            raise OSError(_UNMOUNTABLE.format(image=image, error=error)) from error
    # Room that is kept must not be given back.
    discarding = "nodiscard" if kept else "discard=async"
    # --nooverlap finds the loop device again on which the sandboxes of an earlier server still run.
    try:
        run(["mount", "-t", "btrfs", "-o", f"loop,noatime,{discarding},nosuid,nodev", image, pool])
    except ProgramFailed as error:
        raise OSError(_UNMOUNTABLE.format(image=image, error=error)) from error
    if not kept and not looks and room.adopt(image, pool):
        run(["mount", "-o", "remount,nodiscard", pool])
    _go_past_cache(pool)
    return btrfs.enable_quotas(pool)


def _go_past_cache(pool: str) -> None:
    """Have the loop device read and write its file without the host's cache: btrfs has what it holds in that already,
    and to hold it twice costs memory, and half of the speed. File systems that cannot do it go on as they are."""
    shown = pool.replace("\\", "\\134").replace(" ", "\\040")
    with open("/proc/self/mountinfo") as mounts:
        rows = [line.split() for line in mounts]
    device = next((row[row.index("-") + 2] for row in reversed(rows) if row[4] == shown), None)
    if device is None:
        return
    with contextlib.suppress(OSError):
        loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(loop, _LOOP_SET_DIRECT_IO, 1)
        finally:
            os.close(loop)

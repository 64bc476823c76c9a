"""Gives a sandbox in which nothing has run so far another root file system, other limits and another name.

It is done in the sandbox's own namespaces by this process, which comes back from there. No file of the sandbox is read
by this process's Python meanwhile, and nothing is imported.
"""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.disks import beside, change_disk, delete_disk, make_disk
from loopyard.runtime.crun.launcher.layers import layered
from loopyard.runtime.crun.launcher.steps import attach_parts, read_ground, step_root
from loopyard.runtime.proc import start_ticks
from loopyard.runtime.syscalls import (
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REMOUNT,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_SYMLINKS,
    attach_at,
    clone_mount,
    mount,
    openat2,
    pivot_root,
    set_hostname,
    setns,
    umount,
)

_MOVED, _COPIED = ("proc", "dev"), ("sys",)
"""Mounts in the root file system of every sandbox, with all that is mounted below. What was there before the sandbox's
mount namespace cannot be moved in it."""

_STEP = "etc"
"""A folder in which the new root is for a moment. Every sandbox has it."""

_NAMESPACES = {"mnt": CLONE_NEWNS, "uts": CLONE_NEWUTS}


def reconfigure(
    answer: Callable[..., None],
    *,
    pid: int,
    ticks: int,
    bundle: str,
    image: str,
    disk: str,
    disk_bytes: int | None,
    snapshot: str | None,
    step: str | None,
    uid_base: int,
    cgroup: str,
    resources: Mapping[str, Mapping[str, int]],
    shared_memory_bytes: int,
    hostname: str,
) -> None:
    """Have it as if it had been made so. When this fails, the sandbox is good for nothing but to be destroyed.

    Args:
        pid: The sandbox's first process, which started at the clock tick `ticks`, and is the only one.
        bundle: Its folder, with the new `place.json`.
        image: The folder below everything; only read.
        disk: Where its changes go: an empty one, whose name the new one gets.
        disk_bytes: The most these may be; None for no limit.
        snapshot: The changes to begin with; None for none.
        step: The file that tells of the ground of a step of a build; its disk then stays as it is, empty.
        uid_base: The host's uid of the sandbox's root.
        cgroup: Its cgroup.
        resources: Its limits, as OCI's configuration has them.
        shared_memory_bytes: The size of its `/dev/shm`.
        hostname: Its name.
        answer: Told when it is done.
    """
    made, place = beside(disk), f"{bundle}/place.json"
    first = os.pidfd_open(pid)
    if start_ticks(pid) != ticks:
        raise ProcessLookupError("the sandbox is gone")
    user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)

    def change(root: int, parts: Sequence[tuple[str, int]] = ()) -> tuple[int, ...]:
        with _in_namespaces(first):
            left = _change_root(root, parts)
            _resize_shared_memory(shared_memory_bytes)
            set_hostname(hostname)
        cgroups.limit(cgroup, resources)
        return left

    if step is not None:
        with step_root(f"{bundle}/refit", place, read_ground(step), user, uid_base) as (root, parts):
            left = change(root, parts)
            answer(done=True)
    else:
        make_disk(made, disk_bytes, snapshot)
        with layered(f"{bundle}/refit", place, image, made, user, uid_base) as root:
            left = change(root)
            change_disk(disk)
            answer(done=True)
    for descriptor in (*left, user, first):
        os.close(descriptor)
    if step is None:
        delete_disk(made)


@contextmanager
def _in_namespaces(first: int) -> Generator[None]:
    """Be in the sandbox's mount and UTS namespaces meanwhile; `first` is a descriptor of its first process."""
    own = [(os.open(f"/proc/self/ns/{name}", os.O_RDONLY), kind) for name, kind in _NAMESPACES.items()]
    setns(first, CLONE_NEWNS | CLONE_NEWUTS)
    try:
        yield
    finally:
        for descriptor, kind in own:
            setns(descriptor, kind)
            os.close(descriptor)


def _resize_shared_memory(size: int) -> None:
    """Give `/dev/shm`, which was made for other limits, its size."""
    mount("shm", "/dev/shm", "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, f"size={size}")  # noqa: S108


def _change_root(new: int, parts: Sequence[tuple[str, int]]) -> tuple[int, ...]:
    """Make a mount the root of this mount namespace, with what every sandbox has mounted, and `parts` below it.

    Returns descriptors of the old root's: whoever closes the last of it waits until the kernel has let go of all.
    """
    old = os.open("/", os.O_PATH | os.O_DIRECTORY)
    step = os.open(_STEP, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=old)
    attach_at(new, step)
    for name in (*_MOVED, *_COPIED):
        source = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=old)
        target = openat2(new, name, os.O_PATH | os.O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
        tree = clone_mount(source, recursive=True) if name in _COPIED else os.dup(source)
        attach_at(tree, target)
        for descriptor in (tree, target, source):
            os.close(descriptor)
    attach_parts(new, parts)
    os.fchdir(new)
    pivot_root(".", ".")
    # The old root now lies over the new one.
    os.fchdir(old)
    umount(".", MNT_DETACH)
    os.chdir("/")
    return step, old

"""Gives a sandbox in which nothing has run so far another root file system, other limits and another name.

It is done in the sandbox's own namespaces by this process, which comes back from there. No file of the sandbox is read
by this process's Python meanwhile, and nothing is imported.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.disks import beside, change_disk, delete_disk, make_disk
from loopyard.runtime.crun.launcher.layers import IdMap, layered
from loopyard.runtime.crun.launcher.requests import Answer, Done, Reconfigure
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


def reconfigure(answer: Answer, request: Reconfigure) -> None:
    """Have a sandbox as if it had been made so."""
    pid, made = request.pid, beside(request.disk)
    place, folder = f"{request.bundle}/place.json", f"{request.bundle}/refit"
    first = os.pidfd_open(pid)
    if start_ticks(pid) != request.ticks:
        raise ProcessLookupError("the sandbox is gone")
    user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    ids = IdMap(user, request.uid_base)

    def change(root: int, parts: Sequence[tuple[str, int]] = ()) -> tuple[int, ...]:
        with _in_namespaces(first):
            left = _change_root(root, parts)
            _resize_shared_memory(request.shared_memory_bytes)
            set_hostname(request.hostname)
        cgroups.limit(request.cgroup, request.resources)
        return left

    if request.step is not None:
        with step_root(folder, place, read_ground(request.step), ids) as (root, parts):
            left = change(root, parts)
            answer(Done())
    else:
        make_disk(made, request.disk_bytes, request.snapshot)
        with layered(folder, place, request.image, made, ids) as root:
            left = change(root)
            change_disk(request.disk)
            answer(Done())
    for descriptor in (*left, user, first):
        os.close(descriptor)
    if request.step is None:
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

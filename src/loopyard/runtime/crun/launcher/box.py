"""Makes a sandbox out of a slot, an image and a place on the disk, and takes it apart again."""

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopyard.runtime.crun import cgroups
from loopyard.runtime.crun.launcher.disks import delete_disk, make_disk
from loopyard.runtime.crun.launcher.place import tidy
from loopyard.runtime.crun.launcher.programs import run, start
from loopyard.runtime.crun.launcher.slots import Slot
from loopyard.runtime.crun.syscalls import (
    CLONE_NEWNET,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    RESOLVE_IN_ROOT,
    attach,
    files_owned_by,
    idmap,
    new_mount,
    open_tree,
    openat2,
    setns,
    umount,
)
from loopyard.runtime.layout import write_whole
from loopyard.runtime.proc import start_ticks

_SYSFS = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def create(
    answer: Callable[..., None],
    *,
    crun: list[str],
    id: str,
    bundle: str,
    root: str,
    image: str,
    disk: str,
    disk_bytes: int | None,
    snapshot: str | None,
    network: str | None,
    slot: Slot,
) -> None:
    """Start the sandbox whose folder is `bundle`, on the root folder `image`, with its own files on `disk`.

    Args:
        crun: The command line up to crun's own command.
        id: The sandbox's id.
        bundle: Holds `config.json` and `place.json` (what to put into the root file system first).
        root: Where its root file system is mounted while it starts. The sandbox's own root must be able to get there.
        image: The folder below everything; only read.
        disk: Where the sandbox's changes go. One that is there is used again.
        disk_bytes: The most these may be; None for no limit.
        snapshot: The changes to begin with, if the disk is made anew.
        network: The network namespace that it is in, if that is not the slot's.
        slot: The namespaces.
        answer: Told the process id of the sandbox's init, and the clock tick at which it started.
    """
    lower, upper = f"{bundle}/lower", f"{bundle}/upper"
    for folder in (root, lower, upper):
        os.makedirs(folder, exist_ok=True)
    make_disk(disk, disk_bytes, snapshot)
    _attach_idmapped(image, lower, slot, MOUNT_ATTR_RDONLY)
    _attach_idmapped(disk, upper, slot)
    options: list[tuple[str, str | None]] = [
        ("source", "overlay"),
        ("lowerdir", lower),
        ("upperdir", f"{upper}/upper"),
        ("workdir", f"{upper}/work"),
    ]
    with files_owned_by(slot.uid_base, slot.uid_base):
        # The mounter's ids are what the overlay writes as: in the upper layer they become the box's root.
        _attach_new("overlay", root, options)
        _put(root, json.loads(Path(f"{bundle}/place.json").read_text()), slot.uid_base)
    try:
        with _network(slot, network):
            _attach_new("sysfs", f"{root}/sys", [], _SYSFS)
            link = f"{bundle}/network"  # what the configuration names
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(f"/proc/{os.getpid()}/ns/net", link)
            _start(crun, id, bundle)
    finally:
        # The sandbox's own mount namespace holds them from here on, and lets them go with its last process.
        for folder in (root, lower, upper):
            umount(folder)
        os.rmdir(root)
    pid = int(Path(f"{bundle}/pid").read_text())
    state = {"pid": pid, "start_ticks": start_ticks(pid)}
    write_whole(Path(f"{bundle}/state.json"), state)
    answer(**state)


@contextmanager
def _network(slot: Slot, other: str | None) -> Generator[None]:
    """Be in the sandbox's network meanwhile."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    if other is None:
        setns(slot.network_namespace, CLONE_NEWNET)
    else:
        joined = os.open(other, os.O_RDONLY)
        setns(joined, CLONE_NEWNET)
        os.close(joined)
    try:
        yield
    finally:
        setns(own, CLONE_NEWNET)
        os.close(own)


def _start(crun: list[str], id: str, bundle: str) -> None:
    # Its standard streams become those of the sandbox's init, which its root can use as it likes: so nothing of the
    # host's. crun's complaints go to a log of its own.
    nothing = os.open(os.devnull, os.O_RDWR)
    log = f"{bundle}/crun.log"
    argv = [*crun, "--log", log, "run", "--detach", "--bundle", bundle, "--pid-file", f"{bundle}/pid", id]
    status = os.waitstatus_to_exitcode(os.waitpid(start(argv, nothing, nothing, nothing), 0)[1])
    os.close(nothing)
    if status != 0:
        raise OSError(f"crun ended with {status}: {Path(log).read_text(errors='replace').strip()[-2000:]}")


def _attach_new(kind: str, target: str, options: Sequence[tuple[str, str | None]], attributes: int = 0) -> None:
    mounted = new_mount(kind, options, attributes)
    attach(mounted, target)
    os.close(mounted)


def _attach_idmapped(source: str, target: str, slot: Slot, attributes: int = 0) -> None:
    tree = open_tree(source)
    idmap(tree, slot.user_namespace, attributes)
    attach(tree, target)
    os.close(tree)


def _put(root: str, place: Mapping[str, Any], uid_base: int) -> None:
    """Write the files and folders that the sandbox is to find. Links in the image lead to nowhere but the image."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for path, owner in place["folders"].items():
        parent, name = _parent(top, path)
        if not _exists(parent, name):
            os.mkdir(name, 0o755, dir_fd=parent)
            os.chown(name, uid_base + owner, uid_base + owner, dir_fd=parent, follow_symlinks=False)
        os.close(parent)
    for path, (content, mode) in place["files"].items():
        parent, name = _parent(top, path)
        if _exists(parent, name):
            os.unlink(name, dir_fd=parent)  # it may be a link, to anywhere
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=parent)
        os.write(file, content.encode())
        os.fchmod(file, mode)
        os.close(file)
        os.close(parent)
    os.close(top)


def _parent(top: int, path: str) -> tuple[int, str]:
    folder, name = os.path.split(path)
    return openat2(top, folder or ".", os.O_RDONLY | os.O_DIRECTORY, 0, RESOLVE_IN_ROOT), name


def _exists(parent: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True


def destroy(
    answer: Callable[..., None],
    *,
    crun: list[str],
    id: str,
    bundle: str,
    disk: str,
    ground: str,
    cgroup: str,
    keep_disk: bool,
) -> None:
    """Stop all that runs in the sandbox, and delete its disk and its folder unless they are to be kept. Can be
    repeated."""
    run([*crun, "delete", "--force", id], fine=(0, 1))
    tidy(cgroup)
    cgroups.clear(cgroup)
    if keep_disk:
        Path(f"{bundle}/state.json").unlink(missing_ok=True)
    else:
        delete_disk(disk)
        delete_disk(ground)
        shutil.rmtree(bundle, ignore_errors=True)
    answer(done=True)

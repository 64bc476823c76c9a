"""Makes a sandbox out of a slot, an image and a place on the disk, and takes it apart again."""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.disks import beside, delete_disk, make_disk
from loopyard.runtime.crun.launcher.layers import layered
from loopyard.runtime.crun.launcher.place import tidy
from loopyard.runtime.crun.launcher.programs import run, start
from loopyard.runtime.crun.launcher.slots import Slot
from loopyard.runtime.crun.launcher.steps import attach_parts, read_ground, step_root
from loopyard.runtime.layout import write_whole
from loopyard.runtime.proc import start_ticks
from loopyard.runtime.syscalls import (
    CLONE_NEWNET,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    attach,
    new_mount,
    setns,
    umount,
)

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
    step: str | None,
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
        step: The file that tells of the ground of a step of a build, which has its layers and its changes elsewhere.
        slot: The namespaces.
        answer: Told the process id of the sandbox's init, and the clock tick at which it started.
    """
    os.makedirs(root, exist_ok=True)
    place = f"{bundle}/place.json"
    if step is not None:
        with step_root(bundle, place, read_ground(step), slot.user_namespace, slot.uid_base) as (mounted, parts):
            attach(mounted, root)
            top = os.open(root, os.O_PATH | os.O_DIRECTORY)
            attach_parts(top, parts)
            os.close(top)
    else:
        make_disk(disk, disk_bytes, snapshot)
        with layered(bundle, place, image, disk, slot.user_namespace, slot.uid_base) as mounted:
            attach(mounted, root)
    try:
        with _network(slot, network):
            _attach_sysfs(f"{root}/sys")
            link = f"{bundle}/network"  # what the configuration names
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(f"/proc/{os.getpid()}/ns/net", link)
            _start(crun, id, bundle)
    finally:
        # The sandbox's own mount namespace holds it from here on, and lets it go with its last process.
        umount(root)
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
    argv = [*crun, "--log", f"file:{log}", "run", "--detach", "--bundle", bundle, "--pid-file", f"{bundle}/pid", id]
    status = os.waitstatus_to_exitcode(os.waitpid(start(argv, nothing, nothing, nothing), 0)[1])
    os.close(nothing)
    if status != 0:
        raise OSError(f"crun ended with {status}: {Path(log).read_text(errors='replace').strip()[-2000:]}")


def _attach_sysfs(target: str) -> None:
    mounted = new_mount("sysfs", [], _SYSFS)
    attach(mounted, target)
    os.close(mounted)


def destroy(
    answer: Callable[..., None],
    *,
    crun: list[str],
    id: str,
    bundle: str,
    disk: str,
    baseline: str,
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
        for one in (disk, beside(disk), baseline):
            delete_disk(one)
        shutil.rmtree(bundle, ignore_errors=True)
    answer(done=True)

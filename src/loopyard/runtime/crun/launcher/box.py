"""Makes a sandbox out of a slot, an image and a place on the disk, and takes it apart again."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.disks import beside, delete_disk, make_disk
from loopyard.runtime.crun.launcher.layers import IdMap, layered
from loopyard.runtime.crun.launcher.null_device import open_null
from loopyard.runtime.crun.launcher.place import tidy
from loopyard.runtime.crun.launcher.programs import run, start
from loopyard.runtime.crun.launcher.requests import Answer, Create, Destroy, Done, FirstProcess, fields_of
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


def create(answer: Answer, request: Create, slot: Slot) -> None:
    """Start a sandbox in a slot, and answer with its first process."""
    bundle, root, ids = request.bundle, request.root, IdMap(slot.user_namespace, slot.uid_base)
    os.makedirs(root, exist_ok=True)
    place = f"{bundle}/place.json"
    if request.step is not None:
        with step_root(bundle, place, read_ground(request.step), ids) as (mounted, parts):
            attach(mounted, root)
            top = os.open(root, os.O_PATH | os.O_DIRECTORY)
            attach_parts(top, parts)
            os.close(top)
    else:
        make_disk(request.disk, request.disk_bytes, request.snapshot)
        with layered(bundle, place, request.image, request.disk, ids) as mounted:
            attach(mounted, root)
    try:
        with _network(slot, request.network):
            _attach_sysfs(f"{root}/sys")
            link = f"{bundle}/network"  # what the configuration names
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(f"/proc/{os.getpid()}/ns/net", link)
            _start(request.crun, request.id, bundle)
    finally:
        # The sandbox's own mount namespace holds it from here on, and lets it go with its last process.
        umount(root)
        os.rmdir(root)
    pid = int(Path(f"{bundle}/pid").read_text())
    first = FirstProcess(pid, start_ticks(pid))
    write_whole(Path(f"{bundle}/state.json"), fields_of(first))
    answer(first)


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
    nothing = open_null(bundle)
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


def destroy(answer: Answer, request: Destroy) -> None:
    """Stop all that runs in a sandbox, and delete what is not to be kept."""
    run([*request.crun, "delete", "--force", request.id], fine=(0, 1))
    tidy(request.cgroup)
    cgroups.clear(request.cgroup)
    if request.keep_disk:
        Path(f"{request.bundle}/state.json").unlink(missing_ok=True)
    else:
        for one in (request.disk, beside(request.disk), request.baseline):
            delete_disk(one)
        shutil.rmtree(request.bundle, ignore_errors=True)
    answer(Done())

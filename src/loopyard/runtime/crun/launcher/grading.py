"""Makes a sandbox fit to be judged: ends what runs in it, and mounts over its file system what is to be trusted.

The mounts are made in the sandbox's own mount namespace by this process, which has rights there that nobody inside has.
"""

import errno
import json
import os
import shutil
import stat
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.changes import changes
from loopyard.runtime.crun.launcher.layers import mounted, short_paths
from loopyard.runtime.crun.launcher.requests import Answer, Done, Restore, Share, StopAll
from loopyard.runtime.layout import write_whole
from loopyard.runtime.proc import start_ticks, stat_fields
from loopyard.runtime.syscalls import (
    CLONE_NEWNS,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    attach,
    attach_at,
    clone_mount,
    files_owned_by,
    idmap,
    new_mount,
    open_tree,
    openat2,
    setns,
    umount,
)

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_CGROUPS = "/sys/fs/cgroup"
_END_SECONDS = 20.0
"""How long the number of processes may stay the same while they are ended."""
_LOOK_SECONDS = 0.002
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """Path in the baseline: a mount of it, a link, or nothing."""

    tree: int | None = None
    folder: bool = False
    link: str | None = None


def stop_all(answer: Answer, request: StopAll) -> None:
    """Kill everything in the sandbox but its first process and what is spared."""
    folder, init, spare = _processes(request.cgroup), request.init, request.spare
    limit: int = json.loads(Path(f"{request.bundle}/config.json").read_text())["linux"]["resources"]["pids"]["limit"]
    try:
        if left := _others(folder, init, spare):
            Path(f"{folder}/pids.max").write_text("0")  # so that none starts another one meanwhile
            left = _end(folder, init, spare)
    finally:
        Path(f"{folder}/pids.max").write_text(str(limit))
    if left:
        raise OSError(f"{len(left)} processes cannot be ended")
    _await_burials(folder, limit // 2)
    answer(Done())


def _end(folder: str, init: int, spare: Sequence[int]) -> set[int]:
    """Kill all others, for as long as they become fewer: how fast thousands of them die is up to what else the host
    does. Returns those that do not."""
    fewest, deadline = 1 << 32, 0.0
    while others := _others(folder, init, spare):
        now = time.monotonic()
        if len(others) < fewest:
            fewest, deadline = len(others), now + _END_SECONDS
        elif now > deadline:
            return others
        cgroups.kill(others, folder)
        time.sleep(_LOOK_SECONDS)
    return set()


def _await_burials(folder: str, most: int) -> None:
    """Wait until the dead, of whom their first process takes leave one by one, leave room for what is started next; not
    for ever, since that is refused only if there is no room at all."""
    fewest, deadline = 1 << 32, 0.0
    while (left := int(Path(f"{folder}/pids.current").read_text())) > most:
        now = time.monotonic()
        if left < fewest:
            fewest, deadline = left, now + _END_SECONDS
        elif now > deadline:
            return
        time.sleep(_LOOK_SECONDS)


def _processes(cgroup: str) -> str:
    """Where the kernel lists the sandbox's processes, and limits their number."""
    pure = os.path.exists(f"{_CGROUPS}/cgroup.controllers")
    return f"{_CGROUPS}/{cgroup.lstrip('/')}" if pure else f"{_CGROUPS}/pids/{cgroup.lstrip('/')}"


def _others(top: str, init: int, spare: Sequence[int]) -> set[int]:
    """The processes that are to be killed."""
    pids = cgroups.listed(top)
    kept = [pid for pid in spare if pid in pids]
    spared = {init, *kept}
    if kept:
        children: defaultdict[int, list[int]] = defaultdict(list)
        for pid, parent in _parents(pids).items():
            children[parent].append(pid)
        while kept:
            below = [pid for pid in children[kept.pop()] if pid not in spared]
            spared.update(below)
            kept += below
    return pids - spared


def _parents(pids: set[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in pids:
        try:
            found[pid] = int(stat_fields(pid)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def restore(answer: Answer, request: Restore) -> None:
    """Mount each path as it is on the kept disk over the sandbox's own."""
    uid_base, keep = request.uid_base, request.keep
    if not os.path.exists(request.report):
        found = changes(request.disk, request.baseline, request.image, request.paths, keep)
        write_whole(Path(request.report), asdict(found))
    with _view(request) as view:
        states = {path: _copy(view, path) for path in request.paths}
    _enter(request.pid, request.ticks)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    with files_owned_by(uid_base, uid_base):
        kept = None if keep is None else _open(root, keep, os.O_DIRECTORY)
        work = None if kept is None else clone_mount(kept, recursive=True)
        for path, state in states.items():
            _restore(root, path, state)
        if work is not None and keep is not None and (place := _open(root, keep, os.O_DIRECTORY)) is not None:
            attach_at(work, place)
        _mend_devices(root)
    answer(Done())


@contextmanager
def _view(request: Restore) -> Generator[int]:
    """The root folder of the sandbox as it was, read-only."""
    image, baseline, uid_base = request.image, request.baseline, request.uid_base
    user = os.open(f"/proc/{request.pid}/ns/user", os.O_RDONLY)
    lower, upper, whole = (f"{request.bundle}/{name}" for name in ("seal-lower", "seal-upper", "seal"))
    try:
        with mounted([(image, lower, MOUNT_ATTR_RDONLY), (baseline, upper, MOUNT_ATTR_RDONLY)], user):
            os.makedirs(whole, exist_ok=True)
            with short_paths(f"{upper}/upper", lower) as layers, files_owned_by(uid_base, uid_base):
                options = [("source", "baseline"), ("lowerdir", ":".join(layers))]
                overlay = new_mount("overlay", options, MOUNT_ATTR_RDONLY)
            attach(overlay, whole)
            os.close(overlay)
            try:
                root = os.open(whole, os.O_PATH | os.O_DIRECTORY)
                yield root
                os.close(root)
            finally:
                umount(whole)
    finally:
        os.close(user)


def _copy(view: int, path: str) -> _Found:
    parent = _open(view, os.path.dirname(path), os.O_DIRECTORY)
    if parent is None:
        return _Found()
    try:
        name = os.path.basename(path)
        try:
            kind = os.lstat(name, dir_fd=parent).st_mode
        except FileNotFoundError:
            return _Found()
        if stat.S_ISLNK(kind):
            return _Found(link=os.readlink(name, dir_fd=parent))
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
        tree = clone_mount(place)
        os.close(place)
        return _Found(tree, folder=stat.S_ISDIR(kind))
    finally:
        os.close(parent)


def _enter(pid: int, ticks: int) -> None:
    """Go into the sandbox's file system."""
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    if start_ticks(pid) != ticks:
        raise ProcessLookupError("the sandbox is gone")
    setns(namespace, CLONE_NEWNS)


def _open(root: int, path: str, flags: int = 0) -> int | None:
    """A path as the sandbox sees it, links and all; None if there is no such thing, or it leads nowhere."""
    try:
        return openat2(root, path, os.O_PATH | flags, 0, _RESOLVE)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _restore(root: int, path: str, was: _Found) -> None:
    parent = _open(root, os.path.dirname(path), os.O_DIRECTORY)
    if parent is None:
        return
    name = os.path.basename(path)
    try:
        now = os.lstat(name, dir_fd=parent).st_mode
    except FileNotFoundError:
        now = None
    if was.link is not None:
        if now is None or not stat.S_ISLNK(now) or os.readlink(name, dir_fd=parent) != was.link:
            _aside(parent, name, now)
            os.symlink(was.link, name, dir_fd=parent)
    elif was.tree is None:
        _aside(parent, name, now)
    else:
        if now is None or stat.S_IFMT(now) != (stat.S_IFDIR if was.folder else stat.S_IFREG):
            _aside(parent, name, now)
            if was.folder:
                os.mkdir(name, 0o755, dir_fd=parent)
            else:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=parent))
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
        attach_at(was.tree, place)
        os.close(place)
    os.close(parent)


def _aside(parent: int, name: str, kind: int | None) -> None:
    """Give what is there another name."""
    if kind is not None:
        os.rename(name, f"{name}.before-scoring-{time.time_ns()}", src_dir_fd=parent, dst_dir_fd=parent)


def _mend_devices(root: int) -> None:
    """The links of /dev, which is the sandbox's own memory: its root can replace them, though not the devices."""
    folder = os.open("dev", os.O_PATH | os.O_DIRECTORY, dir_fd=root)
    for name, target in _DEVICE_LINKS.items():
        try:
            if os.readlink(name, dir_fd=folder) == target:
                continue
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError:  # it is no link
            _aside(folder, name, 0)
        os.symlink(target, name, dir_fd=folder)
    os.close(folder)


def share(answer: Answer, request: Share) -> None:
    """Mount a folder in the sandbox, with copies of files in it."""
    source, uid_base = request.source, request.uid_base
    os.makedirs(source, 0o755, exist_ok=True)
    for name, path in request.files.items():
        if not os.path.exists(f"{source}/{name}"):
            new = f"{source}/.{name}.{os.getpid()}"
            shutil.copyfile(path, new)
            os.chmod(new, 0o755)  # noqa: S103 - a program, for every user of the sandbox
            os.rename(new, f"{source}/{name}")
    tree = open_tree(source)
    user = os.open(f"/proc/{request.pid}/ns/user", os.O_RDONLY)
    idmap(tree, user, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (0 if request.writable else MOUNT_ATTR_RDONLY))
    os.close(user)
    _enter(request.pid, request.ticks)
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY)
    with files_owned_by(uid_base, uid_base):
        for name in request.target.strip("/").split("/"):
            folder = _own_folder(folder, name, uid_base)
    attach_at(tree, folder)
    answer(Done())


def _own_folder(parent: int, name: str, uid_base: int) -> int:
    """A folder that belongs to the sandbox's root, made if it is not there."""
    try:
        now = os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=parent)
    else:
        if not stat.S_ISDIR(now.st_mode) or now.st_uid != uid_base:
            _aside(parent, name, now.st_mode)
            os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)

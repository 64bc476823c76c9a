"""Starts buildah where it sees no more than a build needs: `python -m loopyard.runtime.crun.building.enter`, with a
`Way` in JSON on standard input: the values of secrets are in it.

What a Dockerfile says is hostile: `ADD` fetches URLs, `FROM` can name files. So buildah itself runs in the network and
the cgroup of the build's own sandbox, and on a root of its own that holds the host's programs and the build's folders,
but neither the data folder nor anyone's home. It dies with the server.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TypedDict

from loopyard.runtime.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    MS_BIND,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    end_with_parent,
    mount,
    pivot_root,
    setns,
    umount,
    unshare,
)

UNIFIED = "/sys/fs/cgroup/unified"
_CGROUPS = Path("/sys/fs/cgroup")
_KERNEL = ("/proc", "/sys", "/dev")


class Way(TypedDict):
    """`root` is an empty folder for the new root; `shown` and `writable` the host's paths that are in it.
    `temporary` is what is found there as /var/tmp: a step's own root must be able to get there."""

    argv: list[str]
    environment: dict[str, str]
    cgroup: str | None
    network: str | None
    root: str
    shown: list[str]
    writable: list[str]
    temporary: str
    resolv_conf: str | None


def main() -> None:
    way: Way = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    end_with_parent(signal.SIGKILL)
    os.setsid()
    os.umask(0o022)
    if way["cgroup"] is not None:
        _join(way["cgroup"])
    network = None if way["network"] is None else os.open(way["network"], os.O_RDONLY)
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    if not (_CGROUPS / "cgroup.controllers").exists() and os.path.ismount(UNIFIED):
        umount(UNIFIED)  # see the launcher's place
        mount("tmpfs", UNIFIED, "tmpfs", 0, "size=16m,mode=755")
    if network is not None:
        setns(network, CLONE_NEWNET)
        os.close(network)
    _furnish(way)
    os.chdir(way["root"])
    pivot_root(".", ".")
    umount(".")
    os.chdir("/")
    os.execvpe(way["argv"][0], way["argv"], way["environment"])  # noqa: S606


def _join(cgroup: str) -> None:
    """Be in the sandbox's cgroup, with all that this process starts."""
    folders = [_CGROUPS / cgroup.lstrip("/")]
    if not (_CGROUPS / "cgroup.controllers").exists():
        folders = [_CGROUPS / name / cgroup.lstrip("/") for name in ("memory", "cpu", "pids")]
    for folder in folders:
        (folder / "cgroup.procs").write_text(str(os.getpid()))


def _furnish(way: Way) -> None:
    root = way["root"]
    mount("tmpfs", root, "tmpfs", 0, "size=64m,mode=755")
    for name in ("tmp", "var/tmp", "run", "root"):
        (Path(root) / name).mkdir(parents=True)
    for path in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", *_KERNEL, *way["shown"]):
        _show(root, path, read_only=path not in _KERNEL)
    mount("tmpfs", f"{root}/dev/shm", "tmpfs", 0, "size=64m,mode=1777")  # noqa: S108  (the host's holds others' secrets)
    for path in way["writable"]:
        _show(root, path, read_only=False)
    mount(way["temporary"], f"{root}/var/tmp", None, MS_BIND)  # noqa: S108
    if way["resolv_conf"] is not None:
        target = Path(root + os.path.realpath("/etc/resolv.conf"))
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount(way["resolv_conf"], str(target), None, MS_BIND)


def _show(root: str, path: str, *, read_only: bool) -> None:
    inside = Path(root + path)
    if inside.exists() and path not in _KERNEL and read_only:
        return  # it is in something that is shown already
    if Path(path).is_symlink():
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(Path(path).readlink())
    elif Path(path).is_dir():
        inside.mkdir(parents=True, exist_ok=True)
        mount(path, str(inside), None, MS_BIND | MS_REC)
        if read_only:
            mount("none", str(inside), None, MS_BIND | MS_REMOUNT | MS_RDONLY)
    elif Path(path).is_file():
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()
        mount(path, str(inside), None, MS_BIND)
        mount("none", str(inside), None, MS_BIND | MS_REMOUNT | MS_RDONLY)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"Error: the host could not start this: {error.strerror}")

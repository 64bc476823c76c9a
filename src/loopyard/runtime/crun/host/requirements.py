"""Capabilities of this host, and missing ones."""

import os
import resource
import shutil
from pathlib import Path

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.programs import search_path

_PROGRAMS = {
    "crun": "crun",
    "catatonit": "catatonit",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "mount": "mount",
}
"""Programs that the provider runs, and Debian's and Ubuntu's package of each."""

_CONTROLLERS = ("memory", "cpu", "pids")
_CGROUPS = Path("/sys/fs/cgroup")
_SWAPS = Path("/proc/swaps")
_MOST_OPEN_FILES = 1 << 20
_OTHER = "The docker provider needs none of this: set LOOPYARD_RUNTIME__TYPE=docker where Docker or Podman runs."


def check() -> None:
    """See whether sandboxes can be run.

    Raises:
        RuntimeUnavailable: They cannot; the message says what is missing, how to get it, and what would do without.
    """
    missing = [name for name in _PROGRAMS if shutil.which(name, path=search_path()) is None]
    problems: list[str] = []
    if os.geteuid() != 0:
        problems.append("it must run as root (mounts, namespaces and firewall rules need it): use sudo")
    if missing:
        packages = " ".join(_PROGRAMS[name] for name in missing)
        problems.append(f"these programs are missing: {', '.join(missing)}. apt-get install {packages}")
    if absent := [name for name in _CONTROLLERS if not _has_controller(name)]:
        problems.append(f"the kernel offers no cgroup controller for {', '.join(absent)}, so limits could not hold")
    if not Path("/proc/self/ns/user").exists():
        problems.append("the kernel has no user namespaces")
    if problems:
        raise RuntimeUnavailable("\n  - ".join(["The crun provider cannot work here:", *problems, _OTHER]))


def program(name: str) -> Path:
    """Where a program of the list is."""
    found = shutil.which(name, path=search_path())
    if found is None:
        raise RuntimeUnavailable(f"{name} is missing. apt-get install {_PROGRAMS[name]}")
    return Path(found)


def has_cgroup2() -> bool:
    """True if cgroup v2 is the only one; otherwise v1 is used, also where both are mounted."""
    return (_CGROUPS / "cgroup.controllers").exists()


def _has_controller(name: str) -> bool:
    if has_cgroup2():
        return name in (_CGROUPS / "cgroup.controllers").read_text().split()
    return (_CGROUPS / name).is_dir()


def can_limit_swap() -> bool:
    """True if the kernel accounts for swap; a kernel built without has no file for its limit."""
    if has_cgroup2():
        return _SWAPS.exists()
    return (_CGROUPS / "memory/memory.memsw.limit_in_bytes").exists()


def out_of_memory(cgroup: str) -> bool:
    """True if the kernel has killed anything in this cgroup for its memory limit."""
    return cgroups.memory_kills(cgroup) > 0


def out_of_processes(cgroup: str) -> bool:
    """True if the kernel has refused this cgroup a further process for its limit."""
    top = _CGROUPS if has_cgroup2() else _CGROUPS / "pids"
    try:
        rows = (line.split() for line in (top / cgroup.lstrip("/") / "pids.events").read_text().splitlines())
    except OSError:
        return False
    return any(len(row) == 2 and row[0] == "max" and int(row[1]) > 0 for row in rows)


def most_open_files() -> int:
    """The limit on open files for commands: at most this process's own hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)

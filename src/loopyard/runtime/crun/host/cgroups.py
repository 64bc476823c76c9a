"""The cgroups of sandboxes, and of servers, in both versions of the kernel's file system for them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

_TOP = Path("/sys/fs/cgroup")
_BATCH = 256
"""How many processes are killed after one look at their cgroup: each takes a descriptor meanwhile."""
_CLEAR_SECONDS, _LOOK_SECONDS = 2.0, 0.005


def folders(cgroup: str) -> list[Path]:
    """Where a cgroup is: one folder in version 2, one for each controller in version 1."""
    name = cgroup.lstrip("/")
    return [folder for folder in (_TOP / name, *_TOP.glob(f"*/{name}")) if folder.is_dir()]


def limit(cgroup: str, resources: Mapping[str, Mapping[str, int]]) -> None:
    """Give the cgroup of a sandbox other limits: `memory`, `cpu` and `pids`, as OCI's configuration has them.

    Raises:
        OSError: The kernel does not take them.
    """
    memory, cpu, pids = (resources[kind] for kind in ("memory", "cpu", "pids"))
    whole = _TOP / cgroup.lstrip("/")
    if (_TOP / "cgroup.controllers").exists():
        _write(whole / "memory.max", memory["limit"])
        if "swap" in memory:
            _write(whole / "memory.swap.max", memory["swap"] - memory["limit"])
        _write(whole / "cpu.max", f"{cpu['quota']} {cpu['period']}")
        _write(whole / "pids.max", pids["limit"])
        return
    own = {kind: _TOP / kind / cgroup.lstrip("/") for kind in ("memory", "cpu", "pids")}
    limits = {"limit": own["memory"] / "memory.limit_in_bytes", "swap": own["memory"] / "memory.memsw.limit_in_bytes"}
    grows = int(limits["limit"].read_text()) < memory["limit"]
    for name in ("swap", "limit") if grows else ("limit", "swap"):  # the one may never be more than the other
        if name in memory:
            _write(limits[name], memory[name])
    _write(own["cpu"] / "cpu.cfs_period_us", cpu["period"])
    _write(own["cpu"] / "cpu.cfs_quota_us", cpu["quota"])
    _write(own["pids"] / "pids.max", pids["limit"])


def memory_kills(cgroup: str) -> int:
    """How many processes of a cgroup the kernel has killed for its memory limit; 0 where there is no such cgroup."""
    name = cgroup.lstrip("/")
    for file in (f"{_TOP}/memory/{name}/memory.oom_control", f"{_TOP}/{name}/memory.events"):
        try:
            with open(file) as stream:  # noqa: PTH123 - each command is looked at so, twice
                rows = [line.split() for line in stream]
        except OSError:
            continue
        return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == "oom_kill"), 0)
    return 0


def _write(file: Path, value: int | str) -> None:
    file.write_text(str(value))


def remove(cgroup: str) -> None:
    """Remove a cgroup and those below it, as far as nothing runs in them."""
    for folder in folders(cgroup):
        for below, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(below)  # noqa: PTH106


def remove_empty(cgroup: str) -> None:
    """Remove a cgroup that has none below it."""
    for folder in folders(cgroup):
        with contextlib.suppress(OSError):
            folder.rmdir()


def kill(pids: Iterable[int], folder: str | Path) -> None:
    """Kill processes that the cgroup at `folder`, or one below it, lists; nothing becomes of those that are not there
    any more, though other processes may have their numbers by now. The cgroup may list thousands, which takes the
    kernel a millisecond and more, so it is asked once for many of them."""
    left = list(pids)
    while left:
        batch, left = left[:_BATCH], left[_BATCH:]
        processes = {pid: process for pid in batch if (process := _process(pid)) is not None}
        try:
            there = listed(folder)  # looked at only now, when it is sure whose descriptors these are
            for pid in there.intersection(processes):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(processes[pid], signal.SIGKILL)
        finally:
            for process in processes.values():
                os.close(process)


def _process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def listed(folder: str | Path) -> set[int]:
    """The processes in the cgroup at `folder` and those below it."""
    pids: set[int] = set()
    for below, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):  # it was just removed
            pids.update(int(line) for line in Path(below, "cgroup.procs").read_text().split())
    return pids


def _kill_all(folder: Path) -> None:
    """Kill all in a cgroup and below it: by the kernel where it can, else one by one."""
    try:
        with (folder / "cgroup.kill").open("r+") as file:  # Linux 5.14, in version 2
            file.write("1")
    except OSError:
        kill(listed(folder), folder)


def clear(cgroup: str) -> None:
    """End what still runs in the cgroup of a sandbox that is taken apart, and remove it: crun leaves one that somebody
    is in just then. It stays if that takes longer than some seconds."""
    deadline = time.monotonic() + _CLEAR_SECONDS
    remove(cgroup)
    while (left := folders(cgroup)) and time.monotonic() < deadline:
        for folder in left:
            _kill_all(folder)
        time.sleep(_LOOK_SECONDS)
        remove(cgroup)

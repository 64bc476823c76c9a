"""Memory that boxes hold: the share of their processes, and of those that keep them, and what the kernel has charged to
their control groups."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_WHOLE = frozenset({"Pss:"})
_OWN = frozenset({"Pss_Anon:", "Pss_Shmem:"})


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes. `processes` is the sum of their proportional set sizes: of a page that several share, each has its part.
    `kernel` is what the kernel has set aside on behalf of the boxes' control groups: page tables, stacks, sockets,
    file system objects. Pages that hold nothing but copies of files are in neither."""

    processes: int
    kernel: int

    @property
    def together(self) -> int:
        return self.processes + self.kernel


def held(keeper: int, boxes: Set[str]) -> Held:
    """What boxes, by the names of their control groups, hold now, together with the process `keeper` and all that it
    started."""
    processes = {keeper, *(child.pid for child in psutil.Process(keeper).children(recursive=True))}
    groups: set[Path] = set()
    for pid in psutil.pids():
        if (group := _group(pid, boxes)) is not None:
            processes.add(pid)
            groups.add(group)
    return Held(sum(_rollup(pid, _WHOLE) for pid in processes), sum(_kernel(group) for group in groups))


@dataclass(frozen=True, slots=True)
class Own:
    """Bytes that are processes' own, heaps and stacks; of pages that several share, each has its part. Mapped files are
    not among them: what the kernel holds of these it gives up when memory is short.

    `process` is the process itself, `children` are those that it has started and keeps, `workers` holds one number for
    each of those that these have started, and whose number changes with what is to be done.
    """

    process: int
    children: int
    workers: list[int]


def own(pid: int) -> Own:
    """What a process and its descendants hold themselves."""
    children = psutil.Process(pid).children()
    workers = [worker for child in children for worker in child.children(recursive=True)]
    kept = sum(_rollup(child.pid, _OWN) for child in children)
    return Own(_rollup(pid, _OWN), kept, [_rollup(worker.pid, _OWN) for worker in workers])


def _group(pid: int, boxes: Set[str]) -> Path | None:
    """The control group that limits the memory of the box that a process is in; None for a process in no box."""
    for line in _lines(Path(f"/proc/{pid}/cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        parts = Path(path).parts
        for index, part in enumerate(parts):
            if part.removeprefix("libpod-").removesuffix(".scope") in boxes:
                root = _CGROUPS / "memory" if controllers else _CGROUPS
                return root.joinpath(*parts[1 : index + 1])
    return None


def _rollup(pid: int, fields: Set[str]) -> int:
    """The sum of some of a process's proportional set sizes; 0 if it has ended meanwhile."""
    rows = (line.split() for line in _lines(Path(f"/proc/{pid}/smaps_rollup")))
    return sum(int(row[1]) * 1024 for row in rows if row[0] in fields)


def _kernel(group: Path) -> int:
    if (usage := next(iter(_lines(group / "memory.kmem.usage_in_bytes")), None)) is not None:
        return int(usage)
    rows = (line.split() for line in _lines(group / "memory.stat"))
    return next((int(row[1]) for row in rows if row[0] == "kernel"), 0)


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return ()

"""How busy the host is."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostFigures:
    cpus: int
    cpu_share: float
    """From 0 to 1, since the figures before."""
    memory_bytes: int
    memory_used_bytes: int
    disk_bytes: int
    """Without what the file system keeps back."""
    disk_used_bytes: int


class HostMeter:
    """Reads the host's figures, at most once a second however many ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at = float("-inf")
        self._busy = self._total = 0
        self._last: HostFigures | None = None

    def figures(self) -> HostFigures:
        if self._last is not None and time.monotonic() - self._read_at < 1:
            return self._last
        self._read_at = time.monotonic()
        memory, free = _memory()
        disk = shutil.disk_usage(self._folder)
        self._last = HostFigures(
            os.cpu_count() or 1, self._cpu_share(), memory, memory - free, disk.used + disk.free, disk.used
        )
        return self._last

    def _cpu_share(self) -> float:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        total, idle = sum(ticks), ticks[3] + ticks[4]
        busy = total - idle
        passed, worked = total - self._total, busy - self._busy
        self._busy, self._total = busy, total
        return worked / passed if passed > 0 else 0.0


def _memory() -> tuple[int, int]:
    """The bytes of memory in all, and those that are available."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]

"""Usage of a sandbox, by its cgroup."""

from pathlib import Path

from loopyard.runtime.crun.host.requirements import has_cgroup2
from loopyard.runtime.protocol import SandboxUsage

_CGROUPS = Path("/sys/fs/cgroup")


def usage(cgroup: str) -> SandboxUsage | None:
    """Usage of the processes of a cgroup now; None if there is none of this name."""
    name = cgroup.lstrip("/")
    try:
        if has_cgroup2():
            folder = _CGROUPS / name
            rows = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
            return SandboxUsage(
                memory_bytes=int((folder / "memory.current").read_text()),
                cpu_seconds=int(rows["usage_usec"]) / 1e6,
                processes=int((folder / "pids.current").read_text()),
            )
        return SandboxUsage(
            memory_bytes=int((_CGROUPS / "memory" / name / "memory.usage_in_bytes").read_text()),
            cpu_seconds=int((_CGROUPS / "cpuacct" / name / "cpuacct.usage").read_text()) / 1e9,
            processes=int((_CGROUPS / "pids" / name / "pids.current").read_text()),
        )
    except OSError:
        return None

"""Facts of the machine that figures depend on. Nothing in them tells which machine it was."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

_ROOT = Path(__file__).parent.parent


def facts() -> dict[str, Any]:
    """CPU, cores, memory, kernel, control groups, and versions of the programs that take part."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "cgroups": _cgroups(),
        "python": platform.python_version(),
        "crun": _version("crun"),
        "podman": _version("podman"),
        "dockerd": _version("dockerd"),
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def host_class() -> str:
    """A name for machines of this kind, such as `amd-epyc-2c-23g`."""
    words = _cpu().lower().replace("(r)", "").replace("(tm)", "").split()[:2]
    return "-".join([*words, f"{os.cpu_count()}c", f"{round(psutil.virtual_memory().total / 1024**3)}g"])


def commit() -> dict[str, Any]:
    """The state of the code that is measured."""
    git = ("git", "-c", f"safe.directory={_ROOT}", "-C", str(_ROOT))
    changed = _first_line(*git, "status", "--porcelain", "--untracked-files=no")
    return {"commit": _first_line(*git, "rev-parse", "HEAD"), "uncommitted_changes": bool(changed)}


def now() -> datetime:
    return datetime.now(UTC)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cgroups() -> str:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "v2"
    return "v1 with v2 beside it" if Path("/sys/fs/cgroup/unified").exists() else "v1"


def _version(program: str) -> str | None:
    """The first line that it prints of itself; None if it is not installed."""
    return _first_line(program, "--version") if shutil.which(program) else None


def _first_line(*command: str) -> str:
    printed = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return next(iter(printed.splitlines()), "")

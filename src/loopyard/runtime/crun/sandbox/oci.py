"""The OCI configuration of sandboxes, and the `process.json` of their commands (OCI runtime specification 1.0)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loopyard.kit.host.linux import SEARCH_PATH
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.sandbox import seccomp
from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.protocol import Limits

INIT = "/dev/init"
"""Where the sandbox's first process is found inside. It reaps what others leave, and does nothing else."""

_CPU_PERIOD = 100_000
OOM_SCORE = 500
"""`oom_score_adj` of all that runs in sandboxes: it is ended before the host's own programs."""

_CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
]
"""Capabilities that container engines grant by default. They hold only inside the sandbox's user namespace."""

_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def process(
    account: Account, argv: Sequence[str], cwd: str, environment: Mapping[str, str], open_files: int
) -> dict[str, Any]:
    """A process of a sandbox that runs as `account`. `open_files` is the limit on open files."""
    own = {
        "PATH": SEARCH_PATH,
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": account.shell or "/bin/sh",
        "LANG": "C.UTF-8",
    }
    capabilities: dict[str, list[str]] = {"bounding": _CAPABILITIES}
    if account.uid == 0:
        capabilities |= {"effective": _CAPABILITIES, "permitted": _CAPABILITIES}
    return {
        "terminal": False,
        "user": {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)},
        "args": list(argv),
        "env": [f"{name}={value}" for name, value in {**own, **environment}.items()],
        "cwd": cwd,
        "capabilities": capabilities,
        # sudo works: what it gains is the sandbox's root, who is nobody outside.
        "noNewPrivileges": False,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": open_files, "soft": open_files}],
        "oomScoreAdj": OOM_SCORE,
    }


def configuration(
    bundle: Path, root: Path, init: Path, hostname: str, uid_base: int, cgroup: str, limits: Limits, *, limit_swap: bool
) -> dict[str, Any]:
    """A sandbox whose root file system is mounted at `root`, and whose network namespace its bundle links to."""
    mapping = [{"containerID": 0, "hostID": uid_base, "size": UIDS}]
    superuser = Account("root", 0, 0, (0,), "/root", "/bin/sh")
    return {
        "ociVersion": "1.0.0",
        "hostname": hostname,
        "root": {"path": str(root)},
        "process": process(superuser, [INIT, "-P"], "/", {}, 1024),
        "mounts": _mounts(init, limits),
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user", "cgroup")),
                {"type": "network", "path": str(bundle / "network")},
            ],
            "uidMappings": mapping,
            "gidMappings": mapping,
            "cgroupsPath": cgroup,
            "resources": {
                "devices": [{"allow": False, "access": "rwm"}],
                **resources(limits, limit_swap=limit_swap),
            },
            "seccomp": seccomp.profile(),
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
        },
    }


def resources(limits: Limits, *, limit_swap: bool) -> dict[str, dict[str, int]]:
    """The limits that can be changed while a sandbox runs."""
    swap = {"swap": limits.memory_bytes} if limit_swap else {}
    return {
        "memory": {"limit": limits.memory_bytes, **swap},
        "cpu": {"period": _CPU_PERIOD, "quota": int(limits.cpu_cores * _CPU_PERIOD)},
        "pids": {"limit": limits.pids},
    }


def shared_memory_bytes(memory_bytes: int) -> int:
    """The size of `/dev/shm` in a sandbox with this limit on memory: half of it, as on a machine. What is in there
    counts as its memory."""
    return memory_bytes // 2


def _mounts(init: Path, limits: Limits) -> list[dict[str, Any]]:
    def mount(target: str, kind: str, *options: str, source: str | None = None) -> dict[str, Any]:
        return {"destination": target, "type": kind, "source": source or kind, "options": list(options)}

    shared = f"size={shared_memory_bytes(limits.memory_bytes)}"
    return [
        mount("/proc", "proc", "nosuid", "noexec", "nodev"),
        mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", shared, source="shm"),  # noqa: S108
        mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        # Where runtimes such as JVM, Go, Node and Python look for the limits that they live under.
        mount("/sys/fs/cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
        mount(INIT, "bind", "bind", "ro", "nosuid", "nodev", source=str(init)),
    ]

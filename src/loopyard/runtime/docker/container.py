"""Requests to the engine about a sandbox, and its answers."""

from collections.abc import Callable, Mapping
from typing import Any

from loopyard.runtime.images import STARTS_IN_WORKDIR
from loopyard.runtime.protocol import Limits, NetworkPolicy, SandboxSpec, SandboxUsage

SERVER_LABEL = "loopyard.server"
SANDBOX_LABEL = "loopyard.sandbox"
WORKDIR_LABEL = "loopyard.workdir"
"""Where commands start, as the image says; empty for the user's home. Snapshots inherit it. The container's own is `/`,
as the engine starts nothing in a folder that is gone."""

OUT_OF_MEMORY = [
    "/bin/sh",
    "-c",
    "grep -h '^oom_kill ' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null",
]
"""Prints how often the kernel has killed: engines tell it only of the first process."""


def limits(given: Limits) -> dict[str, Any]:
    """The limits that can be changed while it stands."""
    return {
        "Memory": given.memory_bytes,
        "MemorySwap": given.memory_bytes,
        "NanoCpus": int(given.cpu_cores * 1e9),
        "PidsLimit": given.pids,
    }


def configuration(
    spec: SandboxSpec, image: str, server: str, network: str, workdir: str | None, *, disk_limits: bool
) -> dict[str, Any]:
    """The body of the request that makes the container of a sandbox: one that idles under an init that reaps."""
    host: dict[str, Any] = {
        **limits(spec.limits),
        "Init": True,
        "NetworkMode": network,
        # Its root can write to what its first process prints: nothing of that is kept.
        "LogConfig": {"Type": "none"},
        "RestartPolicy": {"Name": "no"},
    }
    if disk_limits:
        host["StorageOpt"] = {"size": str(spec.limits.disk_bytes)}
    return {
        "Image": image,
        "Entrypoint": ["sleep", "2147483647"],
        "Cmd": [],
        "User": "0",
        "WorkingDir": "/",
        "Hostname": spec.hostname,
        "Labels": {SERVER_LABEL: server, SANDBOX_LABEL: spec.id, WORKDIR_LABEL: workdir or ""},
        "HostConfig": host,
        "Healthcheck": {"Test": ["NONE"]},
    }


def usage(stats: dict[str, Any]) -> SandboxUsage | None:
    """Usage by the engine's figures; None if they are of a container that does not run."""
    memory: dict[str, Any] = stats.get("memory_stats") or {}
    cpus: dict[str, Any] = stats.get("cpu_stats") or {}
    pids: dict[str, Any] = stats.get("pids_stats") or {}
    if "usage" not in memory:
        return None
    return SandboxUsage(
        int(memory["usage"]), int(cpus["cpu_usage"]["total_usage"]) / 1e9, int(pids.get("current") or 0)
    )


def is_closed(policy: NetworkPolicy | None) -> bool:
    """True if a policy lets nothing through."""
    return policy is not None and policy == NetworkPolicy()


def can_enforce(policy: NetworkPolicy | None) -> bool:
    """All or nothing is what an engine can do. Sandboxes do not reach each other, whatever their group."""
    return policy is None or is_closed(policy) or policy.allow_all


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """Variables of the configuration of an image or a container."""
    pairs = [str(one).partition("=") for one in config.get("Env") or ()]
    return {name: value for name, sign, value in pairs if sign}


def workdir(config: Mapping[str, Any]) -> str | None:
    """Folder where commands start, by the configuration of an image or a container; None for the user's home."""
    labels: dict[str, str] = config.get("Labels") or {}
    if WORKDIR_LABEL in labels:
        return labels[WORKDIR_LABEL] or None
    folder = str(config.get("WorkingDir") or "/")
    return folder if folder != "/" or labels.get(STARTS_IN_WORKDIR) == "true" else None


def sandbox_of(row: Mapping[str, Any], name_of: Callable[[str], str]) -> str | None:
    """The sandbox whose container the engine lists. Images of builds may say its label too: the name counts."""
    sandbox_id = str(row["Labels"].get(SANDBOX_LABEL, ""))
    names = [str(name).removeprefix("/") for name in row.get("Names") or ()]
    return sandbox_id if name_of(sandbox_id) in names else None

"""Bundle of a sandbox for crun and the launcher: `config.json` and `place.json` in its folder."""

import json
import os
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from loopyard.runtime.crun.host import network, requirements
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.crun.sandbox import oci
from loopyard.runtime.crun.sandbox.accounts import Accounts
from loopyard.runtime.crun.sandbox.paths import SandboxPaths
from loopyard.runtime.layout import write_whole
from loopyard.runtime.protocol import SandboxSpec

_NEEDED = ("dev", "etc", "proc", "sys")
"""Folders that every sandbox has, also one of an image that holds a single program."""


def write(
    spec: SandboxSpec,
    accounts: Accounts | None,
    cwd: str | None,
    instance: Instance,
    slot: int,
    init: Path,
    traces: SandboxPaths,
    network_slot: int | None = None,
) -> None:
    """Write them where `traces` has its bundle. See below for the rest."""
    write_whole(traces.bundle / "place.json", place(spec, accounts, cwd, instance, slot, network_slot))
    write_whole(traces.bundle / "config.json", configuration(spec, instance, slot, init, traces))


def place(
    spec: SandboxSpec,
    accounts: Accounts | None,
    cwd: str | None,
    instance: Instance,
    slot: int,
    network_slot: int | None = None,
) -> dict[str, Any]:
    """Content for the root file system, as `placing.put` takes it. `accounts` and `cwd`, which is made if it is
    missing, are the image's; without accounts, users are left to it. `network_slot` is the slot whose network it is in,
    if that is another's."""
    lacks_user = accounts is not None and accounts.find(spec.user) is None
    additions = accounts.add(spec.user)[1] if accounts is not None and lacks_user else None
    asked = network.nameservers() or [instance.addresses(slot if network_slot is None else network_slot)[0]]
    names = " ".join(("localhost", spec.hostname, *(service.name for service in spec.services)))
    search = network.search_domains()
    return {
        "needed": _NEEDED,
        "folders": dict.fromkeys(_ancestors(cwd), 0),
        "lines": {
            "etc/resolv.conf": [*([search] if search else []), *(f"nameserver {address}" for address in asked)],
            "etc/hosts": [f"127.0.0.1 {names}", "::1 localhost"],
        },
        "files": {"etc/hostname": (f"{spec.hostname}\n", 0o644)},
        "account": None if additions is None else asdict(additions),
    }


def configuration(spec: SandboxSpec, instance: Instance, slot: int, init: Path, traces: SandboxPaths) -> dict[str, Any]:
    """Configuration for crun. `init` is the sandbox's first process on the host."""
    return oci.configuration(
        traces.bundle,
        traces.root,
        init,
        spec.hostname,
        instance.uid_base(slot),
        traces.cgroup,
        spec.limits,
        limit_swap=requirements.can_limit_swap(),
    )


def write_over(path: Path, content: Any) -> None:
    """Write JSON over what is in a small file that nobody reads meanwhile. A new file would take a millisecond on ext4
    where many were deleted lately."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.pwrite(file, json.dumps(content).encode().ljust(os.fstat(file).st_size), 0)
    finally:
        os.close(file)


def _ancestors(path: str | None) -> list[str]:
    """A folder and all above it, from the top."""
    if path is None:
        return []
    folder = PurePosixPath(path.lstrip("/"))
    return [str(one) for one in (*reversed(folder.parents), folder) if one.name not in ("", "..")]

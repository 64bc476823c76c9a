"""What crun and the launcher are told of a sandbox: `config.json` and `place.json` in its folder."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

from loopyard.runtime.crun import host, network, oci
from loopyard.runtime.crun.accounts import Accounts
from loopyard.runtime.crun.instance import Instance
from loopyard.runtime.crun.syscalls import swap
from loopyard.runtime.crun.whereabouts import Traces
from loopyard.runtime.layout import write_whole
from loopyard.runtime.protocol import SandboxSpec

_NEEDED = ("dev", "etc", "proc", "sys")
"""Folders that every sandbox has, also one of an image that holds a single program."""


def write(
    spec: SandboxSpec,
    accounts: Accounts,
    cwd: str | None,
    instance: Instance,
    slot: int,
    init: Path,
    traces: Traces,
    network_slot: int | None = None,
) -> None:
    """Write them where `traces` has its bundle. `accounts` and `cwd`, which is made if it is missing, are the image's;
    `init` is the sandbox's first process on the host. `network_slot` is the slot whose network it is in, if that is
    another's."""
    additions = accounts.add(spec.user)[1] if accounts.find(spec.user) is None else None
    asked = network.nameservers() or [instance.addresses(slot if network_slot is None else network_slot)[0]]
    names = " ".join(("localhost", spec.hostname, *(service.name for service in spec.services)))
    resolvers = "".join(f"nameserver {address}\n" for address in asked)
    place = {
        "folders": {**dict.fromkeys((*_NEEDED, *_ancestors(cwd)), 0), **(additions.folders if additions else {})},
        "files": {
            "etc/resolv.conf": (f"{network.search_domains()}\n{resolvers}".lstrip(), 0o644),
            "etc/hostname": (f"{spec.hostname}\n", 0o644),
            "etc/hosts": (f"127.0.0.1 {names}\n::1 localhost\n", 0o644),
            **(additions.files if additions else {}),
        },
    }
    put(traces.bundle / "place.json", place)
    configuration = oci.configuration(
        traces.bundle,
        traces.root,
        init,
        spec.hostname,
        instance.uid_base(slot),
        traces.cgroup,
        spec.limits,
        limit_swap=host.can_limit_swap(),
    )
    put(traces.bundle / "config.json", configuration)


def put(path: Path, content: Any) -> None:
    """Write JSON that nobody needs after a power cut, whole or not at all. One that is there makes way at once: to
    rename a file over another is to wait for the disk with ext4 (`auto_da_alloc`)."""
    new = path.with_suffix(".next")
    write_whole(new, content)
    if not path.exists():
        new.rename(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        swap(folder, path.name, new.name)
    finally:
        os.close(folder)
    new.unlink()


def _ancestors(path: str | None) -> list[str]:
    """A folder and all above it, from the top."""
    if path is None:
        return []
    folder = PurePosixPath(path.lstrip("/"))
    return [str(one) for one in (*reversed(folder.parents), folder) if one.name not in ("", "..")]

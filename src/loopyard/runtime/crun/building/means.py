"""Means of builds: sandboxes of the provider for their steps, and a folder in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.crun.sandbox.factory import Ground
from loopyard.runtime.protocol import Attached, Runtime, SandboxSpec


@dataclass(frozen=True, slots=True)
class Means:
    """Things that all builds of a server use. `memory` is a folder in memory, since what lies there are secrets too;
    `ca_bundle` holds the host's certificate authorities, None for none."""

    memory: Path
    ca_bundle: Path | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sandbox's processes are. `host_address` is the host's end of its network."""

    pid: int
    uid_base: int
    cgroup: str
    host_address: str


class StepRuntime(Runtime, Protocol):
    """A provider that runs the steps of builds."""

    async def create_step(self, spec: SandboxSpec, step: Ground) -> None:
        """Start a sandbox on the layers of a build so far. It is like any other, but for its root file system.

        Raises:
            SandboxStartFailed: The host could not start it; nothing of it is left.
        """
        ...

    async def attach_step(
        self, sandbox_id: str, account: Account, argv: Sequence[str], cwd: str, environment: Mapping[str, str]
    ) -> Attached:
        """Start a command there, with these variables and no others.

        Raises:
            SandboxNotRunning: It does not run any more.
            CommandStartFailed: The host could not start it.
        """
        ...

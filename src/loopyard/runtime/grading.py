"""Protocol of a provider that can isolate grading: nobody who was in the sandbox before has a hand in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from loopyard.runtime.protocol import Runtime


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """A folder of the host that sandboxes share. `files` are programs that are in it, by name: copies of the host's."""

    name: str
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """Report of a restore: the first changed paths by name, sorted within what became of them, and how many there are.
    A folder that was added or removed is one path. `complete` is false where there was more than is looked at."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]
    count: int
    complete: bool


class GradingIsolation(Protocol):
    """Ends what runs in a sandbox, and puts back what was changed. All of it can be repeated.

    Each method raises SandboxNotFound or SandboxNotRunning where there is nothing to act on, NoSpaceLeft where the
    sandbox's disk is too full for it, and GradingIsolationFailed where the host cannot.
    """

    async def take_baseline(self, sandbox_id: str) -> None:
        """Keep the sandbox's disk as it is now, for `restore`. The first baseline holds until the sandbox is
        destroyed."""
        ...

    async def stop_all(self, sandbox_id: str, *, spare: Collection[str] = ()) -> None:
        """Kill every process in the sandbox but its first, and but the commands `spare` and their descendants. When
        this returns, none of them runs any more."""
        ...

    async def restore(self, sandbox_id: str, paths: Sequence[str], *, keep: str | None = None) -> None:
        """Put each of the absolute `paths` back as it is in the baseline, read-only, until the sandbox is stopped:
        folders and files by mounts that nobody in it can take away. What was not there is moved aside. The folder
        `keep` stays as it is, also inside of one of these. Nothing else may run meanwhile. Done once for each start of
        a sandbox.
        """
        ...

    async def restore_report(self, sandbox_id: str) -> RestoreReport | None:
        """Report of the first `restore`; None before it."""
        ...

    async def share(self, sandbox_id: str, folder: SharedFolder, target: str, *, writable: bool = False) -> None:
        """Show a shared folder at the absolute path `target`, over what is there. The sandbox's root owns what is in
        it; it can be written to only if `writable` says so."""
        ...


@runtime_checkable
class GradingIsolator(Protocol):
    """A provider that can do this."""

    @property
    def grading_isolation(self) -> GradingIsolation:
        """How."""
        ...


def isolation_of(runtime: "Runtime") -> GradingIsolation | None:
    """The grading isolation of an open provider; None where it has none."""
    return runtime.grading_isolation if isinstance(runtime, GradingIsolator) else None

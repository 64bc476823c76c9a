"""Protocol of a provider that tells what was changed in a folder of a sandbox since its grading baseline was taken."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from loopyard.runtime.protocol import Runtime


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """Changes in a folder as a patch, in the format of git. Its paths begin in the folder. `files` changed, of which
    `left_out` are not in the patch for want of room; `added` and `removed` are lines in it. `skipped` names folders
    that were not looked into, such as a repository's own; `complete` is false where there was more than is looked at.
    """

    patch: bytes
    files: int
    left_out: int
    added: int
    removed: int
    skipped: tuple[str, ...]
    complete: bool


@runtime_checkable
class ComparesFolders(Protocol):
    """A provider that can do this."""

    async def folder_changes(self, sandbox_id: str, path: str) -> FolderChanges | None:
        """Changes in the folder of the absolute `path`, whether or not the sandbox runs. They are kept when they are
        first asked for, and told so until the sandbox is destroyed, whatever happens in it. None where there is no
        sandbox of this id or no baseline.

        Raises:
            GradingIsolationFailed: The host cannot tell.
        """
        ...


async def changes_in(runtime: "Runtime", sandbox_id: str, path: str) -> FolderChanges | None:
    """Changes in a folder; None where the provider cannot tell."""
    return await runtime.folder_changes(sandbox_id, path) if isinstance(runtime, ComparesFolders) else None

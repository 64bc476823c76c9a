"""Devboxes as far as snapshots are taken of them, and they are made from snapshots."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk to take a snapshot of: the blueprint below it, and the settings of its image, as rows have them."""

    blueprint_id: str | None
    image: dict[str, Any] | None


class SnapshotSources(Protocol):
    """All devboxes of the server."""

    async def lock_disk(self, session: AsyncSession, account_id: str, devbox_id: str) -> SourceDisk:
        """The disk of a devbox that runs or is suspended, which is kept from changing its status until the transaction
        ends.

        Raises:
            NotFound: The account has no such devbox.
            Busy: The devbox is just coming up, or going to sleep.
            WrongState: It has ended.
        """
        ...

    async def is_being_made_from_snapshot(self, session: AsyncSession, snapshot_id: str) -> bool:
        """True if a devbox is just being made from the snapshot."""
        ...

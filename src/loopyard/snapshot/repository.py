"""SQL for snapshots."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select, update

from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists.metadata import MetadataFilter, entries
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.snapshot.models import Snapshot, SnapshotMetadata
from loopyard.snapshot.states import COMPLETE, IN_PROGRESS


class SnapshotRepository(OwnedRepository[Snapshot]):
    model = Snapshot
    kind = "snapshot"

    async def create(self, row: Snapshot) -> Snapshot:
        """Write a new snapshot, and what it is found by."""
        self._index(row)
        return await super().create(row)

    async def replace_metadata(self, snapshot: Snapshot, metadata: dict[str, str]) -> None:
        snapshot.metadata_ = metadata
        await self._session.execute(delete(SnapshotMetadata).where(SnapshotMetadata.snapshot_id == snapshot.id))
        self._index(snapshot)
        await self._session.flush()

    def _index(self, snapshot: Snapshot) -> None:
        for entry in entries(snapshot.metadata_):
            self._session.add(SnapshotMetadata(snapshot_id=snapshot.id, entry=entry))

    async def list_page(
        self,
        account_id: str,
        query: PageQuery,
        *,
        devbox_id: str | None,
        blueprint_id: str | None,
        metadata: MetadataFilter,
    ) -> Page[Snapshot]:
        """Snapshots that are complete or being taken, newest first."""
        conditions: list[ColumnElement[bool]] = [
            Snapshot.account_id == account_id,
            Snapshot.status.in_((IN_PROGRESS, COMPLETE)),
        ]
        if devbox_id is not None:
            conditions.append(Snapshot.source_devbox_id == devbox_id)
        if blueprint_id is not None:
            conditions.append(Snapshot.source_blueprint_id == blueprint_id)
        for wanted in metadata:
            found = select(SnapshotMetadata.snapshot_id).where(SnapshotMetadata.entry.in_(sorted(wanted)))
            conditions.append(Snapshot.id.in_(found))
        return await self._page(query, *conditions)

    async def is_being_taken(self, devbox_id: str) -> bool:
        """True if any snapshot of the devbox is being taken."""
        statement = select(Snapshot.id).where(Snapshot.source_devbox_id == devbox_id, Snapshot.status == IN_PROGRESS)
        return await self._session.scalar(statement.limit(1)) is not None

    async def list_held(self) -> Sequence[Snapshot]:
        """All of which the runtime may hold anything."""
        return (await self._session.scalars(select(Snapshot).where(~Snapshot.reclaimed))).all()

    async def ids_held(self) -> set[str]:
        """The ids of all of which the runtime may hold anything."""
        return set((await self._session.scalars(select(Snapshot.id).where(~Snapshot.reclaimed))).all())

    async def mark_reclaimed(self, snapshot_id: str) -> None:
        await self._session.execute(update(Snapshot).where(Snapshot.id == snapshot_id).values(reclaimed=True))

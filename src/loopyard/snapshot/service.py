"""Decides about snapshots. What it decides is written by the caller's transaction and acted on after its commit."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import NotFound
from loopyard.snapshot.models import Snapshot
from loopyard.snapshot.repository import SnapshotRepository
from loopyard.snapshot.schemas import SnapshotParams
from loopyard.snapshot.source import SnapshotSources
from loopyard.snapshot.states import DELETED, ERROR, IN_PROGRESS
from loopyard.snapshot.taker import SnapshotTaker


class SnapshotService:
    def __init__(self, taker: SnapshotTaker, sources: SnapshotSources) -> None:
        self._taker = taker
        self._sources = sources

    async def take(
        self, session: AsyncSession, account_id: str, devbox_id: str, params: SnapshotParams, *, snapshot_id: str
    ) -> Snapshot:
        """Decide on a new snapshot of a devbox, which runs or is suspended; it is taken once this is committed.

        Raises:
            NotFound: The account has no such devbox.
            Busy: The devbox is just coming up, or going to sleep.
            WrongState: It has ended.
        """
        disk = await self._sources.lock_disk(session, account_id, devbox_id)
        snapshot = Snapshot(
            id=snapshot_id,
            account_id=account_id,
            source_devbox_id=devbox_id,
            source_blueprint_id=disk.blueprint_id,
            image=disk.image,
            name=params.name,
            metadata_=params.metadata or {},
            commit_message=params.commit_message,
            status=IN_PROGRESS,
            create_time_ms=now_ms(),
            reclaimed=False,
        )
        await SnapshotRepository(session).create(snapshot)
        after_commit(session, lambda: self._taker.begin(snapshot_id, devbox_id))
        return snapshot

    async def get(self, session: AsyncSession, account_id: str, snapshot_id: str) -> Snapshot:
        """A snapshot of the account, in whatever state, also a deleted one.

        Raises:
            NotFound: It has none of this id.
        """
        return await SnapshotRepository(session).get_one_owned(snapshot_id, account_id)

    async def update(
        self, session: AsyncSession, account_id: str, snapshot_id: str, params: SnapshotParams
    ) -> Snapshot:
        """Change name, commit message or all of the metadata; what is not given stays.

        Raises:
            NotFound: The account has none of this id, or it was deleted.
        """
        snapshots = SnapshotRepository(session)
        snapshot = await snapshots.get_one_owned_for_update(snapshot_id, account_id)
        if snapshot.status == DELETED:
            raise NotFound(f"Snapshot {snapshot_id} was deleted.", field="id")
        if params.name is not None:
            snapshot.name = params.name
        if params.commit_message is not None:
            snapshot.commit_message = params.commit_message
        if params.metadata is not None:
            await snapshots.replace_metadata(snapshot, params.metadata)
        return await snapshots.update(snapshot)

    async def delete(self, session: AsyncSession, account_id: str, snapshot_id: str) -> None:
        """Delete a snapshot, whatever stands on it; nothing if it is deleted already.

        Raises:
            NotFound: The account has none of this id.
        """
        snapshot = await SnapshotRepository(session).get_one_owned_for_update(snapshot_id, account_id)
        if snapshot.status == DELETED:
            return
        lost = snapshot.status == ERROR and snapshot.reclaimed
        snapshot.status = DELETED
        if not lost:
            after_commit(session, lambda: self._taker.drop(snapshot_id))

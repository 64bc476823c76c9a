"""Background taker of snapshots: takes and deletes them, and resumes both after a crash."""

import logging

from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.ids import is_id
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime
from loopyard.snapshot.repository import SnapshotRepository
from loopyard.snapshot.source import SnapshotSources
from loopyard.snapshot.states import COMPLETE, DELETED, ERROR, IN_PROGRESS

log = logging.getLogger("loopyard.snapshot")


class SnapshotTaker:
    """Taker of recorded snapshots. Each method opens its own transactions."""

    def __init__(
        self, database: Database, runtime: Runtime, sources: SnapshotSources, changes: Changes, tasks: Tasks
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._sources = sources
        self._changes = changes
        self._tasks = tasks

    def begin(self, snapshot_id: str, devbox_id: str) -> None:
        """Start to take a snapshot that is written down as in progress."""
        self._tasks.start(f"take {snapshot_id}", self._take(snapshot_id, devbox_id))

    def drop(self, snapshot_id: str) -> None:
        """Start to free what the host holds of a snapshot that is written down as deleted or failed."""
        self._tasks.start(f"drop {snapshot_id}", self._drop(snapshot_id))

    async def _take(self, snapshot_id: str, devbox_id: str) -> None:
        failpoint("snapshot.recorded")
        size, error = None, None
        try:
            size = await self._runtime.snapshot(devbox_id, snapshot_id)
        except RuntimeFault as fault:
            log.warning("snapshot %s of devbox %s could not be taken: %s", snapshot_id, devbox_id, fault)
            error = str(fault)
        failpoint("snapshot.taken")
        async with self._database.write() as session:
            snapshot = await SnapshotRepository(session).get_by_id_for_update(snapshot_id)
            if snapshot is not None and snapshot.status == IN_PROGRESS:
                snapshot.status = COMPLETE if error is None else ERROR
                snapshot.size_bytes, snapshot.error_message = size, error
        self._changes.publish(snapshot_id)
        self._changes.publish(devbox_id)
        if snapshot is not None and snapshot.status != COMPLETE:
            self.drop(snapshot_id)

    async def _drop(self, snapshot_id: str) -> None:
        failpoint("snapshot.deleted")
        await self._changes.wait_until(snapshot_id, lambda: self._may_go(snapshot_id), bool, None)
        await self._runtime.delete_snapshot(snapshot_id)
        failpoint("snapshot.dropped")
        async with self._database.write() as session:
            await SnapshotRepository(session).mark_reclaimed(snapshot_id)

    async def _may_go(self, snapshot_id: str) -> bool:
        """True if it is taken, and devboxes that are being made from it have got what they need."""
        if self._tasks.running(f"take {snapshot_id}"):
            return False
        async with self._database.read() as session:
            return not await self._sources.is_being_made_from_snapshot(session, snapshot_id)

    async def reconcile(self) -> None:
        """At start: make the store and the host agree.

        Those that were being taken are taken, those that were being deleted are deleted, those that the host lost are
        marked so, and snapshots that the store does not know are removed.
        """
        async with self._database.read() as session:
            held = {snapshot.id: snapshot for snapshot in await SnapshotRepository(session).list_held()}
        found = await self._runtime.snapshots()
        for snapshot_id in {one for one in found - held.keys() if is_id(one, "snp")}:  # others are not ours
            log.warning("removing snapshot %s, which the store does not know", snapshot_id)
            await self._runtime.delete_snapshot(snapshot_id)
        for snapshot in held.values():
            if snapshot.status == IN_PROGRESS:
                self.begin(snapshot.id, snapshot.source_devbox_id)
            elif snapshot.status in (DELETED, ERROR):
                self.drop(snapshot.id)
            elif snapshot.id not in found:
                await self._lose(snapshot.id)

    async def _lose(self, snapshot_id: str) -> None:
        log.error("the host no longer has snapshot %s", snapshot_id)
        await self._runtime.delete_snapshot(snapshot_id)
        async with self._database.write() as session:
            snapshot = await SnapshotRepository(session).get_by_id_for_update(snapshot_id)
            if snapshot is not None and snapshot.status == COMPLETE:
                snapshot.status, snapshot.error_message = ERROR, "The host no longer has this snapshot."
                snapshot.reclaimed = True

"""Snapshots on the host that no row speaks of."""

from collections.abc import Sequence

from loopyard.kit.db.database import Database
from loopyard.kit.ids import is_id
from loopyard.runtime.protocol import Runtime
from loopyard.runtime.upkeep import Leftover
from loopyard.snapshot.repository import SnapshotRepository


class SnapshotsKeeper:
    """Only of those that the API takes: others' disks, such as agents', are their owners' to free."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._runtime = runtime

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        # The host first: a snapshot has its row before there is anything of it.
        found = {one for one in await self._runtime.snapshots() if is_id(one, "snp")}
        async with self._database.read() as session:
            held = await SnapshotRepository(session).ids_held()
        return [Leftover("snapshots", one) for one in sorted(found - held)]

    async def free(self, leftover: Leftover) -> bool:
        async with self._database.read() as session:
            row = await SnapshotRepository(session).get_by_id(leftover.name)
        if row is not None and not row.reclaimed:
            return False
        await self._runtime.delete_snapshot(leftover.name)
        return True

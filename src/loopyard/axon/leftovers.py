"""Leftovers of deleted axons: their events and their databases."""

from collections.abc import Sequence

from loopyard.axon.repository import AxonRepository
from loopyard.axon.sql.workers import SqlWorkers
from loopyard.kit.db.database import Database
from loopyard.runtime.upkeep import Leftover

_BATCH_EVENTS = 5000
"""Events that are erased in one transaction."""


class AxonsKeeper:
    """Frees what deleted axons hold."""

    def __init__(self, database: Database, workers: SqlWorkers) -> None:
        self._database = database
        self._workers = workers

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        stored = self._workers.stored()
        async with self._database.read() as session:
            deleted = await AxonRepository(session).ids_deleted()
            known = await AxonRepository(session).known_ids(sorted(stored))
        return [Leftover("axons", axon_id) for axon_id in sorted({*deleted, *(stored - known)})]

    async def free(self, leftover: Leftover) -> bool:
        axon_id = leftover.name
        async with self._database.read() as session:
            last = await AxonRepository(session).deleted_last_sequence(axon_id)
            if last is None and await AxonRepository(session).known_ids([axon_id]):
                return False
        await self._workers.remove(axon_id)
        if last is None:
            return True
        for until in range(_BATCH_EVENTS, last + _BATCH_EVENTS, _BATCH_EVENTS):
            async with self._database.write(last=True) as session:
                await AxonRepository(session).delete_events(axon_id, until)
        async with self._database.write() as session:
            await AxonRepository(session).delete_all_of(axon_id)
        return True

"""Contents in the store that no object has: uploads that came after the object was deleted, for one."""

from collections.abc import Sequence

from loopyard.kit.db.database import Database
from loopyard.object.repository import ObjectRepository
from loopyard.object.store import ObjectStore
from loopyard.runtime.upkeep import Leftover

_BATCH = 500


class ObjectsKeeper:
    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        # The store first: an object has its row before there is anything of it.
        found = sorted({one async for one in self._store.contents()})
        gone: list[Leftover] = []
        for begun in range(0, len(found), _BATCH):
            batch = found[begun : begun + _BATCH]
            gone += [Leftover("objects", one) for one in await self._unwanted(batch)]
        return gone

    async def free(self, leftover: Leftover) -> bool:
        if not await self._unwanted([leftover.name]):
            return False
        await self._store.delete(leftover.name)
        return True

    async def _unwanted(self, object_ids: Sequence[str]) -> list[str]:
        """Contents to free. Content without a row is this server's own only where the store is."""
        async with self._database.read() as session:
            freed = await ObjectRepository(session).known_ids(object_ids)
        return [one for one in object_ids if freed.get(one, not self._store.shared)]

"""Deletion of expired and abandoned objects, and of the content of deleted ones."""

import logging

from loopyard.kit.background.periodic import Periodic
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.object.repository import ObjectRepository
from loopyard.object.store import ObjectStore

log = logging.getLogger("loopyard.object")

INTERVAL_SECONDS = 2.0
ABANDONED_MS = 24 * 3600 * 1000
"""After its upload URL has ended, an object that was never completed is given up: after a day."""

_BATCH = 1000


class ObjectDeleter:
    """Deleter of objects, in the background."""

    def __init__(self, database: Database, store: ObjectStore, upload_seconds: int) -> None:
        self._database = database
        self._store = store
        self._waiting_ms = upload_seconds * 1000 + ABANDONED_MS
        self._sweeps = Periodic("looking for objects to delete", self.sweep, every=INTERVAL_SECONDS)

    def wake(self) -> None:
        """Look now rather than in a while."""
        self._sweeps.wake()

    async def run(self) -> None:
        """Look every two seconds, for ever."""
        await self._sweeps.run()

    async def sweep(self) -> None:
        """Look once. What the store cannot delete now is tried again the next time."""
        now = now_ms()
        async with self._database.read() as session:
            due = await ObjectRepository(session).is_due(now, now - self._waiting_ms)
        if due:
            async with self._database.write() as session:
                await ObjectRepository(session).expire(now)
                await ObjectRepository(session).abandon(now - self._waiting_ms)
        async with self._database.read() as session:
            ids = await ObjectRepository(session).ids_to_free(_BATCH)
        for object_id in ids:
            try:
                await self._store.delete(object_id)
            except (LoopyardError, OSError) as error:
                log.warning("object %s could not be freed: %s", object_id, error)
                continue
            async with self._database.write() as session:
                await ObjectRepository(session).mark_freed(object_id)

"""Recordings of devboxes that are gone from the store, or that have passed the days that recordings are kept for."""

import asyncio
import time
from collections.abc import Sequence

from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.runtime.upkeep import Leftover

_DAY_SECONDS = 86_400


class RecordingsKeeper:
    """Frees the recordings of ended devboxes only: a devbox that lives may still add to its own."""

    def __init__(self, database: Database, recordings: Recordings, days: float | None) -> None:
        """`days` is how long recordings are kept after the last call; None for as long as their devbox is known."""
        self._database = database
        self._recordings = recordings
        self._days = days

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        stored = await asyncio.to_thread(self._recordings.stored)  # the folder first: a devbox has its row before
        return [Leftover("recordings", one) for one in await self._unwanted(stored)]

    async def free(self, leftover: Leftover) -> bool:
        stored = await asyncio.to_thread(self._recordings.stored)
        if not await self._unwanted({name: time for name, time in stored.items() if name == leftover.name}):
            return False
        self._recordings.path(leftover.name).unlink(missing_ok=True)
        return True

    async def _unwanted(self, stored: dict[str, float]) -> list[str]:
        async with self._database.read() as session:
            known = await DevboxRepository(session).known_ids(list(stored))
            ended = await DevboxRepository(session).ended_ids(list(stored))
        oldest = 0.0 if self._days is None else time.time() - self._days * _DAY_SECONDS
        return sorted(one for one, at in stored.items() if one not in known or (one in ended and at < oldest))

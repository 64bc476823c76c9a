"""The keys of requests, which are remembered for a day so that none is carried out twice."""

from collections.abc import Sequence

from loopyard.kit import idempotency
from loopyard.kit.db.database import Database
from loopyard.runtime.upkeep import Leftover


class RequestsKeeper:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        async with self._database.read() as session:
            return [Leftover("requests", "of more than a day ago")] if await idempotency.has_old(session) else []

    async def free(self, leftover: Leftover) -> bool:  # noqa: ARG002
        async with self._database.write() as session:
            await idempotency.forget_old(session)
        return True

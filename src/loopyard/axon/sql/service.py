"""Runs statements on axons' databases, and gives them the axons' events."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.repository import AxonRepository
from loopyard.axon.sql.worker.events_table import COLUMNS
from loopyard.axon.sql.workers import KeyTaken, SqlWorkers
from loopyard.kit.db.database import Database
from loopyard.kit.errors import RequestKeyReused
from loopyard.kit.idempotency import RequestIdentity

_PAGE_EVENTS = 4096
_PAGE_BYTES = 1024**2
"""Limits on the events that a worker is given at once."""


class SqlService:
    def __init__(self, database: Database, workers: SqlWorkers) -> None:
        self._database = database
        self._workers = workers

    async def query(
        self, account_id: str, axon_id: str, statement: dict[str, Any], request: RequestIdentity | None
    ) -> bytes:
        """Run one statement; returns the wire's SqlQueryResultView as JSON. A repeated request that changed something
        is not run again.

        Raises:
            NotFound: The account has no such axon.
            BadRequest: The statement failed, is not allowed, or took more than its limits.
            Busy: Too many statements are running.
            RequestKeyReused: Another request had this one's key, and changed something.
        """
        return await self._call(account_id, axon_id, [statement], request, batch=False)

    async def batch(
        self, account_id: str, axon_id: str, statements: Sequence[dict[str, Any]], request: RequestIdentity | None
    ) -> bytes:
        """Run statements in one transaction; returns the wire's SqlBatchResultView as JSON.

        Raises:
            NotFound, BadRequest, Busy, RequestKeyReused: As `query`; but a statement that failed is told in the answer.
        """
        return await self._call(account_id, axon_id, statements, request, batch=True)

    async def _call(
        self,
        account_id: str,
        axon_id: str,
        statements: Sequence[dict[str, Any]],
        request: RequestIdentity | None,
        *,
        batch: bool,
    ) -> bytes:
        identity = {"key": None, "digest": None} if request is None else asdict(request)
        call = orjson.dumps({"statements": statements, "batch": batch, **identity})

        async def answer(wanted: dict[str, object]) -> object:
            async with self._database.read() as session:
                return await _answer(session, account_id, axon_id, wanted)

        async with self._database.read() as session:
            await AxonRepository(session).get_one_owned(axon_id, account_id)
        async with self._workers.turn(axon_id):
            async with self._database.read() as session:
                # It may have been deleted while others had their turn.
                await AxonRepository(session).get_one_owned(axon_id, account_id)
            try:
                return await self._workers.call(axon_id, call, answer)
            except KeyTaken:
                raise RequestKeyReused("" if request is None else request.key) from None


async def _answer(session: AsyncSession, account_id: str, axon_id: str, wanted: dict[str, object]) -> object:
    """Answer to a worker that asks for the last sequence, or for some events. Nothing that it asks is trusted."""
    if wanted.get("last"):
        return (await AxonRepository(session).get_one_owned(axon_id, account_id)).last_sequence
    columns = [name for name in COLUMNS if name in cast("list[str]", wanted["columns"])]
    span = Span(
        int(cast("int", wanted["first"])),
        int(cast("int", wanted["until"])),
        max(1, min(int(cast("int", wanted["count"])), _PAGE_EVENTS)),
        _PAGE_BYTES,
        newest_first=bool(wanted["newest_first"]),
    )
    return await AxonEventRepository(session).read_columns(axon_id, span, columns)

"""/v1/devboxes/evictions/watch: a warning before devboxes are suspended by the operator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter

from loopyard.auth.caller import CallerDep
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database, DatabaseDep
from loopyard.kit.http.sse import PING_SECONDS, EventStream
from loopyard.kit.http.wire import View

LOOK_SECONDS = 1.0

router = APIRouter(prefix="/v1/devboxes", tags=["devboxes"])


class EvictionEventView(View):
    """DevboxEvictionEventView on the wire. After the deadline the devbox is suspended."""

    devbox_id: str
    eviction_deadline_ms: int


@router.get(
    "/evictions/watch",
    operation_id="devboxes.watch_evictions",
    response_class=EventStream,
    response_model=None,
    responses={200: {"content": {"text/event-stream": {"schema": EvictionEventView.model_json_schema()}}}},
)
async def watch_evictions(caller: CallerDep, database: DatabaseDep) -> EventStream:
    """The pending evictions of the account's devboxes, and then each one that is decided. Never ends by itself."""
    return EventStream(_events(database, caller.account_id))


async def _events(database: Database, account_id: str) -> AsyncIterator[dict[str, Any] | None]:
    # The decision may be made by another process, so this looks into the store.
    told: dict[str, int] = {}
    silence = 0.0
    while True:
        async with database.read() as session:
            pending = dict(await DevboxRepository(session).evictions(account_id))
        news = [(devbox_id, time_ms) for devbox_id, time_ms in pending.items() if told.get(devbox_id) != time_ms]
        for devbox_id, time_ms in news:
            yield EvictionEventView(devbox_id=devbox_id, eviction_deadline_ms=time_ms).model_dump()
        told = pending
        silence = 0.0 if news else silence + LOOK_SECONDS
        if silence >= PING_SECONDS:
            silence = 0.0
            yield None
        await asyncio.sleep(LOOK_SECONDS)

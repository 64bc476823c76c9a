"""/v1/axons/{id}/events, /publish and /subscribe/sse."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response

from loopyard.auth.caller import CallerDep
from loopyard.axon.event.event import NewEvent
from loopyard.axon.event.origins import Origin
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.event.schemas import (
    MAX_BODY_BYTES,
    AxonEventListView,
    AxonEventView,
    AxonPublishParams,
    PublishResultView,
    payload_bytes,
)
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.repository import AxonRepository
from loopyard.kit.db.database import DatabaseDep, ReadSession
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.bodies import limited_route
from loopyard.kit.http.parts import part
from loopyard.kit.http.sse import MessageStream
from loopyard.kit.http.wire import MAX_INT
from loopyard.kit.idempotency import RequestKey
from loopyard.kit.lists.paging import PageParams

router = APIRouter(prefix="/v1/axons/{id}", tags=["axons"], route_class=limited_route(MAX_BODY_BYTES))

MAX_PAGE_BYTES = 32 * 1024**2
"""Limit on the payloads of one page of events, 32 MiB; a page that reaches it says that there are more."""

_SSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/AxonEventView"}}}}
}


@router.post("/publish", operation_id="axons.publish", response_model=PublishResultView)
async def publish(
    id: str,
    params: AxonPublishParams,
    caller: CallerDep,
    publisher: Annotated[Publisher, Depends(part(Publisher))],
    request_key: RequestKey = None,
) -> Response:
    """Append an event; the answer comes when it is durable."""
    size = payload_bytes(params.payload)
    event = NewEvent(params.event_type, Origin[params.origin], params.source, params.payload, size)
    published = await publisher.publish(caller.account_id, id, event, request_key)
    return Response(orjson.dumps(published), media_type="application/json")


@router.get("/events", operation_id="events.list")
async def list_events(id: str, caller: CallerDep, session: ReadSession, page: PageParams) -> AxonEventListView:
    """The axon's events, newest first. `starting_after` is the sequence of the last event of the page before;
    `total_count` is the highest sequence. A page ends early when its payloads reach 32 MiB."""
    axon = await AxonRepository(session).get_one_owned(id, caller.account_id)
    last = axon.last_sequence
    if page.starting_after is not None:
        last = min(last, _sequence(page.starting_after) - 1)
    span = Span(1, last, page.limit, MAX_PAGE_BYTES, newest_first=True)
    events = await AxonEventRepository(session).read(id, span)
    return AxonEventListView.model_construct(
        events=[AxonEventView.model_construct(**event.view()) for event in events],
        has_more=bool(events) and events[-1].sequence > 1,
        total_count=axon.last_sequence if page.include_total_count else None,
    )


@router.get("/subscribe/sse", operation_id="axons.subscribe_sse", response_class=MessageStream, responses=_SSE)
async def subscribe_sse(
    id: str,
    caller: CallerDep,
    database: DatabaseDep,
    subscribers: Annotated[Subscribers, Depends(part(Subscribers))],
    after_sequence: Annotated[
        int, Query(ge=0, le=MAX_INT, description="Only events of higher sequences; 0 replays from the beginning.")
    ] = 0,
) -> MessageStream:
    """Stream the axon's events in order, and new ones as they are published. It never ends but with an `error`
    message: 404 when the axon is deleted, 408 when the server ends."""
    async with database.read() as session:
        await AxonRepository(session).get_one_owned(id, caller.account_id)
    return MessageStream(subscribers.stream(id, after_sequence))


def _sequence(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        message = "starting_after: give the sequence of the last event of the page before."
        raise BadRequest(message, field="starting_after")
    return int(cursor)

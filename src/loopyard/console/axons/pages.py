"""/console/axons."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon import endpoints as api
from loopyard.axon.event import endpoints as events
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.event.schemas import AxonEventView, AxonPublishParams
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.repository import AxonFilters, AxonRepository
from loopyard.console.axons import sql, talk
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.resources.kind import Column, Found, Kind, curl, family
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part
from loopyard.kit.lists.paging import PageQuery

MOST_EVENTS = 100
_MOST_BYTES = 16 << 20
_EVENTS = "GET /v1/axons/{}/events"

router = APIRouter()


async def _list(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await api.list_axons(page.caller, session, query, AxonFilters(search=q))
    return Found(found.axons, found.has_more, found.total_count)


async def _read(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await api.retrieve(id, page.caller, session)


async def _delete(page: Page, session: AsyncSession, id: str) -> Any:
    await api.delete(id, page.caller, session, page.parts.get(Subscribers))


async def _more(page: Page, id: str) -> Mapping[str, Any]:
    """The newest events."""
    async with page.database.read() as session:
        axon = await AxonRepository(session).get_one_owned(id, page.caller.account_id)
        last = axon.last_sequence
        found = await AxonEventRepository(session).read(id, Span(1, last, MOST_EVENTS, _MOST_BYTES, newest_first=True))
    return {"events": [AxonEventView.model_construct(**event.view()) for event in found], "total": last}


@router.get("/{id}/live")
async def live(id: str, page: Annotated[Page, Depends(allowed(_EVENTS))]) -> Response:
    """The newest events again, as they come."""
    seen, html = -1, ""

    async def render() -> str:
        nonlocal seen, html
        async with page.database.read() as session:
            last = (await AxonRepository(session).get_one_owned(id, page.caller.account_id)).last_sequence
        if last != seen:
            seen, html = last, page.html("axons/_events.html", id=id, **await _more(page, id))
        return html

    await render()
    return page.live(Fragment("events", ("axon", id), render, lambda key: key == id, every_seconds=1.0))


@router.get("/{id}/events/{sequence}.txt")
async def payload(id: str, sequence: int, page: Annotated[Page, Depends(allowed(_EVENTS))]) -> Response:
    """A whole payload, to keep."""
    async with page.database.read() as session:
        found = await events.list_events(id, page.caller, session, PageQuery(1, str(sequence + 1), False))
    text = found.events[0].payload if found.events and found.events[0].sequence == sequence else ""
    headers = {"Content-Disposition": f'attachment; filename="{sequence}.txt"'}
    return PlainTextResponse(text, headers=headers)


@router.post("/{id}/publish")
async def publish(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/axons/{}/publish"))],
    publisher: Annotated[Publisher, Depends(part(Publisher))],
    event_type: Annotated[str, Form()] = "",
    payload: Annotated[str, Form()] = "",
) -> Response:
    """Append an event."""
    given = {"event_type": event_type, "payload": payload, "origin": "USER_EVENT", "source": "console"}
    try:
        params = AxonPublishParams.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()) from None
    await events.publish(id, params, page.caller, publisher)
    return page.redirect(f"/console/axons/{id}", note="The event was published.")


for each in (talk.router, sql.router):
    router.include_router(each)

FAMILY = family(
    Kind(
        group="Agents",
        title="Axons",
        one="axon",
        path="/axons",
        prefix="axn",
        columns=(Column("Id", "id", "id"), Column("Name", "name"), Column("Created", "created_at_ms", "time")),
        list=_list,
        list_operation="GET /v1/axons",
        read=_read,
        read_operation="GET /v1/axons/{}",
        command=curl("axons", '{"name": "mine"}'),
        delete=_delete,
        delete_operation="DELETE /v1/axons/{}",
        delete_question="Delete this axon, with its events and its SQL database?",
        template="axons/detail.html",
        more=_more,
    ),
    router,
)

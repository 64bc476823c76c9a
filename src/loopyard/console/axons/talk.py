"""/console/axons/{id}/transcript: what an agent and its users said, by the events of its axon."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from loopyard.axon import endpoints as api
from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.repository import AxonRepository
from loopyard.console.axons.reading.transcript import transcript
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed

router = APIRouter()

MOST_EVENTS = 1000
_MOST_BYTES = 2 << 20
MOST_CHARACTERS = 6000
"""How much of one message, call or output a page has: the events have all."""

EventsPage = Annotated[Page, Depends(allowed("GET /v1/axons/{}/events"))]


@router.get("/{id}/transcript")
async def shown(id: str, page: EventsPage, until: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """The newest part of the conversation, or with `until` one that ends with that event."""
    async with page.database.read() as session:
        item = await api.retrieve(id, page.caller, session)
    return page.render("axons/transcript.html", item=item, until=until, **await _conversation(page, id, until))


@router.get("/{id}/transcript/live")
async def live(id: str, page: EventsPage) -> Response:
    """The newest part again, as it goes on."""
    seen, html = -1, ""

    async def render() -> str:
        nonlocal seen, html
        async with page.database.read() as session:
            last = (await AxonRepository(session).get_one_owned(id, page.caller.account_id)).last_sequence
        if last != seen:
            seen, html = last, page.html("axons/_transcript.html", id=id, **await _conversation(page, id, None))
        return html

    await render()
    return page.live(Fragment("talk", ("transcript", id), render, lambda key: key == id, every_seconds=1.0))


async def _conversation(page: Page, axon_id: str, until: int | None) -> Mapping[str, Any]:
    async with page.database.read() as session:
        last = (await AxonRepository(session).get_one_owned(axon_id, page.caller.account_id)).last_sequence
        span = Span(1, last if until is None else min(until, last), MOST_EVENTS, _MOST_BYTES, newest_first=True)
        found = await AxonEventRepository(session).read(axon_id, span)
    first = found[-1].sequence if found else 1
    return {"entries": transcript(reversed(found)), "earlier": first - 1, "most": MOST_CHARACTERS}

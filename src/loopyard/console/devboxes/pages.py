"""/console/devboxes: the list."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from loopyard.console.family import Entry, Family, Hit
from loopyard.console.listing import ListQuery, next_path
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.text import sortable
from loopyard.devbox import endpoints as api
from loopyard.devbox.states import StatusName
from loopyard.kit.paging import PageQuery

router = APIRouter(prefix="/devboxes")

ListPage = Annotated[Page, Depends(allowed("GET /v1/devboxes"))]
StatusParam = Annotated[StatusName | None, Query()]
_SEARCHED = 500
_MOST_HITS = 8


@router.get("")
async def devboxes(page: ListPage, query: ListQuery, status: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The account's devboxes, newest first."""
    return page.render("devboxes/list.html", **await _rows(page, query, status))


@router.get("/live")
async def live(page: ListPage, query: ListQuery, status: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The rows again, whenever one has changed."""

    async def render() -> str:
        return page.html("devboxes/_rows.html", **await _rows(page, query, status))

    subject = ("devboxes", status, query.starting_after)
    return page.live(Fragment("rows", subject, render, concerns=lambda key: key.startswith("dbx_"), every_seconds=10.0))


async def _rows(page: Page, query: PageQuery, status: str) -> dict[str, Any]:
    wanted: StatusName | None = status if status in get_args(StatusName) else None  # type: ignore[assignment]
    async with page.database.read() as session:
        found = await api.list_devboxes(page.caller, session, query, wanted)
    last = found.devboxes[-1].id if found.devboxes else None
    return {
        "found": found,
        "status": status,
        "statuses": get_args(StatusName),
        "query": page.request.url.query,
        "next": _list_path(next_path(page.request, last, has_more=found.has_more)),
    }


def _list_path(path: str | None) -> str | None:
    """The list's own path, also where its live part asks."""
    return None if path is None else path.replace("/devboxes/live", "/devboxes", 1)


async def find(page: Page, text: str) -> Sequence[Hit]:
    """Devboxes by a part of their name, among the newest."""
    page.need("GET /v1/devboxes")
    wanted = sortable(text)
    async with page.database.read() as session:
        found = await api.list_devboxes(page.caller, session, PageQuery(_SEARCHED, None, False), None)
    hits = [one for one in found.devboxes if one.name and wanted in sortable(one.name)]
    return [Hit("devbox", one.name or one.id, f"/devboxes/{one.id}", one.status) for one in hits[:_MOST_HITS]]


FAMILY = Family(
    router,
    navigation=[Entry("Sandboxes", "Devboxes", "/devboxes", "GET /v1/devboxes")],
    links={"dbx": "/devboxes/"},
    find=find,
)

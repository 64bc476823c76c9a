"""/console/devboxes: the list, and making one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.auth.caller import MADE
from loopyard.console.devboxes import commands, detail, files, terminal
from loopyard.console.family import Entry, Family, Hit
from loopyard.console.listing import ListQuery, next_path
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.devbox import endpoints as api
from loopyard.devbox.lifecycle.states import StatusName
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.devbox.service import DevboxService
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part
from loopyard.kit.ids import is_id
from loopyard.kit.lists.paging import PageQuery
from loopyard.launch.parameters import SIZES

router = APIRouter(prefix="/devboxes")

ListPage = Annotated[Page, Depends(allowed("GET /v1/devboxes"))]
StatusParam = Annotated[str, Query(max_length=20)]
SearchParam = Annotated[str, Query(max_length=200)]
_MOST_HITS = 8


@router.get("")
async def devboxes(page: ListPage, query: ListQuery, status: StatusParam = "", q: SearchParam = "") -> Response:
    """The account's devboxes, newest first."""
    return page.render("devboxes/list.html", sizes=SIZES, **await _rows(page, query, status, q.strip()))


@router.get("/live")
async def live(page: ListPage, query: ListQuery, status: StatusParam = "", q: SearchParam = "") -> Response:
    """The rows again, whenever one has changed."""

    async def render() -> str:
        return page.html("devboxes/_rows.html", **await _rows(page, query, status, q.strip()))

    subject = ("devboxes", status, q.strip(), query.starting_after)
    return page.live(Fragment("rows", subject, render, concerns=_is_devbox, every_seconds=10.0))


def _is_devbox(key: str) -> bool:
    """Tells changes of devboxes from those of what runs in them."""
    return key.startswith("dbx_") and "/" not in key


async def _rows(page: Page, query: PageQuery, status: str, q: str) -> dict[str, Any]:
    wanted: StatusName | None = status if status in get_args(StatusName) else None  # type: ignore[assignment]
    async with page.database.read() as session:
        if q:  # to count what is found would be to read all names
            query = replace(query, include_total_count=False)
        found = await api.found_devboxes(page.caller, session, query, wanted, q or None)
    last = found.devboxes[-1].id if found.devboxes else None
    return {
        "found": found,
        "status": status,
        "q": q,
        "statuses": get_args(StatusName),
        "query": page.request.url.query,
        "next": _list_path(next_path(page.request, last, has_more=found.has_more)),
    }


def _list_path(path: str | None) -> str | None:
    """The list's own path, also where its live part asks."""
    return None if path is None else path.replace("/devboxes/live", "/devboxes", 1)


@router.post("")
async def create(
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes"))],
    service: Annotated[DevboxService, Depends(part(DevboxService))],
    name: Annotated[str, Form(max_length=1024)] = "",
    source: Annotated[str, Form(max_length=200)] = "",
    size: Annotated[str, Form(max_length=20)] = "",
    command: Annotated[str, Form(max_length=100_000)] = "",
) -> Response:
    """Make a devbox, of a blueprint or snapshot if one is named."""
    try:
        params = DevboxCreateParams.model_validate(_given(name, source.strip(), size, command.strip()))
    except ValidationError as error:
        raise explain(error.errors()) from None
    async with page.database.write(last=True) as session:
        devbox = await service.create(session, page.caller.account_id, params)
    page.request.scope[MADE] = devbox.id
    return page.redirect(f"/console/devboxes/{devbox.id}")


def _given(name: str, source: str, size: str, command: str) -> dict[str, Any]:
    """The wire's words for what the form says."""
    given: dict[str, Any] = {"name": name.strip() or None, "entrypoint": command or None}
    if source.startswith("snp_"):
        given["snapshot_id"] = source
    elif source.startswith("bpt_"):
        given["blueprint_id"] = source
    elif source:
        given["blueprint_name"] = source
    if size:
        given["launch_parameters"] = {"resource_size_request": size}
    return {name: value for name, value in given.items() if value is not None}


async def find(page: Page, text: str) -> Sequence[Hit]:
    """Devboxes by a part of their name, the newest first."""
    page.need("GET /v1/devboxes")
    if is_id(text, "dbx"):  # search links to it already
        return []
    async with page.database.read() as session:
        found = await api.found_devboxes(page.caller, session, PageQuery(_MOST_HITS, None, False), None, text)
    return [Hit("devbox", one.name or one.id, f"/devboxes/{one.id}", one.status) for one in found.devboxes]


for each in (detail.router, commands.router, files.router, terminal.router):
    router.include_router(each)

FAMILY = Family(
    router,
    navigation=[Entry("Sandboxes", "Devboxes", "/devboxes", "GET /v1/devboxes")],
    links={"dbx": "/devboxes/"},
    find=find,
)

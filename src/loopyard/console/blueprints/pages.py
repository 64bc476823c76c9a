"""/console/blueprints."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.blueprint import endpoints as api
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.schemas import BlueprintView
from loopyard.blueprint.service import BlueprintService
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.resources.kind import Column, Found, Kind, curl, family
from loopyard.kit.lists.paging import PageQuery

MOST_LINES = 1000
_SECONDS = 1.0
_LOGS = "GET /v1/blueprints/{}/logs"

router = APIRouter()


async def _list(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await api.list_blueprints(page.caller, session, query, q, None)
    return Found(found.blueprints, found.has_more, found.total_count)


async def _read(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await _blueprint(page, session, id)


async def _blueprint(page: Page, session: AsyncSession, id: str) -> BlueprintView:
    return await api.retrieve(id, page.caller, session, page.parts.get(BlueprintService))


async def _delete(page: Page, session: AsyncSession, id: str) -> Any:
    await api.delete(id, page.caller, session, page.parts.get(BlueprintService))


async def _more(page: Page, id: str) -> Mapping[str, Any]:
    """The Dockerfile that is built, and what the build has said so far."""
    if not page.may(_LOGS):
        return {"dockerfile": None, "build": None}
    async with page.database.read() as session:
        blueprint = await _blueprint(page, session, id)
        found = await api.logs(id, page.caller, session, page.parts.get(BlueprintService), page.parts.get(BuildLogs))
    return {
        "dockerfile": blueprint.parameters.dockerfile,
        "build": {
            "status": blueprint.status,
            "lines": found.logs[-MOST_LINES:],
            "left_out": max(0, len(found.logs) - MOST_LINES),
        },
    }


@router.get("/{id}/live")
async def live(id: str, page: Annotated[Page, Depends(allowed(_LOGS))]) -> Response:
    """The log again; each second while it is built."""
    building = True

    async def render() -> str:
        nonlocal building
        more = await _more(page, id)
        building = more["build"]["status"] in ("queued", "provisioning", "building")
        return page.html("blueprints/_build.html", id=id, build=more["build"])

    def every() -> float | None:
        return _SECONDS if building else None

    return page.live(Fragment("build", ("build", id), render, lambda key: key == id, every))


@router.get("/{id}/build.txt")
async def whole_log(id: str, page: Annotated[Page, Depends(allowed(_LOGS))]) -> Response:
    """All that the build has said, to keep."""
    async with page.database.read() as session:
        found = await api.logs(id, page.caller, session, page.parts.get(BlueprintService), page.parts.get(BuildLogs))
    headers = {"Content-Disposition": 'attachment; filename="build.txt"'}
    return PlainTextResponse("".join(f"{line.message}\n" for line in found.logs), headers=headers)


FAMILY = family(
    Kind(
        group="Sandboxes",
        title="Blueprints",
        one="blueprint",
        path="/blueprints",
        prefix="bpt",
        columns=(
            Column("Id", "id", "id"),
            Column("Name", "name"),
            Column("Build", "status", "status"),
            Column("Why it failed", "failure_reason"),
            Column("Created", "create_time_ms", "time"),
            Column("Built", "build_finish_time_ms", "time"),
        ),
        list=_list,
        list_operation="GET /v1/blueprints",
        read=_read,
        read_operation="GET /v1/blueprints/{}",
        command=curl("blueprints", '{"name": "mine", "dockerfile": "FROM debian:12\\nRUN true"}'),
        delete=_delete,
        delete_operation="POST /v1/blueprints/{}/delete",
        delete_question="Delete this blueprint? Its build is stopped if it goes on.",
        template="blueprints/detail.html",
        more=_more,
    ),
    router,
)

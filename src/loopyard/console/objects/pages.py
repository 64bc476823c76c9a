"""/console/objects."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.page import Page, allowed
from loopyard.console.resources.kind import Column, Found, Kind, curl, family
from loopyard.kit.http.parts import part
from loopyard.kit.lists.paging import PageQuery
from loopyard.object import endpoints as api
from loopyard.object.repository import ObjectFilters
from loopyard.object.service import ObjectService

_DOWNLOAD_SECONDS = 60

router = APIRouter()


async def _list(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await api.list_objects(page.caller, session, query, ObjectFilters(search=q))
    return Found(found.objects, found.has_more, found.total_count)


async def _read(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await api.retrieve(id, page.caller, session, page.parts.get(ObjectService))


async def _delete(page: Page, session: AsyncSession, id: str) -> Any:
    await api.delete(id, page.caller, session, page.parts.get(ObjectService))


@router.get("/{id}/download")
async def download(
    id: str,
    request: Request,
    page: Annotated[Page, Depends(allowed("GET /v1/objects/{}/download"))],
    service: Annotated[ObjectService, Depends(part(ObjectService))],
) -> Response:
    """The object's content, by an address that is good for a minute."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    async with page.database.read() as session:
        found = await api.download(id, page.caller, session, service, base, _DOWNLOAD_SECONDS)
    return RedirectResponse(found.download_url, 303)


FAMILY = family(
    Kind(
        group="Sandboxes",
        title="Objects",
        one="object",
        path="/objects",
        prefix="obj",
        columns=(
            Column("Id", "id", "id"),
            Column("Name", "name"),
            Column("State", "state", "status"),
            Column("Type", "content_type"),
            Column("Size", "size_bytes", "size"),
            Column("Created", "create_time_ms", "time"),
            Column("Deleted after", "delete_after_time_ms", "time"),
        ),
        list=_list,
        list_operation="GET /v1/objects",
        read=_read,
        read_operation="GET /v1/objects/{}",
        command=curl("objects", '{"name": "data.tar", "content_type": "tar"}'),
        delete=_delete,
        delete_operation="POST /v1/objects/{}/delete",
        delete_question="Delete this object and its content?",
        template="objects/detail.html",
    ),
    router,
)

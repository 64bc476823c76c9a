"""/v1/objects: making, finding, completing and deleting objects."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.object.addresses import base_url
from loopyard.object.config import ObjectConfig
from loopyard.object.repository import ObjectFilters, ObjectRepository
from loopyard.object.schemas import (
    DEFAULT_DURATION_SECONDS,
    MAX_DURATION_SECONDS,
    ObjectCreateParams,
    ObjectDownloadURLView,
    ObjectListView,
    ObjectView,
)
from loopyard.object.service import ObjectService
from loopyard.object.states import ContentType, StateName

router = APIRouter(prefix="/v1/objects", tags=["objects"])

CreationDep = Annotated[Creation, Depends(creation_of("objects.create", "obj"))]

ObjectServiceDep = Annotated[ObjectService, Depends(part(ObjectService))]


async def _base_url(request: Request, config: Annotated[ObjectConfig, Depends(part(ObjectConfig))]) -> str:
    return base_url(request, config)


BaseUrl = Annotated[str, Depends(_base_url)]


async def _filters(
    content_type: Annotated[ContentType | None, Query(description="Only objects of this type.")] = None,
    name: Annotated[ShortText | None, Query(description="Only objects whose name holds this, in any case.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only the object of this id, or those whose name holds this.")
    ] = None,
    state: Annotated[
        StateName | None, Query(description="Only objects in this state. Default: all but deleted ones.")
    ] = None,
) -> ObjectFilters:
    return ObjectFilters(content_type, name, search, state)


Filters = Annotated[ObjectFilters, Depends(_filters)]


@router.post("", operation_id="objects.create")
async def create(
    params: ObjectCreateParams,
    caller: CallerDep,
    session: WriteSession,
    service: ObjectServiceDep,
    base: BaseUrl,
    creation: CreationDep,
) -> ObjectView:
    """Make an object. Then put its content to `upload_url`, and complete it."""
    made = await creation.claim(session)
    if not made.is_repeat:
        row = await service.create(session, caller.account_id, params, object_id=made.id)
    else:
        row = await service.get(session, caller.account_id, made.id)
    return ObjectView.model_validate(row).model_copy(update={"upload_url": await service.upload_url(row, base)})


@router.get("", operation_id="objects.list")
async def list_objects(
    caller: CallerDep, session: ReadSession, page_query: PageParams, filters: Filters
) -> ObjectListView:
    """The account's objects, newest first."""
    page = await ObjectRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "obj"))
    views = [ObjectView.model_validate(row) for row in page.items]
    return ObjectListView(objects=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/list_public", operation_id="objects.list_public")
async def list_public(
    caller: CallerDep,  # noqa: ARG001
    session: ReadSession,
    page_query: PageParams,
    filters: Filters,
) -> ObjectListView:
    """The objects that every account may read, newest first."""
    page = await ObjectRepository(session).list_page(None, filters, cursor_of(page_query, "obj"))
    views = [ObjectView.model_validate(row) for row in page.items]
    return ObjectListView(objects=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="objects.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession, service: ObjectServiceDep) -> ObjectView:
    """Retrieve an object, also a deleted one."""
    return ObjectView.model_validate(await service.get(session, caller.account_id, id))


@router.post("/{id}/complete", operation_id="objects.complete")
async def complete(id: ShortText, caller: CallerDep, service: ObjectServiceDep) -> ObjectView:
    """Make what was uploaded the object's content. It can be read from now on, and not be changed."""
    return ObjectView.model_validate(await service.complete(caller.account_id, id))


@router.post("/{id}/delete", operation_id="objects.delete")
async def delete(id: ShortText, caller: CallerDep, session: WriteSession, service: ObjectServiceDep) -> ObjectView:
    """Delete an object and its content."""
    return ObjectView.model_validate(await service.delete(session, caller.account_id, id))


@router.get("/{id}/download", operation_id="objects.download")
async def download(
    id: ShortText,
    caller: CallerDep,
    session: ReadSession,
    service: ObjectServiceDep,
    base: BaseUrl,
    duration_seconds: Annotated[
        int,
        Query(ge=1, le=MAX_DURATION_SECONDS, description="How long the URL is good. Default an hour, at most 7 days."),
    ] = DEFAULT_DURATION_SECONDS,
) -> ObjectDownloadURLView:
    """A URL that gives the object's content, to whoever has it, for a while."""
    url = await service.download_url(session, caller.account_id, id, base, duration_seconds)
    return ObjectDownloadURLView(download_url=url)

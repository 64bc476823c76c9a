"""/v1/blueprints: building images that devboxes are made from."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.repository import BlueprintRepository
from loopyard.blueprint.schemas import (
    BlueprintBuildLog,
    BlueprintBuildLogsListView,
    BlueprintBuildParameters,
    BlueprintListView,
    BlueprintPreviewView,
    BlueprintView,
)
from loopyard.blueprint.service import BlueprintService
from loopyard.blueprint.states import StatusName
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of

router = APIRouter(prefix="/v1/blueprints", tags=["blueprints"])

CreationDep = Annotated[Creation, Depends(creation_of("blueprints.create", "bpt"))]

ServiceDep = Annotated[BlueprintService, Depends(part(BlueprintService))]
LogsDep = Annotated[BuildLogs, Depends(part(BuildLogs))]
NameParam = Annotated[ShortText | None, Query(description="Only those of exactly this name.")]
StatusParam = Annotated[StatusName | None, Query(description="Only those whose build is in this state.")]


@router.post("", operation_id="blueprints.create")
async def create(
    params: BlueprintBuildParameters,
    caller: CallerDep,
    session: WriteSession,
    service: ServiceDep,
    creation: CreationDep,
) -> BlueprintView:
    """Begin to build a blueprint; `status` tells when it is complete."""
    made = await creation.claim(session)
    if made.is_repeat:
        return BlueprintView.of(await service.get(session, caller.account_id, made.id))
    return BlueprintView.of(await service.create(session, caller.account_id, params, blueprint_id=made.id))


@router.get("", operation_id="blueprints.list")
async def list_blueprints(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    name: NameParam = None,
    status: StatusParam = None,
) -> BlueprintListView:
    """The account's blueprints, newest first."""
    query = cursor_of(page_query, "bpt")
    page = await BlueprintRepository(session).list_page(query, account_id=caller.account_id, name=name, status=status)
    views = [BlueprintView.of(blueprint) for blueprint in page.items]
    return BlueprintListView(blueprints=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/list_public", operation_id="blueprints.list_public")
async def list_public(
    _caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    name: NameParam = None,
    status: StatusParam = None,
) -> BlueprintListView:
    """The blueprints that every account may use, newest first."""
    query = cursor_of(page_query, "bpt")
    page = await BlueprintRepository(session).list_page(query, account_id=None, name=name, status=status)
    views = [BlueprintView.of(blueprint) for blueprint in page.items]
    return BlueprintListView(blueprints=views, has_more=page.has_more, total_count=page.total_count)


@router.post("/preview", operation_id="blueprints.preview")
async def preview(
    params: BlueprintBuildParameters, caller: CallerDep, session: ReadSession, service: ServiceDep
) -> BlueprintPreviewView:
    """The Dockerfile that would be built from these parameters. Nothing is built."""
    return BlueprintPreviewView(dockerfile=await service.preview(session, caller.account_id, params))


@router.get("/{id}", operation_id="blueprints.retrieve")
async def retrieve(id: str, caller: CallerDep, session: ReadSession, service: ServiceDep) -> BlueprintView:
    """A blueprint. One that was deleted says so."""
    return BlueprintView.of(await service.get(session, caller.account_id, id))


@router.get("/{id}/logs", operation_id="blueprints.logs")
async def logs(
    id: str, caller: CallerDep, session: ReadSession, service: ServiceDep, build_logs: LogsDep
) -> BlueprintBuildLogsListView:
    """Return the output of the build so far."""
    blueprint = await service.get(session, caller.account_id, id)
    lines = await asyncio.to_thread(build_logs.read, blueprint.id)
    return BlueprintBuildLogsListView(blueprint_id=id, logs=[BlueprintBuildLog.model_validate(line) for line in lines])


@router.post("/{id}/delete", operation_id="blueprints.delete")
async def delete(id: str, caller: CallerDep, session: WriteSession, service: ServiceDep) -> dict[str, str]:
    """Delete a blueprint, and stop its build if it goes on."""
    await service.delete(session, caller.account_id, id)
    return {}

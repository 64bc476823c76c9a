"""/v1/devboxes: making, finding, changing and ending devboxes."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import Caller, acting
from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.devbox.lifecycle.states import STARTING, StatusName
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.schemas import (
    DevboxCreateParams,
    DevboxListView,
    DevboxUpdateParams,
    DevboxView,
    ResourceUsageView,
    WaitForStatusParams,
)
from loopyard.devbox.service import DevboxService
from loopyard.devbox.usage.totals import usage
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession, after_commit
from loopyard.kit.errors import WaitTimeout
from loopyard.kit.http.parts import part
from loopyard.kit.lists.paging import PageParams, PageQuery, cursor_of

LONGEST_WAIT_SECONDS = 30.0
DEFAULT_WAIT_SECONDS = 25.0

router = APIRouter(prefix="/v1/devboxes", tags=["devboxes"])

CreationDep = Annotated[Creation, Depends(creation_of("devboxes.create", "dbx"))]

DevboxServiceDep = Annotated[DevboxService, Depends(part(DevboxService))]
ChangesDep = Annotated[Changes, Depends(part(Changes))]


@router.post("", operation_id="devboxes.create")
async def create(
    caller: CallerDep,
    session: WriteSession,
    service: DevboxServiceDep,
    creation: CreationDep,
    params: Annotated[DevboxCreateParams | None, Body()] = None,
) -> DevboxView:
    """Make a devbox. The answer comes at once, with the devbox provisioning."""
    made = await creation.claim(session)
    if made.is_repeat:
        return _view(await service.get(session, caller.account_id, made.id))
    params = params or DevboxCreateParams()
    return _view(await service.create(session, caller.account_id, params, devbox_id=made.id))


@router.post("/create_and_await_running", operation_id="devboxes.create_and_await_running")
async def create_and_await_running(
    caller: CallerDep,
    database: DatabaseDep,
    service: DevboxServiceDep,
    changes: ChangesDep,
    creation: CreationDep,
    params: Annotated[DevboxCreateParams | None, Body()] = None,
) -> DevboxView:
    """Make a devbox and answer when it runs or has failed, or after 25 seconds as it is then."""
    async with database.write() as session:
        devbox = await create(caller, session, service, creation, params)

    async def read() -> Devbox:
        async with database.read() as session:
            return await service.get(session, caller.account_id, devbox.id)

    try:
        row = await changes.wait_until(
            devbox.id, read, lambda row: row.status not in STARTING, timeout=DEFAULT_WAIT_SECONDS
        )
    except WaitTimeout:
        row = await read()
    return _view(row)


@router.get("", operation_id="devboxes.list")
async def list_devboxes(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    status: Annotated[StatusName | None, Query(description="Only devboxes in this status.")] = None,
) -> DevboxListView:
    """The account's devboxes, newest first."""
    return await found_devboxes(caller, session, page_query, status, None)


async def found_devboxes(
    caller: Caller, session: AsyncSession, page_query: PageQuery, status: StatusName | None, search: str | None
) -> DevboxListView:
    """The account's devboxes, newest first: in a status, and with a part of a name or the start of an id."""
    page = await DevboxRepository(session).list_page(caller.account_id, status, cursor_of(page_query, "dbx"), search)
    views = [_view(devbox) for devbox in page.items]
    return DevboxListView(devboxes=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="devboxes.retrieve")
async def retrieve(id: str, caller: CallerDep, session: ReadSession, service: DevboxServiceDep) -> DevboxView:
    """Retrieve a devbox."""
    return _view(await service.get(session, caller.account_id, id))


@router.post("/{id}", operation_id="devboxes.update")
async def update(
    id: str,
    caller: CallerDep,
    session: WriteSession,
    service: DevboxServiceDep,
    params: Annotated[DevboxUpdateParams | None, Body()] = None,
) -> DevboxView:
    """Change a devbox's name or metadata; what is not given stays."""
    devbox = await service.update(session, caller.account_id, id, params or DevboxUpdateParams())
    return _view(devbox)


@router.post("/{id}/wait_for_status", operation_id="devboxes.wait_for_status")
async def wait_for_status(
    id: str,
    params: WaitForStatusParams,
    caller: CallerDep,
    database: DatabaseDep,
    service: DevboxServiceDep,
    changes: ChangesDep,
) -> DevboxView:
    """Wait until the devbox is in one of the statuses, 30 seconds at most; 408 if it is not by then."""

    async def read() -> Devbox:
        async with database.read() as session:
            return await service.get(session, caller.account_id, id)

    wanted = set(params.statuses)
    seconds = DEFAULT_WAIT_SECONDS if params.timeout_seconds is None else params.timeout_seconds
    devbox = await changes.wait_until(id, read, lambda row: row.status in wanted, min(seconds, LONGEST_WAIT_SECONDS))
    return _view(devbox)


@router.post("/{id}/shutdown", operation_id="devboxes.shutdown")
async def shutdown(
    id: str,
    caller: CallerDep,
    session: WriteSession,
    service: DevboxServiceDep,
    force: Annotated[bool, Query(description="End it even while a snapshot of it is being taken.")] = False,
) -> DevboxView:
    """End a devbox and everything that runs in it. One that has ended already stays as it is."""
    return _view(await service.shut_down(session, caller.account_id, id, force=force))


@router.post("/{id}/suspend", operation_id="devboxes.suspend")
async def suspend(
    id: str, caller: CallerDep, session: WriteSession, service: DevboxServiceDep, changes: ChangesDep
) -> DevboxView:
    """Begin to suspend a running devbox: its suspend commands run, its processes end, its disk is kept."""
    after_commit(session, lambda: changes.publish(id))
    return _view(await service.suspend(session, caller.account_id, id))


@router.post("/{id}/resume", operation_id="devboxes.resume")
async def resume(
    id: str, caller: CallerDep, session: WriteSession, service: DevboxServiceDep, changes: ChangesDep
) -> DevboxView:
    """Begin to resume a suspended devbox on its disk: its launch commands run, and its entrypoint starts, again."""
    after_commit(session, lambda: changes.publish(id))
    return _view(await service.resume(session, caller.account_id, id))


@router.post("/{id}/keep_alive", operation_id="devboxes.keep_alive")
async def keep_alive(id: str, caller: CallerDep, session: WriteSession, service: DevboxServiceDep) -> dict[str, str]:
    """Let the time until a running devbox is ended, or counts as idle, begin anew."""
    await service.keep_alive(session, caller.account_id, id)
    return {}


@router.get("/{id}/usage", operation_id="devboxes.retrieve_resource_usage")
async def retrieve_resource_usage(
    id: str, caller: CallerDep, session: ReadSession, service: DevboxServiceDep
) -> ResourceUsageView:
    """Retrieve the resources that a devbox has used, counted by its size and its times."""
    return usage(await service.get(session, caller.account_id, id), now_ms())


def _view(devbox: Devbox) -> DevboxView:
    """A devbox as the caller may see it: its tunnel is a way in, and so for those who may change devboxes only."""
    view, caller = DevboxView.model_validate(devbox), acting()
    if view.tunnel is not None and caller is not None and not caller.may(Resource.DEVBOXES, Level.WRITE):
        view.tunnel = None
    return view

"""/v1/axons: making, finding, changing and deleting axons."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.axon import service
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.repository import AxonFilters, AxonRepository
from loopyard.axon.schemas import AxonCreateParams, AxonListView, AxonUpdateParams, AxonView
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.metadata import MetadataFilterParam
from loopyard.kit.lists.paging import PageParams, cursor_of

router = APIRouter(prefix="/v1/axons", tags=["axons"])

CreationDep = Annotated[Creation, Depends(creation_of("axons.create", "axn"))]


async def _filters(
    metadata: MetadataFilterParam,
    id: Annotated[ShortText | None, Query(description="Only the axon of this id.")] = None,
    name: Annotated[ShortText | None, Query(description="Only axons whose name starts with this, in any case.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only axons whose id starts with this, or whose name holds it.")
    ] = None,
) -> AxonFilters:
    return AxonFilters(id, name, search, metadata)


@router.post("", operation_id="axons.create")
async def create(
    caller: CallerDep,
    session: WriteSession,
    creation: CreationDep,
    params: Annotated[AxonCreateParams | None, Body()] = None,
) -> AxonView:
    """Make an axon."""
    made = await creation.claim(session)
    if made.is_repeat:
        return AxonView.model_validate(await AxonRepository(session).get_one_owned(made.id, caller.account_id))
    axon = await service.create(session, caller.account_id, params or AxonCreateParams(), axon_id=made.id)
    return AxonView.model_validate(axon)


@router.get("", operation_id="axons.list")
async def list_axons(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[AxonFilters, Depends(_filters)],
) -> AxonListView:
    """The account's active axons, newest first."""
    page = await AxonRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "axn"))
    views = [AxonView.model_validate(axon) for axon in page.items]
    return AxonListView(axons=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="axons.retrieve")
async def retrieve(id: str, caller: CallerDep, session: ReadSession) -> AxonView:
    """Retrieve an axon."""
    return AxonView.model_validate(await AxonRepository(session).get_one_owned(id, caller.account_id))


@router.post("/{id}", operation_id="axons.update")
async def update(
    id: str,
    caller: CallerDep,
    session: WriteSession,
    params: Annotated[AxonUpdateParams | None, Body()] = None,
) -> AxonView:
    """Replace an axon's metadata: left out or null keeps it, `{}` clears it."""
    axon = await service.update(session, caller.account_id, id, params or AxonUpdateParams())
    return AxonView.model_validate(axon)


@router.delete("/{id}", operation_id="axons.delete")
async def delete(
    id: str,
    caller: CallerDep,
    session: WriteSession,
    subscribers: Annotated[Subscribers, Depends(part(Subscribers))],
) -> dict[str, str]:
    """Delete an axon, with its events and its SQL database. Open subscriptions end with an error of code 404."""
    await service.delete(session, caller.account_id, id, subscribers)
    return {}

"""/v1/gateway-configs: making, finding, changing and deleting gateway configurations."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.gateway_config import service
from loopyard.gateway_config.repository import GatewayConfigRepository
from loopyard.gateway_config.schemas import (
    GatewayConfigCreateParams,
    GatewayConfigListView,
    GatewayConfigUpdateParams,
    GatewayConfigView,
)
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.db.named_repository import NameFilters
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.configured import check_endpoint

router = APIRouter(prefix="/v1/gateway-configs", tags=["gateway-configs"])

CreationDep = Annotated[Creation, Depends(creation_of("gatewayconfigs.create", "gwc"))]

AddressesDep = Annotated[Addresses, Depends(part(Addresses))]


async def _filters(
    id: Annotated[ShortText | None, Query(description="Only the configuration of this id.")] = None,
    name: Annotated[ShortText | None, Query(description="Only those whose name holds this, in any case.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only those whose id starts with this, or whose name holds it.")
    ] = None,
) -> NameFilters:
    return NameFilters(id, name, search)


@router.post("", operation_id="gatewayconfigs.create")
async def create(
    params: GatewayConfigCreateParams,
    caller: CallerDep,
    database: DatabaseDep,
    addresses: AddressesDep,
    creation: CreationDep,
) -> GatewayConfigView:
    """Make a gateway configuration: an upstream, and how the credential is put on what goes there."""
    await check_endpoint(addresses, params.endpoint)
    async with database.write(last=True) as session:
        made = await creation.claim(session)
        if made.is_repeat:
            return GatewayConfigView.model_validate(
                await GatewayConfigRepository(session).get_one_owned(made.id, caller.account_id)
            )
        config = await service.create(session, caller.account_id, params, config_id=made.id)
        return GatewayConfigView.model_validate(config)


@router.get("", operation_id="gatewayconfigs.list")
async def list_configs(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[NameFilters, Depends(_filters)],
) -> GatewayConfigListView:
    """The account's gateway configurations and the server's own, newest first."""
    page = await GatewayConfigRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "gwc"))
    views = [GatewayConfigView.model_validate(config) for config in page.items]
    return GatewayConfigListView(gateway_configs=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="gatewayconfigs.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> GatewayConfigView:
    """Retrieve a gateway configuration."""
    return GatewayConfigView.model_validate(await GatewayConfigRepository(session).get_one_owned(id, caller.account_id))


@router.post("/{id}", operation_id="gatewayconfigs.update")
async def update(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    addresses: AddressesDep,
    params: Annotated[GatewayConfigUpdateParams | None, Body()] = None,
) -> GatewayConfigView:
    """Change a gateway configuration; what is not given stays. Devboxes that use it call as it says from then on."""
    params = params or GatewayConfigUpdateParams()
    await check_endpoint(addresses, params.endpoint)
    async with database.write(last=True) as session:
        return GatewayConfigView.model_validate(await service.update(session, caller.account_id, id, params))


@router.post("/{id}/delete", operation_id="gatewayconfigs.delete")
async def delete(id: ShortText, caller: CallerDep, session: WriteSession) -> GatewayConfigView:
    """Delete a gateway configuration that no devbox uses any more; answers with what it was."""
    return GatewayConfigView.model_validate(await service.delete(session, caller.account_id, id))

"""/v1/mcp-configs: making, finding, changing and deleting MCP configurations."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.db.named_repository import NameFilters
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.mcp_config import service
from loopyard.mcp_config.repository import McpConfigRepository
from loopyard.mcp_config.schemas import (
    McpConfigCreateParams,
    McpConfigListView,
    McpConfigUpdateParams,
    McpConfigView,
)
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.configured import check_endpoint

router = APIRouter(prefix="/v1/mcp-configs", tags=["mcp-configs"])

CreationDep = Annotated[Creation, Depends(creation_of("mcpconfigs.create", "mcp"))]

AddressesDep = Annotated[Addresses, Depends(part(Addresses))]


async def _filters(
    id: Annotated[ShortText | None, Query(description="Only the configuration of this id.")] = None,
    name: Annotated[ShortText | None, Query(description="Only those whose name starts with this.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only those whose id starts with this, or whose name holds it.")
    ] = None,
) -> NameFilters:
    return NameFilters(id, name, search)


@router.post("", operation_id="mcpconfigs.create")
async def create(
    params: McpConfigCreateParams,
    caller: CallerDep,
    database: DatabaseDep,
    addresses: AddressesDep,
    creation: CreationDep,
) -> McpConfigView:
    """Make an MCP configuration: an MCP server, which of its tools are allowed, and how it is given its credential."""
    await check_endpoint(addresses, params.endpoint)
    async with database.write(last=True) as session:
        made = await creation.claim(session)
        if made.is_repeat:
            return McpConfigView.model_validate(
                await McpConfigRepository(session).get_one_owned(made.id, caller.account_id)
            )
        config = await service.create(session, caller.account_id, params, config_id=made.id)
        return McpConfigView.model_validate(config)


@router.get("", operation_id="mcpconfigs.list")
async def list_configs(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[NameFilters, Depends(_filters)],
) -> McpConfigListView:
    """The account's MCP configurations, newest first."""
    page = await McpConfigRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "mcp"))
    views = [McpConfigView.model_validate(config) for config in page.items]
    return McpConfigListView(mcp_configs=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="mcpconfigs.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> McpConfigView:
    """Retrieve an MCP configuration."""
    return McpConfigView.model_validate(await McpConfigRepository(session).get_one_owned(id, caller.account_id))


@router.post("/{id}", operation_id="mcpconfigs.update")
async def update(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    addresses: AddressesDep,
    params: Annotated[McpConfigUpdateParams | None, Body()] = None,
) -> McpConfigView:
    """Change an MCP configuration; what is not given stays. Devboxes that use it call as it says from then on."""
    params = params or McpConfigUpdateParams()
    await check_endpoint(addresses, params.endpoint)
    async with database.write(last=True) as session:
        return McpConfigView.model_validate(await service.update(session, caller.account_id, id, params))


@router.post("/{id}/delete", operation_id="mcpconfigs.delete")
async def delete(id: ShortText, caller: CallerDep, session: WriteSession) -> McpConfigView:
    """Delete an MCP configuration that no devbox uses any more; answers with what it was."""
    return McpConfigView.model_validate(await service.delete(session, caller.account_id, id))

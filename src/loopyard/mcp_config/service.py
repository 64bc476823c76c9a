"""Decides about MCP configurations."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.mcp_config.models import McpConfig
from loopyard.mcp_config.repository import McpConfigRepository
from loopyard.mcp_config.schemas import McpConfigCreateParams, McpConfigUpdateParams
from loopyard.upstream_proxy.configs import change, check_unused


async def create(session: AsyncSession, account_id: str, params: McpConfigCreateParams, *, config_id: str) -> McpConfig:
    """Write a new configuration down. The caller has checked the endpoint's address.

    Raises:
        BadRequest: The name is taken, or there is no such secret.
    """
    configs = McpConfigRepository(session)
    config = McpConfig(
        id=config_id,
        account_id=account_id,
        allowed_tools=params.allowed_tools,
        auth_mechanism={"type": "bearer"},
        custom_headers=[],
        create_time_ms=now_ms(),
    )
    await change(session, configs, config, account_id, params)
    return await configs.create(config)


async def update(session: AsyncSession, account_id: str, config_id: str, params: McpConfigUpdateParams) -> McpConfig:
    """Change what is given. Calls from then on are made as it says.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: The name is taken, or there is no such secret.
    """
    configs = McpConfigRepository(session)
    config = await configs.get_one_owned_for_update(config_id, account_id)
    await change(session, configs, config, account_id, params)
    if params.allowed_tools is not None:
        config.allowed_tools = params.allowed_tools
    return await configs.update(config)


async def delete(session: AsyncSession, account_id: str, config_id: str) -> McpConfig:
    """Delete a configuration; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: Devboxes that have not ended use it.
    """
    configs = McpConfigRepository(session)
    config = await configs.get_one_owned_for_update(config_id, account_id)
    await check_unused(session, config_id)
    return await configs.delete(config)

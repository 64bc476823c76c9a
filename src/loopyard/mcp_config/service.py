"""Decides about MCP configurations."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.mcp_config import repository
from loopyard.mcp_config.models import McpConfig
from loopyard.mcp_config.schemas import McpConfigCreateParams, McpConfigUpdateParams
from loopyard.upstream_proxy import repository as grants
from loopyard.upstream_proxy.configured import stored_headers

_BEARER: dict[str, Any] = {"type": "bearer"}


async def create(session: AsyncSession, account_id: str, params: McpConfigCreateParams, *, config_id: str) -> McpConfig:
    """Write a new configuration down. The caller has checked the endpoint's address.

    Raises:
        BadRequest: The name is taken, or there is no such secret.
    """
    mechanism = params.auth_mechanism
    config = McpConfig(
        id=config_id,
        account_id=account_id,
        description=params.description,
        endpoint=params.endpoint,
        allowed_tools=params.allowed_tools,
        auth_mechanism=_BEARER if mechanism is None else mechanism.model_dump(exclude_none=True),
        custom_headers=await stored_headers(session, account_id, params.custom_headers or []),
        create_time_ms=now_ms(),
    )
    await _name(session, config, params.name)
    session.add(config)
    await _flush(session, params.name)
    return config


async def get(session: AsyncSession, account_id: str, config_id: str) -> McpConfig:
    """A configuration of the account.

    Raises:
        NotFound: There is none of this id.
    """
    config = await repository.get(session, config_id, account_id)
    if config is None:
        raise _not_found(config_id)
    return config


async def find(session: AsyncSession, account_id: str, id_or_name: str, field: str) -> McpConfig:
    """A configuration that a request names, kept until the transaction ends. `field` is what the request calls it.

    Raises:
        NotFound: There is none of this id or name.
    """
    config = await repository.lock(session, id_or_name, account_id)
    if config is None and (config_id := await repository.id_of_name(session, account_id, id_or_name)) is not None:
        config = await repository.lock(session, config_id, account_id)
    if config is None:
        raise NotFound(f"There is no MCP configuration {id_or_name}.", field=field)
    return config


async def update(session: AsyncSession, account_id: str, config_id: str, params: McpConfigUpdateParams) -> McpConfig:
    """Change what is given. Calls from then on are made as it says.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: The name is taken, or there is no such secret.
    """
    config = await _own(session, account_id, config_id)
    if params.name is not None and params.name != config.name:
        await _name(session, config, params.name)
    if params.endpoint is not None:
        config.endpoint = params.endpoint
    if params.allowed_tools is not None:
        config.allowed_tools = params.allowed_tools
    if params.auth_mechanism is not None:
        config.auth_mechanism = params.auth_mechanism.model_dump(exclude_none=True)
    if params.custom_headers is not None:
        config.custom_headers = await stored_headers(session, account_id, params.custom_headers)
    if params.description is not None:
        config.description = params.description
    await _flush(session, config.name)
    return config


async def delete(session: AsyncSession, account_id: str, config_id: str) -> McpConfig:
    """Delete a configuration; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: Devboxes that have not ended use it.
    """
    config = await _own(session, account_id, config_id)
    if await grants.is_in_use(session, config_id):
        raise BadRequest("Config is in use by active devboxes. Shut them down first.", field="id")
    await session.delete(config)
    await session.flush()
    return config


async def _own(session: AsyncSession, account_id: str, config_id: str) -> McpConfig:
    config = await repository.lock(session, config_id, account_id)
    if config is None:
        raise _not_found(config_id)
    return config


async def _name(session: AsyncSession, config: McpConfig, name: str) -> None:
    if await repository.id_of_name(session, config.account_id, name) is not None:
        raise _taken(name)
    config.name, config.name_digest, config.name_folded = name, names.digest(name), names.fold(name)


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:  # somebody else took it at this moment
        raise _taken(name) from None


def _not_found(config_id: str) -> NotFound:
    return NotFound(f"There is no MCP configuration {config_id}.", field="id")


def _taken(name: str) -> BadRequest:
    return BadRequest(f"name: there is an MCP configuration named {name!r} already.", field="name")

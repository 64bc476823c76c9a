"""Decides about gateway configurations."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.gateway_config import repository
from loopyard.gateway_config.models import GatewayConfig
from loopyard.gateway_config.schemas import GatewayConfigCreateParams, GatewayConfigUpdateParams
from loopyard.kit import names
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, Forbidden, NotFound
from loopyard.upstream_proxy import repository as grants
from loopyard.upstream_proxy.configured import stored_headers

_SYSTEM: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    (
        "gwc_00000000000000000000000001",
        "anthropic",
        "https://api.anthropic.com",
        "Anthropic's API; set ANTHROPIC_BASE_URL to the gateway's URL, and ANTHROPIC_API_KEY to its token.",
        {"type": "header", "key": "x-api-key"},
    ),
    (
        "gwc_00000000000000000000000002",
        "openai",
        "https://api.openai.com/v1",
        "OpenAI's API; set OPENAI_BASE_URL to the gateway's URL, and OPENAI_API_KEY to its token.",
        {"type": "bearer"},
    ),
)
"""Configurations that every account has: id, name, endpoint, description, mechanism."""


async def publish(session: AsyncSession) -> None:
    """Write down the server's own configurations, as this version has them."""
    for config_id, name, endpoint, description, mechanism in _SYSTEM:
        config = await session.get(GatewayConfig, config_id)
        if config is None:
            config = GatewayConfig(id=config_id, account_id=None, custom_headers=[], create_time_ms=now_ms())
            session.add(config)
        _rename(config, name)
        config.endpoint, config.description, config.auth_mechanism = endpoint, description, mechanism
    await session.flush()


async def create(
    session: AsyncSession, account_id: str, params: GatewayConfigCreateParams, *, config_id: str
) -> GatewayConfig:
    """Write a new configuration down. The caller has checked the endpoint's address.

    Raises:
        BadRequest: The name is taken, or there is no such secret.
    """
    config = GatewayConfig(
        id=config_id,
        account_id=account_id,
        description=params.description,
        endpoint=params.endpoint,
        auth_mechanism=params.auth_mechanism.model_dump(exclude_none=True),
        custom_headers=await stored_headers(session, account_id, params.custom_headers or []),
        create_time_ms=now_ms(),
    )
    await _name(session, config, account_id, params.name)
    session.add(config)
    await _flush(session, params.name)
    return config


async def get(session: AsyncSession, account_id: str, config_id: str) -> GatewayConfig:
    """A configuration of the account, or one of the server's own.

    Raises:
        NotFound: There is none of this id.
    """
    config = await repository.get(session, config_id, account_id)
    if config is None:
        raise _not_found(config_id)
    return config


async def find(session: AsyncSession, account_id: str, id_or_name: str, field: str) -> GatewayConfig:
    """A configuration that a request names, kept until the transaction ends. `field` is what the request calls it.

    Raises:
        NotFound: There is none of this id or name.
    """
    config = await repository.lock(session, id_or_name, account_id)
    if config is None and (config_id := await repository.id_of_name(session, account_id, id_or_name)) is not None:
        config = await repository.lock(session, config_id, account_id)
    if config is None:
        raise NotFound(f"There is no gateway configuration {id_or_name}.", field=field)
    return config


async def update(
    session: AsyncSession, account_id: str, config_id: str, params: GatewayConfigUpdateParams
) -> GatewayConfig:
    """Change what is given. Calls from then on are made as it says.

    Raises:
        NotFound: The account has none of this id.
        Forbidden: It is one of the server's own.
        BadRequest: The name is taken, or there is no such secret.
    """
    config = await _own(session, account_id, config_id)
    if params.name is not None and params.name != config.name:
        await _name(session, config, account_id, params.name)
    if params.endpoint is not None:
        config.endpoint = params.endpoint
    if params.auth_mechanism is not None:
        config.auth_mechanism = params.auth_mechanism.model_dump(exclude_none=True)
    if params.custom_headers is not None:
        config.custom_headers = await stored_headers(session, account_id, params.custom_headers)
    if params.description is not None:
        config.description = params.description
    await _flush(session, config.name)
    return config


async def delete(session: AsyncSession, account_id: str, config_id: str) -> GatewayConfig:
    """Delete a configuration; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        Forbidden: It is one of the server's own.
        BadRequest: Devboxes that have not ended use it.
    """
    config = await _own(session, account_id, config_id)
    if await grants.is_in_use(session, config_id):
        raise BadRequest("Config is in use by active devboxes. Shut them down first.", field="id")
    await session.delete(config)
    await session.flush()
    return config


async def _own(session: AsyncSession, account_id: str, config_id: str) -> GatewayConfig:
    config = await repository.lock(session, config_id, account_id)
    if config is None:
        raise _not_found(config_id)
    if config.account_id is None:
        raise Forbidden(f"{config.name} is the server's own configuration and cannot be changed; create one of yours.")
    return config


async def _name(session: AsyncSession, config: GatewayConfig, account_id: str, name: str) -> None:
    if await repository.is_taken(session, account_id, name):
        raise _taken(name)
    _rename(config, name)


def _rename(config: GatewayConfig, name: str) -> None:
    config.name, config.name_digest, config.name_folded = name, names.digest(name), names.fold(name)


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:  # somebody else took it at this moment
        raise _taken(name) from None


def _not_found(config_id: str) -> NotFound:
    return NotFound(f"There is no gateway configuration {config_id}.", field="id")


def _taken(name: str) -> BadRequest:
    return BadRequest(f"name: there is a gateway configuration named {name!r} already.", field="name")

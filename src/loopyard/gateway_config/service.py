"""Decides about gateway configurations."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.gateway_config.models import GatewayConfig
from loopyard.gateway_config.repository import GatewayConfigRepository
from loopyard.gateway_config.schemas import GatewayConfigCreateParams, GatewayConfigUpdateParams
from loopyard.kit.clock import now_ms
from loopyard.kit.db.named_repository import set_name
from loopyard.kit.errors import Forbidden
from loopyard.upstream_proxy.configs import change, check_unused

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
    configs = GatewayConfigRepository(session)
    for config_id, name, endpoint, description, mechanism in _SYSTEM:
        config = await configs.get_by_id(config_id)
        is_new = config is None
        if config is None:
            config = GatewayConfig(id=config_id, account_id=None, custom_headers=[], create_time_ms=now_ms())
        set_name(config, name)
        config.endpoint, config.description, config.auth_mechanism = endpoint, description, mechanism
        await (configs.create(config) if is_new else configs.update(config))


async def create(
    session: AsyncSession, account_id: str, params: GatewayConfigCreateParams, *, config_id: str
) -> GatewayConfig:
    """Write a new configuration down. The caller has checked the endpoint's address.

    Raises:
        BadRequest: The name is taken, or there is no such secret.
    """
    configs = GatewayConfigRepository(session)
    config = GatewayConfig(id=config_id, account_id=account_id, custom_headers=[], create_time_ms=now_ms())
    await change(session, configs, config, account_id, params)
    return await configs.create(config)


async def update(
    session: AsyncSession, account_id: str, config_id: str, params: GatewayConfigUpdateParams
) -> GatewayConfig:
    """Change what is given. Calls from then on are made as it says.

    Raises:
        NotFound: The account has none of this id.
        Forbidden: It is one of the server's own.
        BadRequest: The name is taken, or there is no such secret.
    """
    configs = GatewayConfigRepository(session)
    config = await _changeable(configs, account_id, config_id)
    await change(session, configs, config, account_id, params)
    return await configs.update(config)


async def delete(session: AsyncSession, account_id: str, config_id: str) -> GatewayConfig:
    """Delete a configuration; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        Forbidden: It is one of the server's own.
        BadRequest: Devboxes that have not ended use it.
    """
    configs = GatewayConfigRepository(session)
    config = await _changeable(configs, account_id, config_id)
    await check_unused(session, config_id)
    return await configs.delete(config)


async def _changeable(configs: GatewayConfigRepository, account_id: str, config_id: str) -> GatewayConfig:
    config = await configs.get_one_owned_for_update(config_id, account_id)
    if config.account_id is None:
        raise Forbidden(f"{config.name} is the server's own configuration and cannot be changed; create one of yours.")
    return config

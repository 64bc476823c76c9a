"""Changes of configurations of upstreams: what gateway and MCP configurations have in common."""

from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped

from loopyard.kit.db.named_repository import Named, NamedRepository
from loopyard.kit.errors import BadRequest
from loopyard.upstream_proxy.configured import stored_headers
from loopyard.upstream_proxy.mechanism import AuthMechanismParams, CustomHeaders
from loopyard.upstream_proxy.repository import UpstreamGrantRepository


class UpstreamConfig(Named, Protocol):
    """Row of a configuration."""

    description: Mapped[str | None]
    endpoint: Mapped[str]
    auth_mechanism: Mapped[dict[str, Any]]
    custom_headers: Mapped[list[Any]]


class ConfigChanges(Protocol):
    """Changes of a configuration; None where it stays as it is."""

    @property
    def name(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def endpoint(self) -> str | None: ...
    @property
    def auth_mechanism(self) -> AuthMechanismParams | None: ...
    @property
    def custom_headers(self) -> CustomHeaders | None: ...


C = TypeVar("C", bound=UpstreamConfig)


async def change(
    session: AsyncSession, configs: NamedRepository[C], config: C, account_id: str, changes: ConfigChanges
) -> None:
    """Change what is given, without writing it. The caller has checked the endpoint's address.

    Raises:
        BadRequest: The name is taken, or there is no such secret.
    """
    if changes.name is not None and changes.name != config.name:
        await configs.rename(config, account_id, changes.name)
    if changes.description is not None:
        config.description = changes.description
    if changes.endpoint is not None:
        config.endpoint = changes.endpoint
    if changes.auth_mechanism is not None:
        config.auth_mechanism = changes.auth_mechanism.model_dump(exclude_none=True)
    if changes.custom_headers is not None:
        config.custom_headers = await stored_headers(session, account_id, changes.custom_headers)


async def check_unused(session: AsyncSession, config_id: str) -> None:
    """See that a locked configuration may be deleted.

    Raises:
        BadRequest: Devboxes that have not ended use it.
    """
    if await UpstreamGrantRepository(session).is_in_use(config_id):
        raise BadRequest("Config is in use by active devboxes. Shut them down first.", field="id")

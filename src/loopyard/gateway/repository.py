"""SQL for gateway configurations."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.gateway.models import GatewayConfig
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.secret.models import Secret
from loopyard.upstream_proxy.models import UpstreamGrant, UpstreamToken


@dataclass(frozen=True, slots=True)
class ConfigFilters:
    """Filters of a list: an id, a part of a name, the start of an id or a part of a name."""

    id: str | None = None
    name: str | None = None
    search: str | None = None


# Asked before every call: built once, and of columns alone, which costs a fraction of what five objects do.
_token, _grant = UpstreamToken.__table__.c, UpstreamGrant.__table__.c
_devbox, _config, _secret = Devbox.__table__.c, GatewayConfig.__table__.c, Secret.__table__.c
_CALL = (
    select(
        _devbox.id.label("devbox_id"),
        _devbox.account_id,
        _devbox.status,
        _devbox.launch_parameters,
        _devbox.initiator_type,
        _devbox.initiator_id,
        _grant.secret_id,
        _config.id.label("config_id"),
        _config.name,
        _config.endpoint,
        _config.auth_mechanism,
        _config.custom_headers,
        _secret.sealed,
        _secret.key_id,
    )
    .select_from(UpstreamToken.__table__)
    .join(UpstreamGrant.__table__, _grant.id == _token.grant_id)
    .join(Devbox.__table__, _devbox.id == _token.devbox_id)
    .outerjoin(GatewayConfig.__table__, _config.id == _grant.config_id)
    .outerjoin(Secret.__table__, and_(_secret.id == _grant.secret_id, _secret.account_id == _devbox.account_id))
    .where(_token.digest == bindparam("digest"), _token.kind == "gateway")
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """Call that a token of the gateway allows. `config_id` and `sealed` are None where that was deleted."""

    devbox_id: str
    account_id: str
    status: str
    launch_parameters: dict[str, Any]
    initiator_type: str
    initiator_id: str | None
    secret_id: str
    config_id: str | None
    name: str
    endpoint: str
    auth_mechanism: dict[str, Any]
    custom_headers: list[dict[str, Any]]
    sealed: bytes | None
    key_id: str


async def of_token(session: AsyncSession, digest: str) -> CallRow | None:
    """The grant of the token with this digest; None if there is none."""
    row = (await session.execute(_CALL, {"digest": digest})).one_or_none()
    return None if row is None else CallRow(*row)


def _visible(account_id: str) -> ColumnElement[bool]:
    return or_(GatewayConfig.account_id == account_id, GatewayConfig.account_id.is_(None))


async def get(session: AsyncSession, config_id: str, account_id: str) -> GatewayConfig | None:
    """A configuration of the account, or one of the server's own."""
    config = await session.get(GatewayConfig, config_id)
    return config if config is not None and config.account_id in (None, account_id) else None


async def lock(session: AsyncSession, config_id: str, account_id: str) -> GatewayConfig | None:
    """The same, kept from others' changes until the transaction ends."""
    config = await session.get(GatewayConfig, config_id, with_for_update=True, populate_existing=True)
    return config if config is not None and config.account_id in (None, account_id) else None


async def id_of_name(session: AsyncSession, account_id: str, name: str) -> str | None:
    """The id of the configuration of this name that the account has; its own go before the server's."""
    statement = select(GatewayConfig.id).where(_visible(account_id), GatewayConfig.name_digest == names.digest(name))
    return await session.scalar(statement.order_by(GatewayConfig.account_id.is_(None)).limit(1))


async def is_taken(session: AsyncSession, account_id: str, name: str) -> bool:
    """True if the account has a configuration of its own of this name. A name of one of the server's own is free: the
    account's is found in its place then."""
    taken = GatewayConfig.account_id == account_id, GatewayConfig.name_digest == names.digest(name)
    return await session.scalar(select(GatewayConfig.id).where(*taken)) is not None


async def page(session: AsyncSession, account_id: str, filters: ConfigFilters, query: PageQuery) -> Page[GatewayConfig]:
    conditions: list[ColumnElement[bool]] = [_visible(account_id)]
    if filters.id is not None:
        conditions.append(GatewayConfig.id == filters.id)
    if filters.name:
        conditions.append(names.holds(GatewayConfig.name_folded, filters.name))
    if filters.search:
        by_id = GatewayConfig.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(GatewayConfig.name_folded, filters.search)))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(GatewayConfig).where(*conditions))
    rows, more = await fetch_page(session, select(GatewayConfig).where(*conditions), GatewayConfig.id, query)
    return Page(rows, more, total)

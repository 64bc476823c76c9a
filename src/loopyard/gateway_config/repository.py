"""SQL for gateway configurations."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.gateway_config.models import GatewayConfig
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page


@dataclass(frozen=True, slots=True)
class ConfigFilters:
    """Filters of a list: an id, a part of a name, the start of an id or a part of a name."""

    id: str | None = None
    name: str | None = None
    search: str | None = None


def _visible(account_id: str) -> ColumnElement[bool]:
    return or_(GatewayConfig.account_id == account_id, GatewayConfig.account_id.is_(None))


async def get(session: AsyncSession, config_id: str, account_id: str) -> GatewayConfig | None:
    """A configuration of the account, or one of the server's own."""
    config = await session.get(GatewayConfig, config_id)
    return config if config is not None and config.account_id in (None, account_id) else None


async def lock(session: AsyncSession, config_id: str, account_id: str) -> GatewayConfig | None:
    """Row that is locked against others' changes until the transaction ends."""
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

"""SQL for MCP configurations."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.mcp_config.models import McpConfig


@dataclass(frozen=True, slots=True)
class ConfigFilters:
    """Filters of a list: an id, the start of a name, the start of an id or a part of a name."""

    id: str | None = None
    name: str | None = None
    search: str | None = None


async def get(session: AsyncSession, config_id: str, account_id: str) -> McpConfig | None:
    """A configuration of the account."""
    config = await session.get(McpConfig, config_id)
    return config if config is not None and config.account_id == account_id else None


async def lock(session: AsyncSession, config_id: str, account_id: str) -> McpConfig | None:
    """Row that is locked against others' changes until the transaction ends."""
    config = await session.get(McpConfig, config_id, with_for_update=True, populate_existing=True)
    return config if config is not None and config.account_id == account_id else None


async def id_of_name(session: AsyncSession, account_id: str, name: str) -> str | None:
    statement = select(McpConfig.id).where(
        McpConfig.account_id == account_id, McpConfig.name_digest == names.digest(name)
    )
    return await session.scalar(statement)


async def page(session: AsyncSession, account_id: str, filters: ConfigFilters, query: PageQuery) -> Page[McpConfig]:
    conditions: list[ColumnElement[bool]] = [McpConfig.account_id == account_id]
    if filters.id is not None:
        conditions.append(McpConfig.id == filters.id)
    if filters.name:
        conditions.append(McpConfig.name_folded.startswith(names.fold(filters.name), autoescape=True))
    if filters.search:
        by_id = McpConfig.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(McpConfig.name_folded, filters.search)))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(McpConfig).where(*conditions))
    rows, more = await fetch_page(session, select(McpConfig).where(*conditions), McpConfig.id, query)
    return Page(rows, more, total)

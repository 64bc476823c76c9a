"""SQL for agents."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from loopyard.agent.models import Agent, DevboxAgent
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page

LATEST = "latest"
"""The version by which a list is narrowed to the newest agent of each name."""


@dataclass(frozen=True, slots=True)
class AgentFilters:
    """Filters of a list: a part of a name, the start of an id or a part of a name, a version, visibility."""

    name: str | None = None
    search: str | None = None
    version: str | None = None
    is_public: bool | None = None


async def get(session: AsyncSession, agent_id: str) -> Agent | None:
    return await session.get(Agent, agent_id)


async def newest(session: AsyncSession, account_id: str | None, name: str) -> Agent | None:
    """The newest agent of this very name that an account has, or with None that comes with Loopyard."""
    statement = select(Agent).where(_of(account_id), Agent.name_digest == names.digest(name))
    return await session.scalar(statement.order_by(Agent.id.desc()).limit(1))


async def page(session: AsyncSession, account_id: str | None, filters: AgentFilters, query: PageQuery) -> Page[Agent]:
    """The account's agents, or the public ones if it is None, newest first."""
    conditions: list[ColumnElement[bool]] = [_shown(account_id)]
    if filters.is_public is not None:
        conditions.append(Agent.is_public.is_(filters.is_public))
    if filters.name:
        conditions.append(names.holds(Agent.name_folded, filters.name))
    if filters.search:
        by_id = Agent.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(Agent.name_folded, filters.search)))
    if filters.version == LATEST:
        newer = aliased(Agent)
        same = newer.account_id == Agent.account_id if account_id is not None else newer.is_public.is_(True)
        conditions.append(~exists().where(same, newer.name_digest == Agent.name_digest, newer.id > Agent.id))
    elif filters.version is not None:
        conditions.append(Agent.version == filters.version)
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Agent).where(*conditions))
    rows, more = await fetch_page(session, select(Agent).where(*conditions), Agent.id, query)
    return Page(rows, more, total)


async def devbox_counts(session: AsyncSession, account_id: str) -> dict[str, int]:
    """Names of the account's agents, and of those in its devboxes, each with the number of devboxes."""
    own = await session.scalars(select(Agent.name).where(Agent.account_id == account_id).distinct())
    counts = dict.fromkeys(own.all(), 0)
    counted = await session.execute(
        select(func.min(DevboxAgent.name), func.count(DevboxAgent.devbox_id.distinct()))
        .where(DevboxAgent.account_id == account_id)
        .group_by(DevboxAgent.name_digest)
    )
    counts.update((name, count) for name, count in counted.tuples())
    return counts


async def of_devbox(session: AsyncSession, devbox_id: str) -> Sequence[DevboxAgent]:
    """The agents of a devbox, in the order in which they are installed."""
    statement = select(DevboxAgent).where(DevboxAgent.devbox_id == devbox_id).order_by(DevboxAgent.position)
    return (await session.scalars(statement)).all()


def _of(account_id: str | None) -> ColumnElement[bool]:
    return Agent.account_id.is_(None) if account_id is None else Agent.account_id == account_id


def _shown(account_id: str | None) -> ColumnElement[bool]:
    return Agent.is_public.is_(True) if account_id is None else Agent.account_id == account_id

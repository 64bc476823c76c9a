"""SQL for agents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import aliased

from loopyard.agent.models import Agent, DevboxAgent
from loopyard.kit.db.repository import SharedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery

LATEST = "latest"
"""The version by which a list is narrowed to the newest agent of each name."""


@dataclass(frozen=True, slots=True)
class AgentFilters:
    """Filters of a list: a part of a name, the start of an id or a part of a name, a version, visibility."""

    name: str | None = None
    search: str | None = None
    version: str | None = None
    is_public: bool | None = None


def _of(account_id: str | None) -> ColumnElement[bool]:
    return Agent.account_id.is_(None) if account_id is None else Agent.account_id == account_id


def _shown(account_id: str | None) -> ColumnElement[bool]:
    return Agent.is_public.is_(True) if account_id is None else Agent.account_id == account_id


class AgentRepository(SharedRepository[Agent]):
    model = Agent
    kind = "agent"

    async def get_newest(self, account_id: str | None, name: str) -> Agent | None:
        """The newest agent of this very name that an account has, or with None that comes with Loopyard."""
        statement = select(Agent).where(_of(account_id), Agent.name_digest == names.digest(name))
        return await self._session.scalar(statement.order_by(Agent.id.desc()).limit(1))

    async def list_page(self, account_id: str | None, filters: AgentFilters, query: PageQuery) -> Page[Agent]:
        """The account's agents, or the public ones if it is None, newest first."""
        conditions: list[ColumnElement[bool]] = [_shown(account_id)]
        if filters.is_public is not None:
            conditions.append(Agent.is_public.is_(filters.is_public))
        if filters.name:
            conditions.append(names.holds(Agent.name_folded, filters.name))
        if filters.search:
            conditions.append(names.matches(Agent.id, Agent.name_folded, filters.search))
        if filters.version == LATEST:
            newer = aliased(Agent)
            same = newer.account_id == Agent.account_id if account_id is not None else newer.is_public.is_(True)
            conditions.append(~exists().where(same, newer.name_digest == Agent.name_digest, newer.id > Agent.id))
        elif filters.version is not None:
            conditions.append(Agent.version == filters.version)
        return await self._page(query, *conditions)

    async def devbox_counts(self, account_id: str) -> dict[str, int]:
        """Names of the account's agents, and of those in its devboxes, each with the number of devboxes."""
        own = await self._session.scalars(select(Agent.name).where(Agent.account_id == account_id).distinct())
        counts = dict.fromkeys(own.all(), 0)
        counted = await self._session.execute(
            select(func.min(DevboxAgent.name), func.count(DevboxAgent.devbox_id.distinct()))
            .where(DevboxAgent.account_id == account_id)
            .group_by(DevboxAgent.name_digest)
        )
        counts.update((name, count) for name, count in counted.tuples())
        return counts

    async def add_to_devbox(self, agents: Iterable[DevboxAgent]) -> None:
        """Write down which agents a new devbox has."""
        self._session.add_all(agents)
        await self._session.flush()

    async def list_of_devbox(self, devbox_id: str) -> Sequence[DevboxAgent]:
        """The agents of a devbox, in the order in which they are installed."""
        statement = select(DevboxAgent).where(DevboxAgent.devbox_id == devbox_id).order_by(DevboxAgent.position)
        return (await self._session.scalars(statement)).all()

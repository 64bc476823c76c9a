"""Decides about agents."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent.catalog.description import AgentDescription
from loopyard.agent.models import Agent
from loopyard.agent.repository import AgentRepository
from loopyard.agent.schemas import AgentCreateParams
from loopyard.agent.source import AgentSource
from loopyard.auth.acting import require
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import NotFound
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.object.repository import ObjectRepository


async def create(session: AsyncSession, account_id: str, params: AgentCreateParams, *, agent_id: str) -> Agent:
    """Write a new agent down.

    Raises:
        Forbidden: The caller's key may not read objects.
        NotFound: The object that it comes from does not exist.
    """
    if params.source is not None and params.source.object is not None:
        object_id = params.source.object.object_id
        field = "source.object.object_id"
        require(Resource.OBJECTS, Level.READ, "an object that an agent comes from", field=field)
        await ObjectRepository(session).get_one_visible(object_id, account_id, field)
    agent = _agent(agent_id, account_id, params.name, params.version, params.source)
    return await AgentRepository(session).create(agent)


async def get(session: AsyncSession, account_id: str, agent_id: str, *, field: str = "id") -> Agent:
    """An agent that the account may see: its own, or a public one.

    Raises:
        NotFound: There is none of this id.
    """
    return await AgentRepository(session).get_one_visible(agent_id, account_id, field)


async def named(session: AsyncSession, account_id: str, name: str, *, field: str = "name") -> Agent:
    """The newest agent of this name: the account's own, else one that comes with Loopyard.

    Raises:
        NotFound: There is none of this name.
    """
    agents = AgentRepository(session)
    agent = await agents.get_newest(account_id, name) or await agents.get_newest(None, name)
    if agent is None:
        raise NotFound(f"There is no agent named {name!r}.", field=field)
    return agent


async def delete(session: AsyncSession, account_id: str, agent_id: str) -> None:
    """Delete an agent. Devboxes that have it keep it.

    Raises:
        NotFound: The account has none of this id.
    """
    agents = AgentRepository(session)
    await agents.delete(await agents.get_one_owned(agent_id, account_id))


async def publish(session: AsyncSession, kinds: Iterable[AgentDescription]) -> None:
    """Make the agents of the catalog public ones: a kind that comes from elsewhere than before is a new version."""
    agents = AgentRepository(session)
    for kind in kinds:
        if kind.install is None:
            continue
        known = await agents.get_newest(None, kind.name)
        if known is None or known.version != kind.version or known.source != _stored(kind.install):
            await agents.create(_agent(new_id("agt"), None, kind.name, kind.version, kind.install))


def _agent(agent_id: str, account_id: str | None, name: str, version: str | None, source: AgentSource | None) -> Agent:
    return Agent(
        id=agent_id,
        account_id=account_id,
        is_public=account_id is None,
        name=name,
        name_digest=names.digest(name),
        name_folded=names.fold(name),
        version=version,
        source=None if source is None else _stored(source),
        create_time_ms=now_ms(),
    )


def _stored(source: AgentSource) -> dict[str, object]:
    return source.model_dump(mode="json", exclude_none=True)

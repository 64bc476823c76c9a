"""/v1/agents: making, finding and deleting agents."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from loopyard.agent import service
from loopyard.agent.repository import AgentFilters, AgentRepository
from loopyard.agent.schemas import AgentCreateParams, AgentDevboxCountsView, AgentListView, AgentView
from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of

router = APIRouter(prefix="/v1/agents", tags=["agents"])

CreationDep = Annotated[Creation, Depends(creation_of("agents.create", "agt"))]


async def _filters(
    name: Annotated[ShortText | None, Query(description="Only agents whose name holds this, in any case.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only agents whose id starts with this, or whose name holds it.")
    ] = None,
    version: Annotated[
        ShortText | None, Query(description="Only agents of this version; `latest` for the newest of each name.")
    ] = None,
) -> AgentFilters:
    return AgentFilters(name, search, version)


Filters = Annotated[AgentFilters, Depends(_filters)]
IsPublic = Annotated[bool | None, Query(description="Only agents that are public, or only those that are not.")]


@router.post("", operation_id="agents.create")
async def create(
    params: AgentCreateParams, caller: CallerDep, session: WriteSession, creation: CreationDep
) -> AgentView:
    """Make an agent. Several may have the same name: they are its versions, and the newest is found by the name."""
    made = await creation.claim(session)
    if made.is_repeat:
        return AgentView.model_validate(await service.get(session, caller.account_id, made.id))
    return AgentView.model_validate(await service.create(session, caller.account_id, params, agent_id=made.id))


@router.get("", operation_id="agents.list")
async def list_agents(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Filters,
    is_public: IsPublic = None,
) -> AgentListView:
    """The account's agents, newest first."""
    narrowed = AgentFilters(filters.name, filters.search, filters.version, is_public)
    page = await AgentRepository(session).list_page(caller.account_id, narrowed, cursor_of(page_query, "agt"))
    views = [AgentView.model_validate(agent) for agent in page.items]
    return AgentListView(agents=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/list_public", operation_id="agents.list_public")
async def list_public(
    caller: CallerDep,  # noqa: ARG001
    session: ReadSession,
    page_query: PageParams,
    filters: Filters,
) -> AgentListView:
    """The agents that every account may use, newest first."""
    page = await AgentRepository(session).list_page(None, filters, cursor_of(page_query, "agt"))
    views = [AgentView.model_validate(agent) for agent in page.items]
    return AgentListView(agents=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/devbox_counts", operation_id="agents.devbox_counts")
async def devbox_counts(caller: CallerDep, session: ReadSession) -> AgentDevboxCountsView:
    """How many devboxes were made with each agent, by its name; those that have ended count, too."""
    counts = await AgentRepository(session).devbox_counts(caller.account_id)
    return AgentDevboxCountsView(counts=counts, total_count=sum(counts.values()))


@router.get("/{id}", operation_id="agents.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> AgentView:
    """Retrieve an agent."""
    return AgentView.model_validate(await service.get(session, caller.account_id, id))


@router.post("/{id}/delete", operation_id="agents.delete")
async def delete(id: ShortText, caller: CallerDep, session: WriteSession) -> dict[str, str]:
    """Delete an agent. Devboxes that have it keep it."""
    await service.delete(session, caller.account_id, id)
    return {}

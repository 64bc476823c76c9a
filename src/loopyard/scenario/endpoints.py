"""/v1/scenarios: making, finding, changing and archiving scenarios."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import Page, PageParams, cursor_of
from loopyard.scenario import service
from loopyard.scenario.models import Scenario
from loopyard.scenario.repository import ScenarioFilters, ScenarioRepository
from loopyard.scenario.schemas import (
    ScenarioCreateParams,
    ScenarioListView,
    ScenarioUpdateParams,
    ScenarioView,
    ValidationType,
)

router = APIRouter(prefix="/v1/scenarios", tags=["scenarios"])

CreationDep = Annotated[Creation, Depends(creation_of("scenarios.create", "scn"))]

Name = Annotated[ShortText | None, Query(description="Only scenarios of exactly this name.")]
Search = Annotated[
    ShortText | None,
    Query(description="Only scenarios whose id starts with this, or whose name holds it in upper or lower case."),
]


async def _filters(
    name: Name = None,
    search: Search = None,
    benchmark_id: Annotated[ShortText | None, Query(description="Only scenarios of this benchmark.")] = None,
    validation_type: Annotated[ValidationType | None, Query(description="Only scenarios of this type.")] = None,
) -> ScenarioFilters:
    return ScenarioFilters(name, search, benchmark_id, validation_type)


@router.post("", operation_id="scenarios.create")
async def create(
    params: ScenarioCreateParams, caller: CallerDep, session: WriteSession, creation: CreationDep
) -> ScenarioView:
    """Make a scenario."""
    made = await creation.claim(session)
    if made.is_repeat:
        return ScenarioView.of(await ScenarioRepository(session).get_one_visible(made.id, caller.account_id))
    return ScenarioView.of(await service.create(session, caller.account_id, params, scenario_id=made.id))


@router.get("", operation_id="scenarios.list")
async def list_scenarios(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[ScenarioFilters, Depends(_filters)],
) -> ScenarioListView:
    """The account's scenarios, newest first, without the archived ones."""
    return _list_view(
        await ScenarioRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "scn"))
    )


@router.get("/list_public", operation_id="scenarios.list_public")
async def list_public(
    _: CallerDep, session: ReadSession, page_query: PageParams, name: Name = None, search: Search = None
) -> ScenarioListView:
    """The scenarios that are open to every account, newest first."""
    return _list_view(
        await ScenarioRepository(session).list_page(None, ScenarioFilters(name, search), cursor_of(page_query, "scn"))
    )


@router.get("/{id}", operation_id="scenarios.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> ScenarioView:
    """Retrieve a scenario."""
    return ScenarioView.of(await ScenarioRepository(session).get_one_visible(id, caller.account_id))


@router.post("/{id}", operation_id="scenarios.update")
async def update(
    id: ShortText,
    caller: CallerDep,
    session: WriteSession,
    params: Annotated[ScenarioUpdateParams | None, Body()] = None,
) -> ScenarioView:
    """Change a scenario; what is not given stays, an empty map, list or text clears."""
    return ScenarioView.of(await service.update(session, caller.account_id, id, params or ScenarioUpdateParams()))


@router.post("/{id}/archive", operation_id="scenarios.archive")
async def archive(id: ShortText, caller: CallerDep, session: WriteSession) -> ScenarioView:
    """Take a scenario out of the lists. It can neither be changed nor started any more; its runs stay."""
    return ScenarioView.of(await service.archive(session, caller.account_id, id))


def _list_view(page: Page[Scenario]) -> ScenarioListView:
    views = [ScenarioView.of(scenario) for scenario in page.items]
    return ScenarioListView(scenarios=views, has_more=page.has_more, total_count=page.total_count)

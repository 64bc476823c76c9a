"""/v1/benchmarks: making, finding, changing and running sets of scenarios."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.benchmark import service
from loopyard.benchmark.models import Benchmark
from loopyard.benchmark.repository import BenchmarkFilters, BenchmarkRepository
from loopyard.benchmark.schemas import (
    BenchmarkCreateParams,
    BenchmarkListView,
    BenchmarkUpdateParams,
    BenchmarkUpdateScenariosParams,
    BenchmarkView,
)
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import Page, PageParams, cursor_of
from loopyard.scenario.schemas import ScenarioListView, ScenarioView

router = APIRouter(prefix="/v1/benchmarks", tags=["benchmarks"])

CreationDep = Annotated[Creation, Depends(creation_of("benchmarks.create", "bmk"))]


async def _filters(
    name: Annotated[ShortText | None, Query(description="Only benchmarks of exactly this name.")] = None,
    search: Annotated[
        ShortText | None,
        Query(description="Only benchmarks whose id starts with this, or whose name holds it in upper or lower case."),
    ] = None,
) -> BenchmarkFilters:
    return BenchmarkFilters(name, search)


Filters = Annotated[BenchmarkFilters, Depends(_filters)]


@router.post("", operation_id="benchmarks.create")
async def create(
    params: BenchmarkCreateParams, caller: CallerDep, session: WriteSession, creation: CreationDep
) -> BenchmarkView:
    """Make a benchmark of scenarios."""
    made = await creation.claim(session)
    if made.is_repeat:
        return await _view(session, await BenchmarkRepository(session).get_one_visible(made.id, caller.account_id))
    made = await service.create(session, caller.account_id, params, benchmark_id=made.id)
    return await _view(session, made)


@router.get("", operation_id="benchmarks.list")
async def list_benchmarks(
    caller: CallerDep, session: ReadSession, page_query: PageParams, filters: Filters
) -> BenchmarkListView:
    """The account's benchmarks, newest first, without the archived ones."""
    page = await BenchmarkRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "bmk"))
    return await _list_view(session, page)


@router.get("/list_public", operation_id="benchmarks.list_public")
async def list_public(
    _: CallerDep, session: ReadSession, page_query: PageParams, filters: Filters
) -> BenchmarkListView:
    """The benchmarks that are open to every account, newest first."""
    return await _list_view(
        session, await BenchmarkRepository(session).list_page(None, filters, cursor_of(page_query, "bmk"))
    )


@router.get("/{id}", operation_id="benchmarks.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> BenchmarkView:
    """Retrieve a benchmark."""
    return await _view(session, await BenchmarkRepository(session).get_one_visible(id, caller.account_id))


@router.post("/{id}", operation_id="benchmarks.update")
async def update(
    id: ShortText,
    caller: CallerDep,
    session: WriteSession,
    params: Annotated[BenchmarkUpdateParams | None, Body()] = None,
) -> BenchmarkView:
    """Change a benchmark; what is not given stays, an empty map, list or text clears."""
    changed = await service.update(session, caller.account_id, id, params or BenchmarkUpdateParams())
    return await _view(session, changed)


@router.get("/{id}/definitions", operation_id="benchmarks.definitions")
async def definitions(
    id: ShortText, caller: CallerDep, session: ReadSession, page_query: PageParams
) -> ScenarioListView:
    """The scenarios that a benchmark is made of, newest first, the archived ones too."""
    benchmark = await BenchmarkRepository(session).get_one_visible(id, caller.account_id)
    page = await BenchmarkRepository(session).list_scenarios(benchmark.id, cursor_of(page_query, "scn"))
    views = [ScenarioView.of(scenario) for scenario in page.items]
    return ScenarioListView(scenarios=views, has_more=page.has_more, total_count=page.total_count)


@router.post("/{id}/scenarios", operation_id="benchmarks.update_scenarios")
async def update_scenarios(
    id: ShortText,
    caller: CallerDep,
    session: WriteSession,
    params: Annotated[BenchmarkUpdateScenariosParams | None, Body()] = None,
) -> BenchmarkView:
    """Add scenarios to a benchmark, and take others out."""
    given = params or BenchmarkUpdateScenariosParams()
    return await _view(session, await service.update_scenarios(session, caller.account_id, id, given))


async def _view(session: AsyncSession, benchmark: Benchmark) -> BenchmarkView:
    return BenchmarkView.of(benchmark, await service.scenario_ids(session, benchmark))


async def _list_view(session: AsyncSession, page: Page[Benchmark]) -> BenchmarkListView:
    parts = await BenchmarkRepository(session).scenario_ids([benchmark.id for benchmark in page.items])
    views = [BenchmarkView.of(benchmark, parts.get(benchmark.id, [])) for benchmark in page.items]
    return BenchmarkListView(benchmarks=views, has_more=page.has_more, total_count=page.total_count)

"""/v1/benchmarks/start_run and /v1/benchmark_runs: starting, finding and ending runs of benchmarks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.benchmark.run.canceler import RunCanceler
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.benchmark.run.schemas import BenchmarkRunListView, BenchmarkRunView, BenchmarkStartRunParams
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.states import StateName
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.scenario.run.rendering import render
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.schemas import ScenarioRunListView
from loopyard.scenario.run.states import StateName as ScenarioRunStateName

router = APIRouter(prefix="/v1", tags=["benchmark runs"])

CreationDep = Annotated[Creation, Depends(creation_of("benchmarks.start_run", "bmr"))]

ServiceDep = Annotated[BenchmarkRunService, Depends(part(BenchmarkRunService))]
CancelerDep = Annotated[RunCanceler, Depends(part(RunCanceler))]

_SETTLE_SECONDS = 20.0
"""How long an answer to a cancel waits for the scenario runs to be canceled, too."""


async def _filters(
    benchmark_id: Annotated[ShortText | None, Query(description="Only runs of this benchmark.")] = None,
    name: Annotated[ShortText | None, Query(description="Only runs of exactly this name.")] = None,
    search: Annotated[
        ShortText | None,
        Query(description="Only runs whose id starts with this, or whose name holds it in upper or lower case."),
    ] = None,
    state: Annotated[StateName | None, Query(description="Only runs in this state.")] = None,
) -> BenchmarkRunFilters:
    return BenchmarkRunFilters(benchmark_id, name, search, state)


@router.post("/benchmarks/start_run", operation_id="benchmarks.start_run")
async def start_run(
    params: BenchmarkStartRunParams,
    caller: CallerDep,
    session: WriteSession,
    service: ServiceDep,
    creation: CreationDep,
) -> BenchmarkRunView:
    """Start a run of a benchmark. Its scenario runs are those that are started with its id as `benchmark_run_id`; they
    inherit its run profile."""
    made = await creation.claim(session)
    if made.is_repeat:
        return await _view(session, service, await service.get(session, caller.account_id, made.id))
    run = await service.start(session, caller.account_id, params, run_id=made.id)
    return await _view(session, service, run)


@router.get("/benchmark_runs", operation_id="benchmark_runs.list")
async def list_runs(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[BenchmarkRunFilters, Depends(_filters)],
) -> BenchmarkRunListView:
    """The account's runs, newest first."""
    page = await BenchmarkRunRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "bmr"))
    views = [BenchmarkRunView.model_validate(run) for run in page.items]
    return BenchmarkRunListView(runs=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/benchmark_runs/{id}", operation_id="benchmark_runs.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession, service: ServiceDep) -> BenchmarkRunView:
    """Retrieve a benchmark run."""
    return await _view(session, service, await service.get(session, caller.account_id, id))


@router.post("/benchmark_runs/{id}/complete", operation_id="benchmark_runs.complete")
async def complete(id: ShortText, caller: CallerDep, session: WriteSession, service: ServiceDep) -> BenchmarkRunView:
    """End a run when its scenario runs are scored or over. Its score is the sum of their scores divided by their
    number."""
    return await _view(session, service, await service.complete(session, caller.account_id, id))


@router.post("/benchmark_runs/{id}/cancel", operation_id="benchmark_runs.cancel")
async def cancel(
    id: ShortText, caller: CallerDep, database: DatabaseDep, service: ServiceDep, canceler: CancelerDep
) -> BenchmarkRunView:
    """End a run, its scenario runs and their devboxes, whatever is going on."""
    async with database.write() as session:
        run = await service.cancel(session, caller.account_id, id)
    await canceler.settle(run.id, _SETTLE_SECONDS)
    async with database.read() as session:
        return await _view(session, service, run)


@router.get(
    "/benchmark_runs/{id}/scenario_runs",
    operation_id="benchmark_runs.list_scenario_runs",
    response_model=ScenarioRunListView,
)
async def list_scenario_runs(
    id: ShortText,
    caller: CallerDep,
    session: ReadSession,
    service: ServiceDep,
    page_query: PageParams,
    search: Annotated[
        ShortText | None,
        Query(description="Only runs whose id starts with this, or whose name holds it in upper or lower case."),
    ] = None,
    state: Annotated[ScenarioRunStateName | None, Query(description="Only runs in this state.")] = None,
) -> Response:
    """The scenario runs of a benchmark run, newest first."""
    run = await service.get(session, caller.account_id, id)
    filters = RunFilters(state=state, benchmark_run_id=run.id, search=search)
    page = await ScenarioRunRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "scr"))
    return Response(render(page), media_type="application/json")


async def _view(session: AsyncSession, service: BenchmarkRunService, run: BenchmarkRun) -> BenchmarkRunView:
    view = BenchmarkRunView.model_validate(run)
    view.pending_scenarios = await service.pending(session, run)
    return view

"""Usage of models: of a devbox, of a scenario run, and of each scenario run of a benchmark run."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.devbox.service import DevboxService
from loopyard.devbox.states import FINAL as DEVBOX_FINAL
from loopyard.kit.db import DatabaseDep
from loopyard.kit.paging import PageParams, cursor_of
from loopyard.kit.parts import part
from loopyard.kit.wire import ShortText
from loopyard.model_usage import repository, service
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.schemas import ModelUsageView, RunModelUsageListView
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import FINAL

router = APIRouter(prefix="/v1", tags=["model usage"])

LedgerDep = Annotated[Ledger, Depends(part(Ledger))]


@router.get("/devboxes/{id}/model_usage", operation_id="devboxes.model_usage")
async def of_devbox(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: LedgerDep,
    devboxes: Annotated[DevboxService, Depends(part(DevboxService))],
) -> ModelUsageView:
    """Retrieve the usage of models by a devbox through gateways until now."""
    async with database.read() as session:
        devbox = await devboxes.get(session, caller.account_id, id)
    await (ledger.settle([devbox.id]) if devbox.status in DEVBOX_FINAL else ledger.flush())
    async with database.read() as session:
        return await service.of_devbox(session, devbox.id)


@router.get("/scenarios/runs/{id}/model_usage", operation_id="scenarios.runs.model_usage")
async def of_run(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: LedgerDep,
    runs: Annotated[RunService, Depends(part(RunService))],
) -> ModelUsageView:
    """Retrieve the usage of models by a scenario run through gateways until now."""
    async with database.read() as session:
        run = await runs.get(session, caller.account_id, id)
    await (ledger.settle([run.devbox_id]) if run.state in FINAL else ledger.flush())
    async with database.read() as session:
        return await service.of_devbox(session, run.devbox_id)


@router.get("/benchmark_runs/{id}/model_usage", operation_id="benchmark_runs.model_usage")
async def of_benchmark_run(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: LedgerDep,
    page_query: PageParams,
    benchmark_runs: Annotated[BenchmarkRunService, Depends(part(BenchmarkRunService))],
) -> RunModelUsageListView:
    """List the usage of models by each scenario run of a benchmark run until now, newest run first."""
    query = cursor_of(page_query, "scr")
    async with database.read() as session:
        benchmark_run = await benchmark_runs.get(session, caller.account_id, id)
        found = await repository.runs_in_benchmark(session, caller.account_id, benchmark_run.id, query)
    runs = found[: query.limit]
    await ledger.settle(run.devbox_id for run in runs if run.is_over)
    async with database.read() as session:
        return await service.of_runs(session, runs, has_more=len(found) > query.limit)

"""/v1/benchmark_runs/{id}/model_usage: usage of models by the scenario runs of a benchmark run."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.kit.db.database import DatabaseDep
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.model_usage import service as model_usage
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.schemas import RunModelUsageListView
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.states import FINAL

router = APIRouter(prefix="/v1", tags=["model usage"])


@router.get("/benchmark_runs/{id}/model_usage", operation_id="benchmark_runs.model_usage")
async def of_benchmark_run(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: Annotated[Ledger, Depends(part(Ledger))],
    page_query: PageParams,
    benchmark_runs: Annotated[BenchmarkRunService, Depends(part(BenchmarkRunService))],
) -> RunModelUsageListView:
    """List the usage of models by each scenario run of a benchmark run until now, newest run first."""
    query = cursor_of(page_query, "scr")
    async with database.read() as session:
        benchmark_run = await benchmark_runs.get(session, caller.account_id, id)
        page = await ScenarioRunRepository(session).list_devboxes_of_benchmark_run(
            caller.account_id, benchmark_run.id, query
        )
    await ledger.settle(run.devbox_id for run in page.items if run.state in FINAL)
    async with database.read() as session:
        devboxes = {run.id: run.devbox_id for run in page.items}
        return await model_usage.of_runs(session, devboxes, has_more=page.has_more)

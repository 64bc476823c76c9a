"""/v1/scenarios/start_run and /v1/scenarios/runs: starting, finding, scoring and ending runs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.model_usage import service as model_usage
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.runtime.protocol import Runtime
from loopyard.scenario.run import logs, patches
from loopyard.scenario.run.rendering import render
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.schemas import ScenarioRunListView, ScenarioRunView, ScenarioStartRunParams
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import FINAL, StateName

router = APIRouter(prefix="/v1/scenarios", tags=["scenario runs"])

CreationDep = Annotated[Creation, Depends(creation_of("scenarios.start_run", "scr"))]

ServiceDep = Annotated[RunService, Depends(part(RunService))]
RuntimeDep = Annotated[Runtime, Depends(part(Runtime))]
LedgerDep = Annotated[Ledger, Depends(part(Ledger))]
RecordingsDep = Annotated[Recordings, Depends(part(Recordings))]


async def _filters(
    name: Annotated[ShortText | None, Query(description="Only runs of exactly this name.")] = None,
    state: Annotated[StateName | None, Query(description="Only runs in this state.")] = None,
    benchmark_run_id: Annotated[ShortText | None, Query(description="Only runs of this benchmark run.")] = None,
    scenario_id: Annotated[ShortText | None, Query(description="Only runs of this scenario.")] = None,
    search: Annotated[
        ShortText | None,
        Query(description="Only runs whose id starts with this, or whose name holds it in upper or lower case."),
    ] = None,
) -> RunFilters:
    return RunFilters(name, state, benchmark_run_id, scenario_id, search)


@router.post("/start_run", operation_id="scenarios.start_run")
async def start_run(
    params: ScenarioStartRunParams,
    caller: CallerDep,
    session: WriteSession,
    service: ServiceDep,
    creation: CreationDep,
) -> ScenarioRunView:
    """Start a run of a scenario. The answer comes at once, while the devbox is being made."""
    made = await creation.claim(session)
    if made.is_repeat:
        return ScenarioRunView.model_validate(await service.get(session, caller.account_id, made.id))
    return ScenarioRunView.model_validate(await service.start(session, caller.account_id, params, run_id=made.id))


@router.get("/runs", operation_id="scenarios.runs.list", response_model=ScenarioRunListView)
async def list_runs(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[RunFilters, Depends(_filters)],
) -> Response:
    """The account's runs, newest first. A page starts after the run named by `starting_after`, whether or not that run
    is in the list, so that runs that come or change meanwhile are neither lost nor seen twice."""
    page = await ScenarioRunRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "scr"))
    return Response(render(page), media_type="application/json")


@router.get("/runs/{id}", operation_id="scenarios.runs.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession, service: ServiceDep) -> ScenarioRunView:
    """Retrieve a scenario run."""
    return ScenarioRunView.model_validate(await service.get(session, caller.account_id, id))


@router.post("/runs/{id}/score", operation_id="scenarios.runs.score")
async def score(id: ShortText, caller: CallerDep, session: WriteSession, service: ServiceDep) -> ScenarioRunView:
    """Begin to score a run. It is scored once, however often this is called."""
    return ScenarioRunView.model_validate(await service.score(session, caller.account_id, id))


@router.post("/runs/{id}/complete", operation_id="scenarios.runs.complete")
async def complete(id: ShortText, caller: CallerDep, session: WriteSession, service: ServiceDep) -> ScenarioRunView:
    """End a run and shut its devbox down. A run that was not scored stays without a score."""
    return ScenarioRunView.model_validate(await service.complete(session, caller.account_id, id))


@router.post("/runs/{id}/cancel", operation_id="scenarios.runs.cancel")
async def cancel(id: ShortText, caller: CallerDep, session: WriteSession, service: ServiceDep) -> ScenarioRunView:
    """End a run and shut its devbox down, whatever is going on."""
    return ScenarioRunView.model_validate(await service.cancel(session, caller.account_id, id))


@router.post(
    "/runs/{id}/download_logs",
    operation_id="scenarios.runs.download_logs",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def download_logs(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    service: ServiceDep,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    recordings: RecordingsDep,
) -> StreamingResponse:
    """A zip file of every command that ran in the run's devbox, the scorers' included, with its output, of
    its changes in the working directory as a patch, and of its calls of models, if they were recorded."""
    async with database.read() as session:
        run = await service.get(session, caller.account_id, id)
    await (ledger.settle([run.devbox_id]) if run.state in FINAL else ledger.flush())
    async with database.read() as session:
        run = await service.get(session, caller.account_id, id)
        commands = await ExecutionRepository(session).list_of_devbox(run.devbox_id)
        used = await model_usage.of_devbox(session, run.devbox_id)
        changes = await patches.find(session, run.id)
    view = ScenarioRunView.model_validate(run).model_dump(mode="json", by_alias=True)
    notes = logs.RunNotes(
        view,
        run.failure_reason,
        run.fault,
        run.setup_failed,
        run.restore_report,
        used.model_dump(mode="json"),
        recordings.of_devbox(run.devbox_id),
        changes,
    )
    return StreamingResponse(
        logs.archive(runtime, notes, commands),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{run.id}.zip"'},
    )

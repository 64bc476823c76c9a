"""/console/runs: scenario runs, what was done in them, and how it was scored."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.family import Entry, Family, Hit
from loopyard.console.filtering import EMPTY_IS_NONE, Given, shown_list
from loopyard.console.listing import ListQuery
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.scenario_runs.changes import changes_of
from loopyard.console.scenario_runs.detail import detail_of, document_of, gather
from loopyard.console.scenario_runs.rows import rows_of
from loopyard.console.scenario_runs.work import outputs
from loopyard.console.searching.finding import finder
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.kit.errors import NotFound
from loopyard.kit.http.sse import MessageStream
from loopyard.kit.http.wire import ShortText
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import PageQuery, cursor_of
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.runtime.protocol import Runtime
from loopyard.scenario.run import patches
from loopyard.scenario.run.endpoints import download_logs
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import State, StateName

router = APIRouter()

LIST = "GET /v1/scenarios/runs"
RETRIEVE = "GET /v1/scenarios/runs/{}"
LOGS = "POST /v1/scenarios/runs/{}/download_logs"
SCORE = "POST /v1/scenarios/runs/{}/score"
COMPLETE = "POST /v1/scenarios/runs/{}/complete"
CANCEL = "POST /v1/scenarios/runs/{}/cancel"
START = "POST /v1/scenarios/start_run"

_FALLBACK_SECONDS = 10.0
_OF_JOB = frozenset({"benchmark_job_id", "attempt", "infrastructure_failures"})
"""Keys of metadata that a job writes into its runs. A repeated run drops them: it is no attempt of the job."""

_State = Annotated[StateName | None, EMPTY_IS_NONE, Query()]


@router.get("/runs")
async def list_runs(
    page: Annotated[Page, Depends(allowed(LIST))],
    query: ListQuery,
    name: Annotated[Given, Query()] = None,
    state: _State = None,
    benchmark_run_id: Annotated[Given, Query()] = None,
    scenario_id: Annotated[Given, Query()] = None,
    search: Annotated[Given, Query()] = None,
) -> HTMLResponse:
    """The account's runs, newest first, by every filter of the API."""
    filters = RunFilters(name, state, benchmark_run_id, scenario_id, search)
    async with page.database.read() as session:
        found = await ScenarioRunRepository(session).list_page(page.caller.account_id, filters, cursor_of(query, "scr"))
        rows = await rows_of(session, page.caller.account_id, found.items)
    given: dict[str, Any] = {
        "search": search,
        "state": state,
        "scenario_id": scenario_id,
        "benchmark_run_id": benchmark_run_id,
        "name": name,
    }
    return page.render(
        "scenario_runs/list.html",
        rows=rows,
        total=found.total_count,
        states=list(State),
        **shown_list(page.request, query, given, rows, has_more=found.has_more),
    )


@router.get("/runs/{id}")
async def detail(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))]) -> HTMLResponse:
    """Page of a run."""
    shown = await detail_of(page, id)
    return page.render("scenario_runs/detail.html", **shown)


@router.get("/runs/{id}/live")
async def live(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))], state: _State = None) -> MessageStream:
    """The state of a run and its scorers, whenever they change. `state` is what the page was loaded with: the page says
    when it is another."""
    async with page.database.read() as session:
        run = await page.parts.get(RunService).get(session, page.caller.account_id, id)

    async def render_state() -> str:
        shown = await gather(page, run.id, with_usage=False)
        stale = state is not None and shown.run.state != state
        return page.html("scenario_runs/_state.html", shown=shown, run=shown.run, stale=stale)

    async def render_scorers() -> str:
        shown = await gather(page, run.id, with_usage=False)
        return page.html("scenario_runs/_scorers.html", shown=shown, run=shown.run)

    def concerns(key: str) -> bool:
        return key == run.id

    return page.live(
        Fragment("state", ("run", run.id, state), render_state, concerns, _FALLBACK_SECONDS),
        Fragment("scorers", ("run", run.id), render_scorers, concerns, _FALLBACK_SECONDS),
    )


@router.get("/runs/{id}/commands/{command}")
async def command(id: ShortText, command: ShortText, page: Annotated[Page, Depends(allowed(LOGS))]) -> HTMLResponse:
    """The end of what a command of a run printed."""
    async with page.database.read() as session:
        run = await page.parts.get(RunService).get(session, page.caller.account_id, id)
        execution = await ExecutionRepository(session).get_in_devbox(run.devbox_id, command)
    if execution is None:
        raise NotFound(f"Scenario run {id} has no command {command[:80]}.", field="command")
    out, err = await outputs(page.parts.get(Runtime), run.devbox_id, execution.id)
    template = "scenario_runs/_output.html" if page.is_htmx else "scenario_runs/command.html"
    return page.render(template, run=run, execution=execution, out=out, err=err)


@router.get("/runs/{id}/changes")
async def changes(id: ShortText, page: Annotated[Page, Depends(allowed(LOGS))]) -> HTMLResponse:
    """All changes of a run in its working directory that are recorded."""
    async with page.database.read() as session:
        run = await page.parts.get(RunService).get(session, page.caller.account_id, id)
    return page.render("scenario_runs/changes.html", run=run, changes=await changes_of(page, run.id))


@router.get("/runs/{id}/changes.patch")
async def patch(id: ShortText, page: Annotated[Page, Depends(allowed(LOGS))]) -> Response:
    """Download of the changes as a patch in the format of git."""
    async with page.database.read() as session:
        run = await page.parts.get(RunService).get(session, page.caller.account_id, id)
        found = await patches.find(session, run.id)
    if found is None:
        raise NotFound(f"No changes of scenario run {id} are recorded.", field="id")
    headers = {"Content-Disposition": f'attachment; filename="{run.id}.patch"'}
    return Response(found.patch, media_type="application/octet-stream", headers=headers)


@router.get("/runs/{id}/run.json")
async def as_json(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))]) -> Response:
    """All that the page shows but the commands' output, as JSON."""
    content = await document_of(page, id)
    headers = {"Content-Disposition": f'attachment; filename="{id}.json"'}
    return Response(content, media_type="application/json", headers=headers)


@router.get("/runs/{id}/logs.zip")
async def logs(id: ShortText, page: Annotated[Page, Depends(allowed(LOGS))]) -> Response:
    """Archive of the API's `download_logs`."""
    get = page.parts.get
    return await download_logs(
        id, page.caller, page.database, get(RunService), get(Runtime), get(Ledger), get(Recordings)
    )


@router.post("/runs/{id}/score")
async def score(id: ShortText, page: Annotated[Page, Depends(allowed(SCORE))]) -> RedirectResponse:
    """Begin to score a run."""
    async with page.database.write() as session:
        await page.parts.get(RunService).score(session, page.caller.account_id, id)
    return page.redirect(f"/console/runs/{id}", note="The run is being scored.")


@router.post("/runs/{id}/complete")
async def complete(id: ShortText, page: Annotated[Page, Depends(allowed(COMPLETE))]) -> RedirectResponse:
    """End a run with the score that it has."""
    async with page.database.write() as session:
        await page.parts.get(RunService).complete(session, page.caller.account_id, id)
    return page.redirect(f"/console/runs/{id}", note="The run is completed, and its devbox is shut down.")


@router.post("/runs/{id}/cancel")
async def cancel(id: ShortText, page: Annotated[Page, Depends(allowed(CANCEL))]) -> RedirectResponse:
    """End a run, whatever is going on in it."""
    async with page.database.write() as session:
        await page.parts.get(RunService).cancel(session, page.caller.account_id, id)
    return page.redirect(f"/console/runs/{id}", note="The run is canceled, and its devbox is shut down.")


@router.post("/runs/{id}/again")
async def again(id: ShortText, page: Annotated[Page, Depends(allowed(START))]) -> RedirectResponse:
    """Start another run of the same scenario, with the name, metadata, budgets and profile of this one."""
    runs = page.parts.get(RunService)
    async with page.database.write(last=True) as session:
        new_run_id = new_id("scr")
        run = await runs.repeat(session, page.caller.account_id, id, new_run_id=new_run_id, dropped=_OF_JOB)
    return page.redirect(f"/console/runs/{run.id}", note=f"This run was started anew after {id}.")


async def _hits(session: AsyncSession, page: Page, text: str, few: PageQuery) -> list[Hit]:
    found = await ScenarioRunRepository(session).list_page(page.caller.account_id, RunFilters(search=text), few)
    rows = await rows_of(session, page.caller.account_id, found.items)
    return [Hit("run", one.name or one.scenario_name, f"/runs/{one.id}", f"{one.state} {one.id}") for one in rows]


FAMILY = Family(
    router,
    navigation=(Entry("Evaluation", "Runs", "/runs", LIST),),
    links={"scr": "/runs/"},
    find=finder(LIST, _hits),
)

"""/console/benchmark-runs: runs of benchmarks, and what their scenario runs come to."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.repository import BenchmarkRepository
from loopyard.benchmark.run.canceler import RunCanceler
from loopyard.benchmark.run.endpoints import cancel as cancel_and_settle
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.states import FINAL, State, StateName
from loopyard.console.family import Entry, Family, Hit
from loopyard.console.filtering import EMPTY_IS_NONE, Given, shown_list
from loopyard.console.listing import ROWS, ListQuery
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.scenario_runs.rows import rows_of
from loopyard.console.searching.finding import finder
from loopyard.kit.clock import now_ms
from loopyard.kit.http.sse import MessageStream
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageQuery, cursor_of
from loopyard.scenario.run.counts import CountKey, by_state
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.states import State as ScenarioRunState
from loopyard.scenario.run.states import StateName as ScenarioRunStateName

router = APIRouter()

LIST = "GET /v1/benchmark_runs"
RETRIEVE = "GET /v1/benchmark_runs/{}"
SCENARIO_RUNS = "GET /v1/benchmark_runs/{}/scenario_runs"
COMPLETE = "POST /v1/benchmark_runs/{}/complete"
CANCEL = "POST /v1/benchmark_runs/{}/cancel"

_FALLBACK_SECONDS = 10.0

_State = Annotated[StateName | None, EMPTY_IS_NONE, Query()]
_ScenarioRunState = Annotated[ScenarioRunStateName | None, EMPTY_IS_NONE, Query()]


@router.get("/benchmark-runs")
async def list_runs(
    page: Annotated[Page, Depends(allowed(LIST))],
    query: ListQuery,
    benchmark_id: Annotated[Given, Query()] = None,
    name: Annotated[Given, Query()] = None,
    search: Annotated[Given, Query()] = None,
    state: _State = None,
) -> HTMLResponse:
    """The account's benchmark runs, newest first."""
    filters = BenchmarkRunFilters(benchmark_id, name, search, state)
    async with page.database.read() as session:
        found = await BenchmarkRunRepository(session).list_page(
            page.caller.account_id, filters, cursor_of(query, "bmr")
        )
        names = await names_of(session, page.caller.account_id, found.items)
    given: dict[str, Any] = {"search": search, "state": state, "benchmark_id": benchmark_id, "name": name}
    return page.render(
        "benchmark_runs/list.html",
        found=found,
        names=names,
        now=now_ms(),
        states=list(State),
        **shown_list(page.request, query, given, found.items, has_more=found.has_more),
    )


async def names_of(session: AsyncSession, account_id: str, runs: Sequence[BenchmarkRun]) -> dict[str, str]:
    """The names of the benchmarks of runs."""
    ids = {run.benchmark_id for run in runs if run.benchmark_id is not None}
    return await BenchmarkRepository(session).names_of(ids, account_id)


@router.get("/benchmark-runs/{id}")
async def detail(
    id: ShortText,
    page: Annotated[Page, Depends(allowed(RETRIEVE))],
    query: ListQuery,
    state: _ScenarioRunState = None,
    search: Annotated[Given, Query()] = None,
) -> HTMLResponse:
    """Page of a benchmark run, with a page of its scenario runs."""
    account_id = page.caller.account_id
    async with page.database.read() as session:
        run = await page.parts.get(BenchmarkRunService).get(session, account_id, id)
        names = await names_of(session, account_id, [run])
        rows = found = None
        if page.may(SCENARIO_RUNS):
            filters = RunFilters(state=state, benchmark_run_id=run.id, search=search)
            of_page = PageQuery(ROWS, cursor_of(query, "scr").starting_after)
            found = await ScenarioRunRepository(session).list_page(account_id, filters, of_page)
            rows = await rows_of(session, account_id, found.items)
    given: dict[str, Any] = {"state": state, "search": search}
    return page.render(
        "benchmark_runs/detail.html",
        names=names,
        rows=rows,
        total=None if found is None else found.total_count,
        states=list(ScenarioRunState),
        **shown_list(page.request, query, given, rows or [], has_more=found is not None and found.has_more),
        can_end=run.state not in FINAL,
        is_live=run.state not in FINAL,
        **await _progress(page, run.id),
    )


@router.get("/benchmark-runs/{id}/live")
async def live(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))]) -> MessageStream:
    """How far a benchmark run is, whenever that changes."""
    async with page.database.read() as session:
        run = await page.parts.get(BenchmarkRunService).get(session, page.caller.account_id, id)

    async def progress() -> str:
        return page.html("benchmark_runs/_progress.html", **await _progress(page, run.id))

    def concerns(key: str) -> bool:
        return key == run.id or key.startswith("scr_")

    return page.live(Fragment("progress", ("benchmark run", run.id), progress, concerns, _FALLBACK_SECONDS))


async def _progress(page: Page, run_id: str) -> dict[str, Any]:
    """How far a benchmark run is: its scenario runs by state, and how many scenarios have no completed run yet."""
    account_id = page.caller.account_id
    async with page.database.read() as session:
        service = page.parts.get(BenchmarkRunService)
        run = await service.get(session, account_id, run_id)
        counts = await by_state(session, CountKey(account_id, "benchmark_run", run.id))
        pending = len(await service.pending(session, run))
    total = len(run.scenario_ids)
    spent = now_ms() - run.start_time_ms if run.duration_ms is None else run.duration_ms
    return {
        "run": run,
        "counts": [(state, counts[state]) for state in ScenarioRunState if counts.get(state)],
        "pending": pending,
        "of": total,
        "share": (total - pending) / total if total else 0.0,
        "seconds": max(0, spent) / 1000,
    }


@router.post("/benchmark-runs/{id}/complete")
async def complete(id: ShortText, page: Annotated[Page, Depends(allowed(COMPLETE))]) -> RedirectResponse:
    """End a benchmark run with the mean score of its scenario runs."""
    async with page.database.write() as session:
        await page.parts.get(BenchmarkRunService).complete(session, page.caller.account_id, id)
    return page.redirect(f"/console/benchmark-runs/{id}", note="The benchmark run is completed.")


@router.post("/benchmark-runs/{id}/cancel")
async def cancel(id: ShortText, page: Annotated[Page, Depends(allowed(CANCEL))]) -> RedirectResponse:
    """End a benchmark run, its scenario runs and their devboxes."""
    get = page.parts.get
    await cancel_and_settle(id, page.caller, page.database, get(BenchmarkRunService), get(RunCanceler))
    note = "The benchmark run is canceled; its scenario runs and devboxes end with it."
    return page.redirect(f"/console/benchmark-runs/{id}", note=note)


async def _hits(session: AsyncSession, page: Page, text: str, few: PageQuery) -> list[Hit]:
    found = await BenchmarkRunRepository(session).list_page(
        page.caller.account_id, BenchmarkRunFilters(search=text), few
    )
    return [Hit("benchmark run", one.name or one.id, f"/benchmark-runs/{one.id}", one.id) for one in found.items]


FAMILY = Family(
    router,
    navigation=(Entry("Evaluation", "Benchmark runs", "/benchmark-runs", LIST),),
    links={"bmr": "/benchmark-runs/"},
    find=finder(LIST, _hits),
)

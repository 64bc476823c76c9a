"""/console/leaderboard: the agents that tried a benchmark, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response

from loopyard.bench.reading.attempt import Attempt
from loopyard.bench.reading.contender import Contender, contenders
from loopyard.bench.reading.summary import Summary
from loopyard.benchmark.models import Benchmark
from loopyard.benchmark.repository import BenchmarkFilters, BenchmarkRepository
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.benchmark.run.states import State
from loopyard.console.compare import downloads
from loopyard.console.compare.downloads import FormatName
from loopyard.console.compare.figures import IntervalBar, bar_of, tabulate
from loopyard.console.compare.pages import chosen_of, contenders_of, reader_of
from loopyard.console.family import Entry, Family
from loopyard.console.filtering import Given, query_string
from loopyard.console.page import Page, allowed
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageQuery

router = APIRouter()

SEE = "GET /v1/benchmark_runs/{}/scenario_runs"
BENCHMARK = "GET /v1/benchmarks/{}"

MOST_RUNS = 30
"""The newest runs of a benchmark that count."""
_MOST_SOURCES = 30
_OFFERED = 100

_Of = Annotated[Sequence[ShortText], Query(max_length=_MOST_SOURCES)]
_PassScore = Annotated[float, Query(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the leaderboard. `rank` is shared by those whose means are equal; None without a score."""

    rank: int | None
    summary: Summary
    bar: IntervalBar | None
    sources: list[str]


@router.get("/leaderboard")
async def leaderboard(
    page: Annotated[Page, Depends(allowed(SEE))],
    benchmark_id: Annotated[Given, Query()] = None,
    of: _Of = (),
    pass_score: _PassScore = 1.0,
) -> HTMLResponse:
    """The agents of a benchmark's newest runs, or of the runs and jobs that are named."""
    benchmark = await _benchmark(page, benchmark_id)
    found = await _contenders(page, benchmark_id, of)
    places = await _places(found, pass_score) if found else []
    async with page.database.read() as session:
        query = PageQuery(_OFFERED, include_total_count=False)
        offered = await BenchmarkRepository(session).list_page(page.caller.account_id, BenchmarkFilters(), query)
    return page.render(
        "leaderboard/leaderboard.html",
        benchmark=benchmark,
        benchmark_id=benchmark_id,
        of=[one.text for one in chosen_of(of)],
        places=places,
        pass_score=pass_score,
        most_runs=MOST_RUNS,
        offered=[(one.id, one.name) for one in offered.items],
        is_chosen=benchmark_id is not None or bool(chosen_of(of)),
        query=query_string(
            {
                "benchmark_id": benchmark_id,
                "of": list(of) or None,
                "pass_score": None if pass_score == 1 else pass_score,
            }
        ),
    )


@router.get("/leaderboard/download.{kind}")
async def download(
    page: Annotated[Page, Depends(allowed(SEE))],
    kind: FormatName,
    benchmark_id: Annotated[Given, Query()] = None,
    of: _Of = (),
    pass_score: _PassScore = 1.0,
) -> Response:
    """The same as `bench report --together` writes it."""
    found = await _contenders(page, benchmark_id, of)
    if not found:
        raise BadRequest(
            "benchmark_id: there are no results yet; name a benchmark that has runs.", field="benchmark_id"
        )
    return await downloads.report(found, kind, pass_score, "leaderboard")


async def _benchmark(page: Page, benchmark_id: str | None) -> Benchmark | None:
    if benchmark_id is None:
        return None
    page.need(BENCHMARK)
    async with page.database.read() as session:
        return await BenchmarkRepository(session).get_one_visible(benchmark_id, page.caller.account_id)


async def _contenders(page: Page, benchmark_id: str | None, of: Sequence[str]) -> list[Contender]:
    """Each agent with its attempts in all the sources together."""
    if chosen := chosen_of(of):
        read = await contenders_of(page, chosen)
        return contenders([attempt for one in read for attempt in one.attempts], together=True)
    if benchmark_id is None:
        return []
    async with page.database.read() as session:
        filters = BenchmarkRunFilters(benchmark_id=benchmark_id)
        query = PageQuery(MOST_RUNS, include_total_count=False)
        runs = (await BenchmarkRunRepository(session).list_page(page.caller.account_id, filters, query)).items
    reader = reader_of(page)
    attempts: list[Attempt] = []
    for run in reversed(runs):
        if run.state != State.CANCELED:
            attempts += await reader.read_named(run)
    return contenders(attempts, together=True)


async def _places(found: list[Contender], pass_score: float) -> list[Place]:
    table = await tabulate(found, pass_score)
    order = sorted(
        zip(table.contenders, table.summaries, strict=True),
        key=lambda one: -1.0 if one[1].score is None else one[1].score.mean,
        reverse=True,
    )
    places: list[Place] = []
    for contender, summary in order:
        score = summary.score
        rank = None
        if score is not None:
            above = places[-1] if places else None
            same = above is not None and above.summary.score is not None and above.summary.score.mean == score.mean
            rank = above.rank if same and above is not None else len(places) + 1
        sources = list(dict.fromkeys(attempt.source for attempt in contender.attempts))
        places.append(Place(rank, summary, None if score is None else bar_of(score), sources))
    return places


FAMILY = Family(router, navigation=(Entry("Evaluation", "Leaderboard", "/leaderboard", SEE),))

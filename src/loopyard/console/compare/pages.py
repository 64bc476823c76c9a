"""/console/compare: benchmark runs, jobs and agents side by side, and two of their runs."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response

from loopyard.bench.reading.attempt import Attempt
from loopyard.bench.reading.contender import Contender
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark_job.repository import BenchmarkJobRepository, JobFilters
from loopyard.benchmark_job.service import JobService
from loopyard.console.compare import downloads
from loopyard.console.compare.attempts import AttemptReader, AttemptSources
from loopyard.console.compare.downloads import FormatName
from loopyard.console.compare.figures import MOST_CONTENDERS, Chosen, bar_of, choose, lowest_first, tabulate
from loopyard.console.compare.two_runs import two_runs
from loopyard.console.family import Entry, Family
from loopyard.console.filtering import query_string
from loopyard.console.page import Page, allowed
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageQuery
from loopyard.model_usage.ledger import Ledger

router = APIRouter()

SEE = "GET /v1/benchmark_runs/{}/scenario_runs"
SEE_JOBS = "GET /v1/benchmark_jobs"
SEE_RUN = "GET /v1/scenarios/runs/{}"

_OFFERED = 30

_Of = Annotated[Sequence[ShortText], Query(max_length=4 * MOST_CONTENDERS)]
_PassScore = Annotated[float, Query(ge=0, le=1)]


@router.get("/compare")
async def compare(
    page: Annotated[Page, Depends(allowed(SEE))], of: _Of = (), pass_score: _PassScore = 1.0
) -> HTMLResponse:
    """Several contenders side by side, each against the first; without any, a form to choose them."""
    chosen = chosen_of(of)
    found = await contenders_of(page, chosen) if chosen else []
    table = await tabulate(found, pass_score) if found else None
    return page.render(
        "compare/compare.html",
        chosen=[one.text for one in chosen],
        table=table,
        pass_score=pass_score,
        bar_of=bar_of,
        lowest=[] if table is None else [lowest_first(one) for one in table.summaries],
        offered=await _offered(page),
        query=query_string({"of": [one.text for one in chosen], "pass_score": _unless_whole(pass_score)}),
        by_pair=[
            query_string({"of": [_named(found[0]), _named(other)], "pass_score": _unless_whole(pass_score)})
            for other in found[1:]
        ],
        columns=[f"{_named(one)}" for one in found],
    )


@router.get("/compare/download.{kind}")
async def download(
    page: Annotated[Page, Depends(allowed(SEE))], kind: FormatName, of: _Of = (), pass_score: _PassScore = 1.0
) -> Response:
    """Two contenders as `bench compare` writes them; any other number as `bench report` does."""
    found = await contenders_of(page, chosen_of(of))
    if not found:
        raise BadRequest("of: name benchmark runs or jobs.", field="of")
    if len(found) != 2:
        return await downloads.report(found, kind, pass_score, "report")
    table = await tabulate(found, pass_score)
    return await downloads.comparison(table.contests[0].found, kind, "comparison")


@router.get("/compare/report.{kind}")
async def download_report(
    page: Annotated[Page, Depends(allowed(SEE))], kind: FormatName, of: _Of = (), pass_score: _PassScore = 1.0
) -> Response:
    """The contenders as `bench report` writes them: every attempt."""
    found = await contenders_of(page, chosen_of(of))
    if not found:
        raise BadRequest("of: name benchmark runs or jobs.", field="of")
    return await downloads.report(found, kind, pass_score, "report")


@router.get("/compare/runs")
async def compare_runs(page: Annotated[Page, Depends(allowed(SEE_RUN))], a: ShortText, b: ShortText) -> HTMLResponse:
    """Two scenario runs side by side, with what differs between their outputs."""
    return page.render("compare/runs.html", **await two_runs(page, a, b))


def chosen_of(texts: Sequence[str]) -> list[Chosen]:
    """The sources that an address names; empty fields of a form name none."""
    return [Chosen.read(text) for text in texts if text.strip()]


async def contenders_of(page: Page, chosen: Sequence[Chosen]) -> list[Contender]:
    """The contenders that the sources have.

    Raises:
        NotFound: A source is not there, or has no such agent.
        BadRequest: One is no source, or they are too many.
    """
    if any(one.source.startswith("bmj_") for one in chosen):
        page.need("GET /v1/benchmark_jobs/{}")
    reader = reader_of(page)
    read: dict[str, list[Attempt]] = {}
    for one in chosen:
        if one.source not in read:
            read[one.source] = await reader.read(one.source)
    return choose(chosen, [read[one.source] for one in chosen])


def reader_of(page: Page) -> AttemptReader:
    """A reader of the caller's attempts."""
    get = page.parts.get
    sources = AttemptSources(get(Database), get(Ledger), get(JobService), get(BenchmarkRunService))
    return AttemptReader(sources, page.caller.account_id)


async def _offered(page: Page) -> list[tuple[str, str]]:
    """The newest benchmark runs and jobs, by id and name, to choose from."""
    account_id, query = page.caller.account_id, PageQuery(_OFFERED, include_total_count=False)
    offered: list[tuple[str, str]] = []
    async with page.database.read() as session:
        if page.may(SEE_JOBS):
            newest = await BenchmarkJobRepository(session).list_page(account_id, JobFilters(), query)
            offered += [(job.id, f"job {job.name}") for job in newest.items]
        runs = await BenchmarkRunRepository(session).list_page(account_id, BenchmarkRunFilters(), query)
        offered += [(run.id, f"run {run.name or run.id}") for run in runs.items]
    return offered


def _named(one: Contender) -> str:
    return Chosen(one.source, one.agent).text


def _unless_whole(pass_score: float) -> float | None:
    return None if pass_score == 1.0 else pass_score


FAMILY = Family(router, navigation=(Entry("Evaluation", "Compare", "/compare", SEE),))

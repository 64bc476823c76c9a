"""/console/benchmarks: benchmarks, the scenarios they are made of, and their runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.repository import BenchmarkFilters, BenchmarkRepository
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.benchmark.schemas import BenchmarkView
from loopyard.console.family import Entry, Family, Hit
from loopyard.console.filtering import Given, shown_list
from loopyard.console.listing import ROWS, ListQuery, next_path
from loopyard.console.page import Page, allowed
from loopyard.console.searching.finding import finder
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageQuery, cursor_of

router = APIRouter()

LIST = "GET /v1/benchmarks"
PUBLIC = "GET /v1/benchmarks/list_public"
RETRIEVE = "GET /v1/benchmarks/{}"
SCENARIOS = "GET /v1/benchmarks/{}/definitions"
RUNS = "GET /v1/benchmark_runs"

_RECENT = 20


@router.get("/benchmarks")
async def list_benchmarks(
    page: Annotated[Page, Depends(allowed(LIST))],
    query: ListQuery,
    name: Annotated[Given, Query()] = None,
    search: Annotated[Given, Query()] = None,
    public: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """The account's benchmarks, or the public ones, newest first."""
    page.need(PUBLIC if public else LIST)
    filters = BenchmarkFilters(name, search)
    async with page.database.read() as session:
        account_id = None if public else page.caller.account_id
        found = await BenchmarkRepository(session).list_page(account_id, filters, cursor_of(query, "bmk"))
        parts = await BenchmarkRepository(session).scenario_counts([one.id for one in found.items])
    given: dict[str, Any] = {"name": name, "search": search, "public": "true" if public else None}
    return page.render(
        "benchmarks/list.html",
        found=found,
        parts=parts,
        **shown_list(page.request, query, given, found.items, has_more=found.has_more, wide=("public",)),
    )


@router.get("/benchmarks/{id}")
async def detail(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))], query: ListQuery) -> HTMLResponse:
    """Page of a benchmark, with a page of its scenarios and its newest runs."""
    account_id = page.caller.account_id
    async with page.database.read() as session:
        benchmark = await BenchmarkRepository(session).get_one_visible(id, account_id)
        scenarios = history = None
        if page.may(SCENARIOS):
            of_page = PageQuery(ROWS, cursor_of(query, "scn").starting_after)
            scenarios = await BenchmarkRepository(session).list_scenarios(benchmark.id, of_page)
        if page.may(RUNS):
            of_benchmark = BenchmarkRunFilters(benchmark_id=benchmark.id)
            history = await BenchmarkRunRepository(session).list_page(account_id, of_benchmark, PageQuery(_RECENT))
    last = scenarios.items[-1].id if scenarios is not None and scenarios.items else None
    return page.render(
        "benchmarks/detail.html",
        benchmark=BenchmarkView.of(benchmark, []),
        is_own=benchmark.account_id == account_id,
        create_time_ms=benchmark.create_time_ms,
        scenarios=scenarios,
        history=history,
        is_first=query.starting_after is None,
        older=next_path(page.request, last, has_more=scenarios is not None and scenarios.has_more),
    )


async def _hits(session: AsyncSession, page: Page, text: str, few: PageQuery) -> list[Hit]:
    found = await BenchmarkRepository(session).list_page(page.caller.account_id, BenchmarkFilters(search=text), few)
    return [Hit("benchmark", one.name, f"/benchmarks/{one.id}", one.id) for one in found.items]


FAMILY = Family(
    router,
    navigation=(Entry("Evaluation", "Benchmarks", "/benchmarks", LIST),),
    links={"bmk": "/benchmarks/"},
    find=finder(LIST, _hits),
)

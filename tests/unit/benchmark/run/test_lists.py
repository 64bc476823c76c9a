"""The lists of benchmarks and benchmark runs against a naive model, on both engines."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from loopyard.benchmark.models import Benchmark
from loopyard.benchmark.repository import BenchmarkFilters, BenchmarkRepository
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunFilters, BenchmarkRunRepository
from loopyard.kit.db.database import Database
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import PageQuery

pytestmark = pytest.mark.anyio

NAMES = ("One thing", "other", None)
BENCHMARKS = ("bmk_a", "bmk_b", None)
STATES = ("running", "completed", "failed")


def new_run(name: str | None, benchmark_id: str | None, state: str, account_id: str = "acc_1") -> BenchmarkRun:
    return BenchmarkRun(
        id=new_id("bmr"),
        account_id=account_id,
        benchmark_id=benchmark_id,
        scenario_ids=["scn_a"],
        name=name,
        name_digest=None if name is None else names.digest(name),
        name_folded=None if name is None else names.fold(name),
        state=state,
        ending=False,
        metadata_={},
        environment_variables={},
        secrets_provided={},
        start_time_ms=1_000,
    )


def _matching(runs: Sequence[BenchmarkRun], filters: BenchmarkRunFilters) -> list[str]:
    def matches(run: BenchmarkRun) -> bool:
        search = filters.search or ""
        return (
            run.account_id == "acc_1"
            and filters.name in (None, run.name)
            and filters.state in (None, run.state)
            and filters.benchmark_id in (None, run.benchmark_id)
            and (not search or search.casefold() in (run.name or "").casefold() or run.id.startswith(search))
        )

    return sorted((run.id for run in runs if matches(run)), reverse=True)


async def _pages(database: Database, filters: BenchmarkRunFilters, limit: int, total: int) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        async with database.read() as session:
            page = await BenchmarkRunRepository(session).list_page("acc_1", filters, PageQuery(limit, cursor))
        assert page.total_count == total
        seen += [run.id for run in page.items]
        if not page.has_more:
            return seen
        cursor = seen[-1]


async def test_every_combination_of_filters(database: Database) -> None:
    made = [new_run(*values) for values in itertools.product(NAMES, BENCHMARKS, STATES) for _ in range(2)]
    made += [new_run("One thing", "bmk_a", "running", account_id="acc_2")]
    async with database.write() as session:
        session.add_all(made)
    searches = (None, "ONE", "e", "%", "bmr_", made[3].id)
    for benchmark_id, name, search, state in itertools.product(
        (None, "bmk_a", "bmk_none"), (None, "other"), searches, (None, "failed")
    ):
        filters = BenchmarkRunFilters(benchmark_id, name, search, state)
        expected = _matching(made, filters)
        assert await _pages(database, filters, 5, len(expected)) == expected, filters


async def test_runs_that_come_and_end_while_pages_are_read_shift_nothing(database: Database) -> None:
    made = [new_run("n", "bmk_a", "running") for _ in range(12)]
    async with database.write() as session:
        session.add_all(made)
    seen: list[str] = []
    cursor, more = None, True
    while more:
        async with database.read() as session:
            page = await BenchmarkRunRepository(session).list_page("acc_1", BenchmarkRunFilters(), PageQuery(5, cursor))
        seen += [run.id for run in page.items]
        cursor, more = seen[-1], page.has_more
        async with database.write() as session:
            session.add(new_run("n", "bmk_a", "running"))
            await session.execute(update(BenchmarkRun).values(state="canceled"))
    assert seen == [run.id for run in reversed(made)]


def _benchmark(name: str, **fields: Any) -> Benchmark:
    values = {"account_id": "acc_1", "status": "active", "is_public": False, **fields}
    return Benchmark(
        id=new_id("bmk"),
        name=name,
        name_digest=names.digest(name),
        name_folded=names.fold(name),
        metadata_={},
        required_environment_variables=[],
        required_secret_names=[],
        create_time_ms=1,
        **values,
    )


async def test_public_benchmarks_are_seen_by_every_account_and_archived_ones_not_listed(database: Database) -> None:
    own = _benchmark("own")
    public = _benchmark("public", account_id="acc_2", is_public=True)
    others = _benchmark("others", account_id="acc_2")
    archived = _benchmark("archived", status="archived", is_public=True)
    async with database.write() as session:
        session.add_all([own, public, others, archived])
    async with database.read() as session:
        mine = await BenchmarkRepository(session).list_page("acc_1", BenchmarkFilters(), PageQuery())
        open_to_all = await BenchmarkRepository(session).list_page(None, BenchmarkFilters(), PageQuery())
        visible = [
            each
            for each in (own, public, others, archived)
            if await BenchmarkRepository(session).get_visible(each.id, "acc_1")
        ]
    assert ([each.id for each in mine.items], mine.total_count) == ([own.id], 1)
    assert ([each.id for each in open_to_all.items], open_to_all.total_count) == ([public.id], 1)
    assert visible == [own, public, archived]

"""The list of runs against a naive model, on both engines: every filter, every page, exact totals."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from loopyard.kit.db.database import Database
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import PageQuery
from loopyard.scenario.run import counts, search
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.rendering import render
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.schemas import ScenarioRunView
from loopyard.scenario.run.states import State, can_become
from tests.unit.scenario.run.making import matching, new_run

pytestmark = pytest.mark.anyio

NAMES = (None, "Fix the bug", "FIX", "fiX 100%_\\/", "ÄÖ", "straße", "")
SCENARIOS = ("scn_a", "scn_b")
BENCHMARK_RUNS = (None, "bmr_a", "bmr_b")
SEARCHES = (None, "", "fix", "%", "_", "\\", "ä", "STRASSE", "scr_", "no such")

runs_wanted = st.lists(
    st.tuples(
        st.sampled_from(("acc_1", "acc_2")),
        st.sampled_from(NAMES),
        st.sampled_from(SCENARIOS),
        st.sampled_from(BENCHMARK_RUNS),
    ),
    min_size=1,
    max_size=12,
)
moves_wanted = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(list(State))), max_size=25)
filters_wanted = st.builds(
    RunFilters,
    name=st.sampled_from(NAMES),
    state=st.sampled_from((None, *State)),
    benchmark_run_id=st.sampled_from((*BENCHMARK_RUNS, "bmr_none")),
    scenario_id=st.sampled_from((None, *SCENARIOS, "scn_none")),
    search=st.sampled_from(SEARCHES),
)
UNHURRIED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


async def _insert(database: Database, *runs: ScenarioRun) -> None:
    async with database.write() as session:
        for run in runs:
            await ScenarioRunRepository(session).create(run)


async def _move(database: Database, run_id: str, state: State) -> None:
    async with database.write() as session:
        run = await ScenarioRunRepository(session).get_by_id_for_update(run_id)
        assert run is not None
        if can_become(run.state, state):
            await ScenarioRunRepository(session).move(run, state)


async def _all(database: Database) -> list[ScenarioRun]:
    async with database.read() as session:
        return list((await session.scalars(select(ScenarioRun))).all())


async def _page(database: Database, filters: RunFilters, query: PageQuery) -> tuple[list[str], bool, int | None]:
    async with database.read() as session:
        page = await ScenarioRunRepository(session).list_page("acc_1", filters, query)
    return [row.id for row in page.items], page.has_more, page.total_count


async def _everything(database: Database, filters: RunFilters, limit: int) -> list[str]:
    """All ids, page by page, as a client reads them."""
    seen: list[str] = []
    cursor = None
    while True:
        ids, more, _ = await _page(database, filters, PageQuery(limit, cursor))
        seen += ids
        if not more:
            return seen
        assert len(ids) == limit
        cursor = ids[-1]


@given(wanted=runs_wanted, moves=moves_wanted, asked=st.lists(filters_wanted, min_size=6, max_size=6))
@UNHURRIED
async def test_pages_and_totals_are_those_of_the_naive_model(
    database: Database, wanted: list[Any], moves: list[tuple[int, State]], asked: list[RunFilters]
) -> None:
    made = [
        new_run(account, name=name, scenario_id=scenario, benchmark_run_id=benchmark)
        for account, name, scenario, benchmark in wanted
    ]
    await _insert(database, *made)
    for place, state in moves:
        await _move(database, made[place % len(made)].id, state)
    runs = await _all(database)
    for filters in [*asked, RunFilters()]:
        expected = matching(runs, "acc_1", filters)
        for limit in (1, 3, 5000):
            assert await _everything(database, filters, limit) == expected
        for cursor in (None, made[0].id, new_id("scr")):
            ids, more, total = await _page(database, filters, PageQuery(2, cursor))
            rest = [run_id for run_id in expected if cursor is None or run_id < cursor]
            assert (ids, more, total) == (rest[:2], len(rest) > 2, len(expected))


@pytest.mark.parametrize("few", [0, 1, 50])
async def test_every_combination_of_filters(database: Database, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(search, "FEW_NAMES", few)
    combinations = itertools.product(("one", "two", None), SCENARIOS, BENCHMARK_RUNS, ("running", "failed"))
    made = [
        new_run(name=name, scenario_id=scenario, benchmark_run_id=benchmark, state=state)
        for name, scenario, benchmark, state in combinations
        for _ in range(2)
    ]
    await _insert(database, *made)
    asked = itertools.product(
        (None, "one"), (None, "failed"), (None, "bmr_a"), (None, "scn_b"), (None, "ON", "n", "scr_", made[3].id)
    )
    for values in asked:
        filters = RunFilters(*values)
        expected = matching(made, "acc_1", filters)
        assert await _everything(database, filters, 5) == expected, filters
        assert (await _page(database, filters, PageQuery(1)))[2] == len(expected), filters


async def test_runs_that_come_and_change_while_pages_are_read_shift_nothing(database: Database) -> None:
    made = [new_run() for _ in range(30)]
    await _insert(database, *made)
    seen: list[str] = []
    cursor, more, added = None, True, 0
    while more:
        ids, more, total = await _page(database, RunFilters(), PageQuery(4, cursor))
        assert total == len(made) + added
        seen += ids
        cursor = ids[-1]
        await _insert(database, new_run(), new_run())
        added += 2
        await _move(database, made[len(seen) % 30].id, State.CANCELED)
    assert seen == [run.id for run in reversed(made)]


async def test_a_rendered_page_is_what_the_view_of_each_run_is(database: Database) -> None:
    plain, full = new_run(), new_run(name='"ü\\', benchmark_run_id="bmr_a")
    full.metadata_, full.purpose, full.duration_ms = {"ä": '"\n\u2028'}, "p", 5
    full.scoring_contract_result = {"score": 0.1, "scoring_function_results": []}
    await _insert(database, plain, full)
    async with database.read() as session:
        page = await ScenarioRunRepository(session).list_page("acc_1", RunFilters(), PageQuery())
    answer = json.loads(render(page))
    assert answer == {
        "runs": [ScenarioRunView.model_validate(run).model_dump(by_alias=True) for run in (full, plain)],
        "has_more": False,
        "total_count": 2,
    }


async def test_a_page_after_a_run_that_is_gone_goes_on_where_it_was(database: Database) -> None:
    made = [new_run() for _ in range(5)]
    await _insert(database, *made)
    async with database.write() as session:
        run = await ScenarioRunRepository(session).get_by_id_for_update(made[2].id)
        await session.delete(run)
    ids, more, _ = await _page(database, RunFilters(), PageQuery(20, made[2].id, include_total_count=False))
    assert (ids, more) == ([made[1].id, made[0].id], False)


async def test_counts_written_past_the_repository_are_made_right_by_rebuilding(database: Database) -> None:
    await _insert(database, new_run(name="n"), new_run(benchmark_run_id="bmr_a"))
    async with database.write() as session:
        session.add(new_run(name="n", state="completed", benchmark_run_id="bmr_a"))
    await counts.rebuild_counters(database)
    for filters, expected in (
        (RunFilters(), 3),
        (RunFilters(state="completed"), 1),
        (RunFilters(name="n"), 2),
        (RunFilters(benchmark_run_id="bmr_a"), 2),
        (RunFilters(scenario_id="scn_a", state="running"), 2),
    ):
        assert (await _page(database, filters, PageQuery()))[2] == expected

"""The runs of a benchmark run as reports read them, and the names of scenarios and benchmarks, on both engines."""

import pytest

from loopyard.benchmark.repository import BenchmarkRepository
from loopyard.kit.db.database import Database
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run import counts, repository
from loopyard.scenario.run.counts import CountKey
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.states import State
from tests.unit.benchmark_job.test_planning import shared  # noqa: F401  # pyright: ignore[reportUnusedImport]
from tests.unit.scenario.run.making import new_run

pytestmark = pytest.mark.anyio


async def test_a_benchmark_run_is_read_oldest_first_in_pieces(database: Database) -> None:
    runs = [new_run(benchmark_run_id="bmr_a") for _ in range(5)]
    runs[2].scoring_contract_result = {"score": 0.5, "scoring_function_results": []}
    runs[3].fault, runs[3].failure_reason = "model", "out of memory"
    others = [new_run(benchmark_run_id="bmr_b"), new_run("acc_2", benchmark_run_id="bmr_a"), new_run()]
    async with database.write() as session:
        for run in (*runs, *others):
            await ScenarioRunRepository(session).create(run)
    found: list[repository.RunOfBenchmark] = []
    async with database.read() as session:
        while True:
            after = found[-1].id if found else ""
            piece = await ScenarioRunRepository(session).list_of_benchmark_run(
                "acc_1", "bmr_a", after_id=after, limit=2
            )
            if not piece:
                break
            found += piece
    assert [one.id for one in found] == sorted(run.id for run in runs)
    by_id = {one.id: one for one in found}
    scored = by_id[runs[2].id]
    assert scored.result == {"score": 0.5, "scoring_function_results": []}
    assert (scored.metadata, scored.scenario_id, scored.devbox_id) == ({"k": "v"}, "scn_a", runs[2].devbox_id)
    assert (by_id[runs[3].id].fault, by_id[runs[3].id].failure_reason) == ("model", "out of memory")
    assert by_id[runs[0].id].result is None


async def test_names_are_told_of_what_the_account_may_see(shared: Database) -> None:  # noqa: F811
    async with shared.read() as session:
        ids = ["scn_open", "scn_closed", "scn_none"]
        assert await ScenarioRepository(session).names_of(ids, "acc_other") == {"scn_open": "scn_open"}
        assert set(await ScenarioRepository(session).names_of(ids, "acc_owner")) == {"scn_open", "scn_closed"}
        assert await BenchmarkRepository(session).names_of(["bmk_open", "bmk_no"], "acc_other") == {
            "bmk_open": "shown to all"
        }


async def test_failures_are_told_of_those_that_failed(database: Database) -> None:
    runs = [new_run() for _ in range(3)]
    runs[0].fault, runs[0].failure_reason = "infrastructure", "gone"
    runs[1].failure_reason = "api_shutdown"
    async with database.write() as session:
        for run in runs:
            await ScenarioRunRepository(session).create(run)
    async with database.read() as session:
        found = await ScenarioRunRepository(session).failures([run.id for run in runs])
        assert await ScenarioRunRepository(session).failures([]) == {}
    assert found == {runs[0].id: ("infrastructure", "gone"), runs[1].id: (None, "api_shutdown")}


async def test_runs_are_counted_by_state(database: Database) -> None:
    async with database.write() as session:
        for state in ("running", "running", "scoring"):
            await ScenarioRunRepository(session).create(new_run(benchmark_run_id="bmr_a", state=state))
        gone = new_run(benchmark_run_id="bmr_a")
        await ScenarioRunRepository(session).create(gone)
        await ScenarioRunRepository(session).move(gone, State.FAILED)
        await ScenarioRunRepository(session).create(new_run(benchmark_run_id="bmr_b"))
    async with database.read() as session:
        found = await counts.by_state(session, CountKey("acc_1", "benchmark_run", "bmr_a"))
        assert await counts.by_state(session, CountKey("acc_2", "benchmark_run", "bmr_a")) == {}
    assert found == {"running": 2, "scoring": 1, "failed": 1}


async def test_the_scenarios_of_benchmarks_are_counted(shared: Database) -> None:  # noqa: F811
    async with shared.read() as session:
        assert await BenchmarkRepository(session).scenario_counts(["bmk_open", "bmk_mixed", "bmk_no"]) == {
            "bmk_open": 1,
            "bmk_mixed": 2,
        }

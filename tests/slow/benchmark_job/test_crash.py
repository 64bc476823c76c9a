"""The server is killed at each step of a job; after each restart it goes on where it was, and nothing is done twice."""

import time
from itertools import accumulate
from pathlib import Path

import httpx
import pytest
from runloop_api_client import Runloop, RunloopError

from tests.integration.benchmark_job.making import SOLVE, agent, make_scenario, only, outcomes, runs_of, start, wait
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess
from tests.stores import new_store

PLACES = [
    "job.created",
    "trial.started",
    "trial.ready",
    "trial.placed",
    "trial.worked",
    "trial.scoring",
    "trial.scored",
    "trial.ended",
    "job.run_closed",
    "job.closed",
]
"""In the order in which one trial passes them."""

FEW = {"LOOPYARD_JOBS__AT_ONCE": "3"}


def _check_nothing_left(api: Runloop) -> None:
    assert {devbox.status for devbox in api.devboxes.list(limit=5000)} == {"shutdown"}


def _most_at_once(api: Runloop) -> int:
    """How many scenario runs went on at the same time at most."""
    events: list[tuple[int, int]] = []
    for run in api.scenarios.runs.list(limit=100).runs:
        assert run.start_time_ms is not None
        assert run.duration_ms is not None
        events += [(run.start_time_ms, 1), (run.start_time_ms + run.duration_ms, -1)]
    return max(accumulate(change for _, change in sorted(events)))


def test_killed_at_every_step_one_after_the_other(tmp_path: Path) -> None:
    crashing = ServerProcess(tmp_path / "data")
    crashing.start({"LOOPYARD_FAILPOINT": PLACES[0]})
    with crashing.client(max_retries=0) as api:
        made = make_scenario(api)
        with pytest.raises((RunloopError, httpx.HTTPError)):
            start(api, [made])
    crashing.wait_dead()
    for place in PLACES[1:]:
        crashing.start({"LOOPYARD_FAILPOINT": place})
        crashing.wait_dead()
    crashing.start()
    with crashing.client() as api:
        (job,) = api.benchmark_jobs.list().jobs
        job = wait(api, job.id)
        assert job.state == "completed"
        assert (only(job).state, only(job).score) == ("COMPLETED", 1.0)
        (run,) = runs_of(api, job)
        assert run.id == only(job).scenario_run_id
        assert api.scenarios.runs.list().total_count == 1
        assert api.benchmark_runs.list().total_count == 1
        _check_nothing_left(api)
    assert crashing.stop() == 0


def test_killed_again_and_again_with_several_trials_under_way(tmp_path: Path, postgres: PostgresCluster) -> None:
    crashing = ServerProcess(tmp_path / "data", database_url=new_store(postgres)).start(FEW)
    with crashing.client() as api:
        scenarios = [make_scenario(api, f"scenario {n}", solution=f"sleep 0.{n}; {SOLVE}") for n in range(4)]
        job_id = start(api, scenarios, agent("oracle"), agent("nop"), n_concurrent_trials=6)
    for pause in (0.2, 0.5, 0.8, 1.1):
        time.sleep(pause)
        crashing.kill()
        crashing.start(FEW)
    with crashing.client() as api:
        job = wait(api, job_id)
        oracle, nop = outcomes(job)
        assert [each.score for each in oracle.scenario_outcomes] == [1.0] * 4
        assert [each.score for each in nop.scenario_outcomes] == [0.0] * 4
        assert _most_at_once(api) <= 3
        runs = api.scenarios.runs.list(limit=100).runs
        scored = {(run.scenario_id, run.benchmark_run_id) for run in runs if run.scoring_contract_result is not None}
        assert len(scored) == 8
        assert [run.state for run in runs].count("completed") == 8
        # A host under load may fail to make a box: that is tried again, and is no score.
        assert {run.state for run in runs if run.scoring_contract_result is None} <= {"failed"}
        assert {devbox.status for devbox in api.devboxes.list(limit=5000)} <= {"shutdown", "failure"}
    assert crashing.stop() == 0


def test_a_job_that_takes_too_long_is_ended_also_after_a_crash(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start(
        {"LOOPYARD_JOBS__JOB_SECONDS": "3", "LOOPYARD_FAILPOINT": "job.expired"}
    )
    with server.client() as api:
        made = [make_scenario(api, f"scenario {n}", solution="sleep 600") for n in range(2)]
        job_id = start(api, made)
    server.wait_dead()
    server.start()
    with server.client() as api:
        job = wait(api, job_id)
        assert (job.state, bool(job.failure_reason)) == ("timeout", True)
        assert [each.state for each in outcomes(job)[0].scenario_outcomes] == ["CANCELED", "CANCELED"]
        _check_nothing_left(api)
    assert server.stop() == 0

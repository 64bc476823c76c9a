"""The server is killed in the middle of canceling a benchmark run; the next start finishes it."""

import time

import httpx
import pytest
from runloop_api_client import Runloop, RunloopError
from runloop_api_client.lib.polling import PollingConfig

from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess
from tests.slow.scenario.run.test_crash import crashing

__all__ = ["crashing"]

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


def _wait_canceled(api: Runloop, run_id: str, number: int) -> None:
    deadline = time.monotonic() + 60
    while api.benchmark_runs.list_scenario_runs(run_id, state="canceled").total_count != number:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("place", ["benchmark_run.cut_off", "benchmark_run.one_canceled"])
def test_killed_while_a_benchmark_run_is_canceled(crashing: ServerProcess, place: str) -> None:
    crashing.start({"LOOPYARD_FAILPOINT": place})
    with crashing.client(max_retries=0) as api:
        parts = [api.scenarios.create(**scenario(bash("s", "echo score=1"))).id for _ in range(4)]
        benchmark = api.benchmarks.create(name="crash", scenario_ids=parts)
        run = api.benchmarks.start_run(benchmark_id=benchmark.id)
        done = api.scenarios.start_run(scenario_id=parts[0], benchmark_run_id=run.id)
        done = api.scenarios.runs.score_and_complete(done.id, polling_config=POLL)
        for part in parts[1:]:
            api.scenarios.start_run_and_await_env_ready(scenario_id=part, benchmark_run_id=run.id, polling_config=POLL)
        with pytest.raises((RunloopError, httpx.HTTPError)):
            api.benchmark_runs.cancel(run.id)
    crashing.wait_dead(60)
    crashing.start()
    with crashing.client() as api:
        canceled = api.benchmark_runs.retrieve(run.id)
        assert (canceled.state, canceled.score) == ("canceled", None)
        _wait_canceled(api, run.id, 3)
        assert api.scenarios.runs.retrieve(done.id) == done
        assert {devbox.status for devbox in api.devboxes.list()} == {"shutdown"}
        assert api.benchmark_runs.cancel(run.id) == canceled
        assert api.benchmark_runs.list_scenario_runs(run.id).total_count == 4

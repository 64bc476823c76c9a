"""Scenarios and jobs for tests."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from runloop_api_client import Runloop
from runloop_api_client.types import BenchmarkJobView, ScenarioRunView
from runloop_api_client.types.benchmark_job_view import BenchmarkOutcome, BenchmarkOutcomeScenarioOutcome

from tests.integration.scenario.definitions import bash, scenario

SOLVE = "echo right > ~/answer; echo turn >> ~/turns"
JUDGE = """
echo judged >> ~/judged
[ "$(wc -l < ~/judged)" = 1 ] && [ "$(wc -l < ~/turns)" = 1 ] && grep -qx right ~/answer || { echo score=0.0; exit; }
echo score=1.0
"""
"""Gives 1 only if the agent had one turn, and only the first time."""

WAIT_SECONDS = 400


def make_scenario(client: Runloop, name: str = "answer", *, solution: str = SOLVE, **fields: Any) -> str:
    """A scenario that `solution`, its reference output, solves, and that gives 0 to who does nothing."""
    made = scenario(bash("right", JUDGE), name=name, reference_output=solution, **fields)
    return client.scenarios.create(**made).id


def agent(name: str = "oracle", **fields: Any) -> Any:
    """An agent configuration."""
    return {"type": "job_agent", "name": name, **fields}


def start(client: Runloop, scenario_ids: list[str], *agents: Any, name: str | None = None, **orchestrator: Any) -> str:
    """Make a job of scenarios; returns its id."""
    spec: Any = {"type": "scenarios", "scenario_ids": scenario_ids, "agent_configs": list(agents) or [agent()]}
    if orchestrator:
        spec["orchestrator_config"] = orchestrator
    return client.benchmark_jobs.create(name=name, spec=spec).id


def wait(client: Runloop, job_id: str, seconds: float = WAIT_SECONDS) -> BenchmarkJobView:
    """The job, once it is over."""
    deadline = time.monotonic() + seconds
    while (job := client.benchmark_jobs.retrieve(job_id)).state in ("initializing", "queued", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    assert job.in_progress_runs == []
    return job


def runs_of(client: Runloop, job: BenchmarkJobView, position: int = 0) -> list[ScenarioRunView]:
    """The scenario runs of one agent, oldest first."""
    run_id = outcomes(job)[position].benchmark_run_id
    return list(reversed(client.benchmark_runs.list_scenario_runs(run_id).runs))


def outcomes(job: BenchmarkJobView) -> list[BenchmarkOutcome]:
    assert job.benchmark_outcomes is not None
    return job.benchmark_outcomes


def results(job: BenchmarkJobView) -> list[list[tuple[str, str, float | None]]]:
    """For each agent: each scenario's name, state and score."""
    return [[(s.scenario_name, s.state, s.score) for s in one.scenario_outcomes] for one in outcomes(job)]


def only(job: BenchmarkJobView) -> BenchmarkOutcomeScenarioOutcome:
    """What came of the only scenario of the only agent."""
    (outcome,) = outcomes(job)
    (found,) = outcome.scenario_outcomes
    return found


def first_run(client: Runloop, job_id: str) -> ScenarioRunView:
    """The first scenario run of a job, once there is one."""
    job = client.benchmark_jobs.retrieve(job_id)
    assert job.in_progress_runs
    run_id = job.in_progress_runs[0].benchmark_run_id
    deadline = time.monotonic() + 60
    while not (runs := client.benchmark_runs.list_scenario_runs(run_id).runs):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return runs[-1]


def wait_for_agent(client: Runloop, run: ScenarioRunView) -> None:
    """Wait until the agent of a scenario run has made the file `began`."""
    client.devboxes.await_running(run.devbox_id)
    command = "for _ in $(seq 600); do [ -e ~/began ] && exit 0; sleep 0.1; done; exit 1"
    done = client.devboxes.execute_and_await_completion(run.devbox_id, command=command)
    assert done.exit_status == 0


def kill_box(devbox_id: str) -> None:
    """Kill the first process of a devbox, as something on the host would."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_first = (process / "status").read_text().split("NSpid:")[1].splitlines()[0].split()[1:] == ["1"]
            if is_first and devbox_id in (process / "cgroup").read_text():
                os.kill(int(process.name), signal.SIGKILL)
                return
    raise AssertionError(f"no first process of {devbox_id}")

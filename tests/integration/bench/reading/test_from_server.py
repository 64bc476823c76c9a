"""Reading benchmark runs and jobs of a real server."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from runloop_api_client import AsyncRunloop, Runloop

from loopyard.bench.reading.attempt import Attempt, AttemptEnd, Unreadable
from loopyard.bench.reading.from_server import ServerReader
from tests.serving import ServerProcess

pytestmark = pytest.mark.anyio

SCORER = {"type": "bash_script_scorer", "bash_script": "echo score=$(cat ~/score)"}


@pytest.fixture(scope="module")
def scenarios(server: ServerProcess) -> dict[str, str]:
    """Scenarios whose score is what is in a file, and what the reference output puts there."""
    made: dict[str, str] = {}
    with server.client() as client:
        for score in ("1.0", "0.5"):
            name = f"read-{score}-{uuid4().hex[:8]}"
            functions = [{"name": "reads", "weight": 1.0, "scorer": SCORER}]
            made[name] = client.scenarios.create(
                name=name,
                input_context={"problem_statement": "p"},
                reference_output=f"echo {score} > ~/score",
                scoring_contract={"scoring_function_parameters": functions},  # type: ignore[typeddict-item]
            ).id
    return made


async def read(server: ServerProcess, run: str) -> list[Attempt]:
    async with AsyncRunloop(base_url=server.base_url, bearer_token=server.api_key) as client:
        return await ServerReader(client).read(run)


def attempt(client: Runloop, scenario_id: str, run_id: str, score: str | None, **more: Any) -> str:
    run = client.scenarios.start_run_and_await_env_ready(scenario_id=scenario_id, benchmark_run_id=run_id, **more)
    if score is not None:
        client.devboxes.execute_and_await_completion(run.devbox_id, command=f"echo {score} > ~/score")
        client.scenarios.runs.score_and_complete(run.id)
    return run.id


@pytest.mark.semantic
async def test_a_benchmark_run_is_read_with_each_way_to_end(
    server: ServerProcess, client: Runloop, scenarios: dict[str, str]
) -> None:
    (one, first), (two, second) = scenarios.items()
    benchmark = client.benchmarks.create(name=f"read-{uuid4().hex[:8]}", scenario_ids=[first, second])
    run = client.benchmarks.start_run(benchmark_id=benchmark.id)
    costly = {"agent": "mine", "cost_usd": "0.25"}
    scored = attempt(client, first, run.id, "1.0", metadata=costly)
    canceled = attempt(client, second, run.id, None, metadata={"agent": "mine"})
    client.scenarios.runs.cancel(canceled)
    lost = attempt(client, second, run.id, None, metadata={"agent": "mine"})
    client.devboxes.shutdown(client.scenarios.runs.retrieve(lost).devbox_id)
    going_on = attempt(client, second, run.id, None)
    _until(lambda: client.scenarios.runs.retrieve(lost).state != "running")
    found = await read(server, run.id)
    client.scenarios.runs.cancel(going_on)
    told = [(each.run_id, each.scenario, each.agent, each.ending, each.score, each.cost_usd) for each in found]
    assert told[0] == (scored, one, "mine", AttemptEnd.SCORED, 1.0, 0.25)
    assert told[1] == (canceled, two, "mine", AttemptEnd.CANCELED, None, None)
    assert told[3] == (going_on, two, "agent", AttemptEnd.UNFINISHED, None, None)
    assert (found[2].run_id, found[2].score) == (lost, None)
    assert found[2].ending in (AttemptEnd.INFRASTRUCTURE_FAILED, AttemptEnd.CANCELED)
    assert [(each.name, each.score, each.failed) for each in found[0].scorers] == [("reads", 1.0, False)]
    assert (found[0].seconds or 0) > 0


@pytest.mark.semantic
async def test_a_job_is_read_with_every_agents_attempts(
    server: ServerProcess, client: Runloop, scenarios: dict[str, str]
) -> None:
    agents = [{"type": "job_agent", "name": name} for name in ("oracle", "nop")]
    spec: Any = {"type": "scenarios", "scenario_ids": list(scenarios.values()), "agent_configs": agents}
    spec["orchestrator_config"] = {"n_concurrent_trials": 4}
    job = client.benchmark_jobs.create(spec=spec)
    _until(lambda: client.benchmark_jobs.retrieve(job.id).state in ("completed", "failed"))
    found = await read(server, job.id)
    scores = {(each.agent, each.scenario): each.score for each in found if each.agent == "oracle"}
    assert sorted(score or 0 for score in scores.values()) == [0.5, 1.0]
    assert {each.ending for each in found if each.agent == "oracle"} == {AttemptEnd.SCORED}
    assert len(found) == 4
    assert all(each.source == job.id and each.run_id for each in found)


@pytest.mark.semantic
async def test_what_is_not_there_is_told(server: ServerProcess) -> None:
    for run in ("bmr_none", "bmj_none"):
        with pytest.raises(Unreadable, match=f"has no {run}"):
            await read(server, run)
    async with AsyncRunloop(base_url=server.base_url, bearer_token="wrong", max_retries=0) as client:
        with pytest.raises(Unreadable, match="bmr_none cannot be read"):
            await ServerReader(client).read("bmr_none")


def _until(over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not over():
        assert time.monotonic() < deadline
        time.sleep(0.2)

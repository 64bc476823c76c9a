"""Gateways of devboxes that scenarios, run profiles and jobs make: each way leads to the upstream with its secret."""

from typing import Any
from uuid import uuid4

import pytest
from runloop_api_client import Runloop

from tests.integration.benchmark_job.making import agent, only, start, wait
from tests.integration.gateway.conftest import Box
from tests.integration.gateway.upstream import SECRET
from tests.integration.scenario.definitions import bash, scenario

CALL = 'curl -sS -H "Authorization: Bearer $MODEL" "$MODEL_URL/x"'
JUDGE = f"grep -q {SECRET} ~/told && echo score=1.0 || echo score=0.0"


@pytest.fixture
def gateways(config: str, secret: str) -> dict[str, Any]:
    return {"MODEL": {"gateway": config, "secret": secret}}


def make_scenario(client: Runloop, *, solution: str = "true", **fields: Any) -> str:
    """The id of a new scenario, which gives 1 to who has written the upstream's answer to ~/told."""
    return client.scenarios.create(
        **scenario(bash("told", JUDGE), name=f"gateways-{uuid4().hex[:8]}", reference_output=solution, **fields)
    ).id


def calls_in(client: Runloop, scenario_id: str, **fields: Any) -> bool:
    """Start a run, call the upstream from its devbox, and end it. Returns whether the call had the real secret."""
    run = client.scenarios.start_run_and_await_env_ready(scenario_id=scenario_id, **fields)
    try:
        return SECRET in Box(client, run.devbox_id).run(CALL)[1]
    finally:
        client.scenarios.runs.cancel(run.id)


def test_of_a_scenario(client: Runloop, gateways: dict[str, Any]) -> None:
    made = make_scenario(client, environment_parameters={"launch_parameters": {"gateways": gateways}})
    assert calls_in(client, made)


def test_of_a_run_profile(client: Runloop, gateways: dict[str, Any]) -> None:
    profile: Any = {"gateways": gateways}
    assert calls_in(client, make_scenario(client), run_profile=profile)


def test_of_a_benchmark_run(client: Runloop, gateways: dict[str, Any]) -> None:
    made = make_scenario(client)
    benchmark = client.benchmarks.create(name=f"gateways-{uuid4().hex[:8]}", scenario_ids=[made])
    profile: Any = {"gateways": gateways}
    run = client.benchmarks.start_run(benchmark_id=benchmark.id, run_profile=profile)
    assert calls_in(client, made, benchmark_run_id=run.id)
    other: Any = {"gateways": {"OTHER": gateways["MODEL"]}}
    assert calls_in(client, made, benchmark_run_id=run.id, run_profile=other)  # its own are added to those inherited
    client.benchmark_runs.cancel(run.id)


def test_of_a_job(client: Runloop, gateways: dict[str, Any]) -> None:
    made = make_scenario(client, solution=f"{CALL} > ~/told")
    without = only(wait(client, start(client, [made])))
    assert (without.state, without.score) == ("COMPLETED", 0.0)
    given = only(wait(client, start(client, [made], agent(agent_environment={"gateways": gateways}))))
    assert (given.state, given.score, given.failure_reason) == ("COMPLETED", 1.0, None)

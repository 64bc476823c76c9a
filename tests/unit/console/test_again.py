"""Runs and jobs that are started again from their pages: with all that they were started with."""

from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.integration.benchmark_job.making import agent, make_scenario, wait
from tests.integration.scenario.definitions import scenario
from tests.unit.conftest import POLL
from tests.unit.in_process.server import InProcessServer

PROFILE: Any = {
    "envVars": {"KIND": "first"},
    "purpose": "a purpose",
    "launchParameters": {
        "launch_commands": ["echo launched >> /home/user/launched"],
        "keep_alive_time_seconds": 1234,
        "custom_cpu_cores": 2,
        "custom_gb_memory": 4,
        "resource_size_request": "CUSTOM_SIZE",
    },
    "mounts": [{"type": "file_mount", "target": "/home/user/mounted", "content": "content"}],
}


@pytest.fixture
def api(server: InProcessServer) -> Runloop:
    return server.client()


def _again(console: Console, path: str) -> str:
    """The id of what is started anew from a page."""
    return console.change(f"{path}/again").headers["location"].rsplit("/", 1)[-1]


def test_a_run_has_the_profile_of_the_one_before(api: Runloop, console: Console) -> None:
    environment = {"launch_parameters": {"launch_commands": ["echo scenario >> /home/user/launched"]}}
    made = api.scenarios.create(**scenario(environment_parameters=environment))
    benchmark = api.benchmarks.create(name="budgets", scenario_ids=[made.id])
    outer: Any = {"envVars": {"OUTER": "outer"}}
    metadata = {"loopyard.max_tokens": "777", "other": "stays"}
    of = api.benchmarks.start_run(benchmark_id=benchmark.id, metadata=metadata, run_profile=outer)
    first = api.scenarios.start_run_and_await_env_ready(
        scenario_id=made.id,
        benchmark_run_id=of.id,
        run_name="named",
        metadata={"mine": "yes"},
        run_profile=PROFILE,
        polling_config=POLL,
    )
    api.scenarios.runs.cancel(first.id)
    again = api.scenarios.runs.retrieve(_again(console, f"/runs/{first.id}"))
    assert (again.name, again.benchmark_run_id, again.purpose) == ("named", None, "a purpose")
    assert again.metadata == {"loopyard.max_tokens": "777", "mine": "yes"}
    assert again.environment_variables == {"OUTER": "outer", "KIND": "first"}
    devbox = api.devboxes.await_running(again.devbox_id, polling_config=POLL)
    before = api.devboxes.retrieve(first.devbox_id)
    assert devbox.launch_parameters == before.launch_parameters
    assert devbox.launch_parameters.keep_alive_time_seconds == 1234
    assert api.devboxes.read_file_contents(devbox.id, file_path="launched") == "scenario\nlaunched\n"
    assert api.devboxes.read_file_contents(devbox.id, file_path="mounted") == "content"
    api.scenarios.runs.cancel(again.id)
    third = api.scenarios.runs.retrieve(_again(console, f"/runs/{again.id}"))
    assert api.devboxes.retrieve(third.devbox_id).launch_parameters == before.launch_parameters
    api.scenarios.runs.cancel(third.id)


def test_a_run_with_a_token_is_not_repeated_without_it(api: Runloop, console: Console) -> None:
    made = api.scenarios.create(**scenario())
    token = "ghp_a-token-of-a-mount"
    mount: Any = {"type": "code_mount", "repo_name": "name", "repo_owner": "owner", "token": token}
    run = api.scenarios.start_run(scenario_id=made.id, run_profile={"mounts": [mount]})
    api.scenarios.runs.cancel(run.id)
    answer = console.change(f"/runs/{run.id}/again", expect=409)
    assert "the token of mount 1 was not kept" in answer.text
    assert token not in answer.text


@pytest.mark.parametrize("source", ["scenarios", "benchmark"])
def test_a_job_has_the_specification_of_the_one_before(api: Runloop, console: Console, source: str) -> None:
    scenario_id = make_scenario(api)
    benchmark_id = api.benchmarks.create(name="of a job", scenario_ids=[scenario_id]).id
    of: Any = {"scenario_ids": [scenario_id]} if source == "scenarios" else {"benchmark_id": benchmark_id}
    agents = [
        agent("oracle", timeout_seconds=100.0),
        agent("nop", agent_environment={"environment_variables": {"KIND": "second"}}),
    ]
    orchestrator = {"n_concurrent_trials": 2, "n_attempts": 1, "timeout_multiplier": 2.0}
    spec: Any = {"type": source, **of, "agent_configs": agents, "orchestrator_config": orchestrator}
    made = api.benchmark_jobs.create(name="a job", spec=spec)
    before = wait(api, made.id)
    assert "Run again" in console.page(f"/jobs/{made.id}")
    again = wait(api, _again(console, f"/jobs/{made.id}"))
    assert again.id != made.id
    assert (again.name, again.job_spec, again.job_source) == (before.name, before.job_spec, before.job_source)

"""Jobs by the official client, in real sandboxes."""

from itertools import pairwise

import pytest
from runloop_api_client import Runloop

from tests.integration.agent.making import from_archive
from tests.integration.benchmark_job.making import (
    SOLVE,
    agent,
    first_run,
    make_scenario,
    only,
    outcomes,
    results,
    runs_of,
    start,
    wait,
    wait_for_agent,
)
from tests.integration.scenario.definitions import bash, scenario


@pytest.mark.semantic
def test_several_agents_are_set_to_several_scenarios(api: Runloop) -> None:
    first, second = make_scenario(api, "first"), make_scenario(api, "second")
    job = wait(api, start(api, [first, second], agent("oracle"), agent("nop"), n_concurrent_trials=4))
    assert job.state == "completed"
    assert results(job) == [
        [("first", "COMPLETED", 1.0), ("second", "COMPLETED", 1.0)],
        [("first", "COMPLETED", 0.0), ("second", "COMPLETED", 0.0)],
    ]
    oracle, nop = outcomes(job)
    assert (oracle.agent_name, oracle.average_score, oracle.n_completed) == ("oracle", 1.0, 2)
    assert (nop.agent_name, nop.average_score, nop.n_failed, nop.n_timeout) == ("nop", 0.0, 0, 0)
    assert [each.scenario_definition_id for each in oracle.scenario_outcomes] == [first, second]
    for position, outcome in enumerate((oracle, nop)):
        run = api.benchmark_runs.retrieve(outcome.benchmark_run_id)
        assert (run.state, run.score, run.duration_ms) == ("completed", outcome.average_score, outcome.duration_ms)
        assert run.benchmark_id is None
        runs = runs_of(api, job, position)
        assert {each.id for each in runs} == {each.scenario_run_id for each in outcome.scenario_outcomes}
        assert [each.state for each in runs] == ["completed", "completed"]
        assert all(api.devboxes.retrieve(each.devbox_id).status == "shutdown" for each in runs)
        assert all((each.duration_ms or 0) > 0 for each in outcome.scenario_outcomes)


@pytest.mark.semantic
def test_a_job_runs_the_scenarios_of_a_benchmark_as_they_are_when_it_is_made(api: Runloop) -> None:
    first, archived, second = (make_scenario(api, name) for name in ("first", "archived", "second"))
    benchmark = api.benchmarks.create(name="two of three", scenario_ids=[second, archived, first])
    api.scenarios.archive(archived)
    spec = {"type": "benchmark", "benchmark_id": benchmark.id, "agent_configs": [agent()]}
    made = api.benchmark_jobs.create(spec=spec)  # type: ignore[arg-type]
    assert made.name.startswith("two of three")
    api.benchmarks.update_scenarios(benchmark.id, scenarios_to_remove=[first])
    job = wait(api, made.id)
    assert results(job) == [[("second", "COMPLETED", 1.0), ("first", "COMPLETED", 1.0)]]
    assert job.job_source is not None
    assert job.job_source.type == "benchmark"
    assert (job.job_source.benchmark_id, job.job_source.benchmark_name) == (benchmark.id, "two of three")
    run = api.benchmark_runs.retrieve(outcomes(job)[0].benchmark_run_id)
    assert (run.benchmark_id, run.score) == (benchmark.id, 1.0)


@pytest.mark.semantic
def test_a_job_tells_what_goes_on_in_it(api: Runloop) -> None:
    made = make_scenario(api, solution=f"touch ~/began; while [ ! -e ~/go ]; do sleep 0.1; done; {SOLVE}")
    config = agent(timeout_seconds=100.5, agent_environment={"environment_variables": {"A": "b"}})
    job_id = start(api, [made], config, name="one that is watched", n_concurrent_trials=3, n_attempts=2, quiet=True)
    run = first_run(api, job_id)
    wait_for_agent(api, run)
    job = api.benchmark_jobs.retrieve(job_id)
    assert (job.state, job.benchmark_outcomes, job.name) == ("running", [], "one that is watched")
    assert job.in_progress_runs is not None
    (going_on,) = job.in_progress_runs
    assert (going_on.state, going_on.benchmark_run_id) == ("running", run.benchmark_run_id)
    assert going_on.duration_ms is not None
    assert going_on.agent_config is not None
    assert going_on.agent_config.type == "job_agent"
    assert (going_on.agent_config.name, going_on.agent_config.timeout_seconds) == ("oracle", 100.5)
    assert job.job_source is not None
    assert job.job_source.type == "scenarios"
    assert job.job_source.scenario_ids == [made]
    assert job.job_spec is not None
    assert job.job_spec.scenario_ids == [made]
    assert job.job_spec.agent_configs[0].agent_environment is not None
    assert job.job_spec.agent_configs[0].agent_environment.environment_variables == {"A": "b"}
    orchestrator = job.job_spec.orchestrator_config
    assert orchestrator is not None
    assert (orchestrator.n_concurrent_trials, orchestrator.n_attempts, orchestrator.quiet) == (3, 2, True)
    api.devboxes.execute_sync(run.devbox_id, command="touch ~/go")
    assert results(wait(api, job_id)) == [[("answer", "COMPLETED", 1.0)]]


@pytest.mark.semantic
def test_an_agent_is_given_the_problem_variables_and_secrets(api: Runloop) -> None:
    known = {secret.name: secret.id for secret in api.secrets.list(limit=5000).secrets}
    secret = known.get("JOB_SECRET") or api.secrets.create(name="JOB_SECRET", value="hidden").id
    made = make_scenario(
        api,
        solution=f'[ "$VARIABLE-$BY_ID-$BY_NAME-$PWD" = "given-hidden-hidden-/srv/work" ] && {SOLVE}',
        environment_parameters={"working_directory": "/srv/work"},
        required_environment_variables=["VARIABLE"],
        required_secret_names=["BY_ID"],
    )
    environment = {
        "environment_variables": {"VARIABLE": "given"},
        "secrets": {"BY_ID": secret, "BY_NAME": "JOB_SECRET"},
    }
    job = wait(api, start(api, [made], agent(agent_environment=environment)))
    assert results(job) == [[("answer", "COMPLETED", 1.0)]]
    (run,) = runs_of(api, job)
    assert run.secrets_provided == {"BY_ID": "JOB_SECRET", "BY_NAME": "JOB_SECRET"}
    assert run.environment_variables == {"VARIABLE": "given"}


def test_an_agent_of_ones_own_is_installed_and_run_as_its_kind_says(api: Runloop) -> None:
    says = '#!/bin/sh\necho "$(cat "$1") $2 $3 $4 $5 $FROM_KIND $TINY_LEVEL $TINY_KEY" > ~/said\n'
    installed = from_archive(api, "my tiny agent", tiny=says)
    judge = "grep -qx 'Make it right. --model a/b --deep-thought on kind given k' ~/said && echo score=1 || cat ~/said"
    made = api.scenarios.create(**scenario(bash("said", judge))).id
    environment = {"environment_variables": {"TINY_KEY": "k", "TINY_LEVEL": "given"}}
    config = agent(
        "tiny",
        agent_id=installed.id,
        model_name="a/b",
        kwargs={"deep_thought": "on"},
        agent_environment=environment,
    )
    job = wait(api, start(api, [made], config))
    assert only(job).score == 1.0, runs_of(api, job)
    (outcome,) = outcomes(job)
    assert (outcome.agent_name, outcome.api_model_name) == ("tiny", "a/b")


@pytest.mark.semantic
def test_trials_go_on_side_by_side_only_as_the_job_says(api: Runloop) -> None:
    made = [make_scenario(api, f"scenario {number}") for number in range(3)]
    job = wait(api, start(api, made, n_concurrent_trials=1))
    runs = runs_of(api, job)
    assert [run.state for run in runs] == ["completed"] * 3
    for before, after in pairwise(runs):
        assert (before.start_time_ms or 0) + (before.duration_ms or 0) <= (after.start_time_ms or 0)


@pytest.mark.semantic
def test_jobs_are_found_by_name_and_part_of_it(api: Runloop) -> None:
    made = make_scenario(api)
    jobs = [start(api, [made], agent("nop"), name=name) for name in ("Found Whole", "found in part", "other")]
    assert [job.id for job in api.benchmark_jobs.list(name="Found Whole").jobs] == jobs[:1]
    found = api.benchmark_jobs.list(search="FOUND")
    assert ([job.id for job in found.jobs], found.total_count) == ([jobs[1], jobs[0]], 2)
    assert [job.id for job in api.benchmark_jobs.list(search=jobs[2]).jobs] == jobs[2:]
    page = api.benchmark_jobs.list(limit=1, search="found", include_total_count=False)
    assert ([job.id for job in page.jobs], page.has_more, page.total_count) == ([jobs[1]], True, None)
    rest = api.benchmark_jobs.list(limit=1, search="found", starting_after=jobs[1])
    assert ([job.id for job in rest.jobs], rest.has_more) == ([jobs[0]], False)
    for job_id in jobs:
        assert only(wait(api, job_id)).score == 0.0
    listed = {job.id: job for job in api.benchmark_jobs.list(limit=3).jobs}
    assert listed == {job_id: api.benchmark_jobs.retrieve(job_id) for job_id in jobs}


@pytest.mark.semantic
def test_a_job_is_made_once_for_one_request(api: Runloop) -> None:
    made = make_scenario(api)
    spec = {"type": "scenarios", "scenario_ids": [made], "agent_configs": [agent("nop")]}
    twice = [
        api.benchmark_jobs.create(spec=spec, extra_headers={"x-request-id": "the same"}).id  # type: ignore[arg-type]
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
    assert len(runs_of(api, wait(api, twice[0]))) == 1

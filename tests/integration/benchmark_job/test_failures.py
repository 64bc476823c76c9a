"""What goes wrong in trials: by the agent's fault, by the infrastructure's, or because nobody wants them any more."""

import pytest
from runloop_api_client import Runloop

from tests.integration.benchmark_job.making import (
    SOLVE,
    agent,
    first_run,
    kill_box,
    make_scenario,
    only,
    outcomes,
    results,
    runs_of,
    start,
    wait,
    wait_for_agent,
)

STUCK = "touch ~/began; sleep 600"


@pytest.mark.semantic
def test_an_agent_that_is_out_of_time_is_stopped_and_not_scored(api: Runloop) -> None:
    made = make_scenario(api, solution=f"{SOLVE}; {STUCK}")
    job = wait(api, start(api, [made], agent(timeout_seconds=1)))
    assert job.state == "completed"
    assert results(job) == [[("answer", "TIMEOUT", None)]]
    reason = only(job).failure_reason
    assert reason is not None
    assert (reason.exception_type, "1 seconds" in reason.exception_message) == ("AgentTimeoutError", True)
    assert reason.to_dict()["fault"] == "model"
    (outcome,) = outcomes(job)
    assert (outcome.n_completed, outcome.n_failed, outcome.n_timeout, outcome.average_score) == (0, 0, 1, None)
    (run,) = runs_of(api, job)
    assert (run.state, run.scoring_contract_result, run.id) == ("timeout", None, only(job).scenario_run_id)
    assert api.devboxes.retrieve(run.devbox_id).status == "shutdown"
    assert api.benchmark_runs.retrieve(outcome.benchmark_run_id).score == 0.0


def test_what_failed_by_the_agent_is_tried_again_with_more_time(api: Runloop) -> None:
    made = make_scenario(api, solution=f"sleep 2; {SOLVE}")
    retried = start(api, [made], agent(timeout_seconds=1), n_attempts=3, timeout_multiplier=30)
    hopeless = start(api, [made], agent(timeout_seconds=0.5), n_attempts=1)
    job = wait(api, retried)
    assert results(job) == [[("answer", "COMPLETED", 1.0)]]
    runs = runs_of(api, job)
    assert [run.state for run in runs] == ["timeout", "completed"]
    assert [run.metadata["attempt"] for run in runs] == ["1", "2"]
    assert only(job).scenario_run_id == runs[1].id
    job = wait(api, hopeless)
    assert results(job) == [[("answer", "TIMEOUT", None)]]
    assert [run.state for run in runs_of(api, job)] == ["timeout", "timeout"]


@pytest.mark.semantic
def test_the_work_of_an_agent_that_reports_a_failure_is_scored_and_that_is_told(api: Runloop) -> None:
    job = wait(api, start(api, [make_scenario(api, solution=f"{SOLVE}; exit 3")], n_attempts=2))
    assert results(job) == [[("answer", "COMPLETED", 1.0)]]
    reason = only(job).failure_reason
    assert reason is not None
    assert (reason.exception_type, reason.exception_message[-2:]) == ("AgentExitError", "3.")
    assert len(runs_of(api, job)) == 1


def test_a_box_that_goes_down_under_the_agent_is_replaced_without_counting_against_it(api: Runloop) -> None:
    made = make_scenario(api, solution=f"touch ~/began; sleep 2; {SOLVE}")
    job_id = start(api, [made])
    run = first_run(api, job_id)
    wait_for_agent(api, run)
    kill_box(run.devbox_id)
    job = wait(api, job_id)
    assert job.state == "completed"
    assert results(job) == [[("answer", "COMPLETED", 1.0)]]
    runs = runs_of(api, job)
    assert [each.state for each in runs] == ["failed", "completed"]
    assert [each.metadata["attempt"] for each in runs] == ["1", "1"]
    assert [each.metadata["infrastructure_failures"] for each in runs] == ["0", "1"]
    assert api.benchmark_runs.retrieve(outcomes(job)[0].benchmark_run_id).score == 1.0


def test_a_setup_that_always_fails_is_the_scenarios_fault(api: Runloop) -> None:
    environment = {"launch_parameters": {"launch_commands": ["echo no such mirror; exit 1"]}}
    job = wait(api, start(api, [make_scenario(api, environment_parameters=environment)], n_attempts=5))
    assert (job.state, bool(job.failure_reason)) == ("failed", True)
    assert results(job) == [[("answer", "FAILED", None)]]
    reason = only(job).failure_reason
    assert reason is not None
    assert reason.exception_type == "ScenarioSetupError"
    message = reason.exception_message
    assert message.startswith("3 attempts failed before the agent could begin. ")
    assert (message.count("exit 1"), message.endswith("no such mirror")) == (1, True)
    assert reason.to_dict()["fault"] == "scenario"
    assert "setup" in (job.failure_reason or "")
    assert [run.state for run in runs_of(api, job)] == ["failed"] * 3
    assert outcomes(job)[0].n_failed == 1


@pytest.mark.semantic
def test_canceling_the_benchmark_run_of_an_agent_ends_its_trials_only(api: Runloop) -> None:
    made = [make_scenario(api, f"scenario {number}", solution=f"{STUCK}") for number in range(3)]
    job_id = start(api, made, agent("oracle"), agent("nop"), n_concurrent_trials=1)
    run = first_run(api, job_id)
    wait_for_agent(api, run)
    assert run.benchmark_run_id is not None
    api.benchmark_runs.cancel(run.benchmark_run_id)
    job = wait(api, job_id)
    assert job.state == "completed"
    canceled, completed = results(job)
    assert canceled == [(f"scenario {number}", "CANCELED", None) for number in range(3)]
    assert [state for _, state, _ in completed] == ["COMPLETED"] * 3
    assert [each.state for each in runs_of(api, job)] == ["canceled"]
    assert [each.scenario_run_id for each in outcomes(job)[0].scenario_outcomes] == [run.id, None, None]


@pytest.mark.semantic
def test_a_job_of_which_all_benchmark_runs_are_canceled_is_cancelled(api: Runloop) -> None:
    job_id = start(api, [make_scenario(api, solution=STUCK)], agent(), agent(), n_concurrent_trials=2)
    wait_for_agent(api, first_run(api, job_id))
    for run in api.benchmark_jobs.retrieve(job_id).in_progress_runs or []:
        api.benchmark_runs.cancel(run.benchmark_run_id)
    job = wait(api, job_id)
    assert job.state == "cancelled"
    assert results(job) == [[("answer", "CANCELED", None)]] * 2


@pytest.mark.semantic
def test_a_scenario_run_that_is_canceled_is_not_tried_again(api: Runloop) -> None:
    job_id = start(api, [make_scenario(api, solution=STUCK)], n_attempts=3)
    run = first_run(api, job_id)
    wait_for_agent(api, run)
    api.scenarios.runs.cancel(run.id)
    job = wait(api, job_id)
    assert (job.state, results(job)) == ("completed", [[("answer", "CANCELED", None)]])
    assert len(runs_of(api, job)) == 1


@pytest.mark.semantic
def test_a_scenario_run_of_somebody_else_keeps_the_job_waiting(api: Runloop) -> None:
    made = make_scenario(api, solution=f"touch ~/began; while [ ! -e ~/go ]; do sleep 0.1; done; {SOLVE}")
    job_id = start(api, [made])
    run = first_run(api, job_id)
    wait_for_agent(api, run)
    assert run.benchmark_run_id is not None
    other = api.scenarios.start_run(scenario_id=made, benchmark_run_id=run.benchmark_run_id)
    api.devboxes.execute_sync(run.devbox_id, command="touch ~/go")
    while api.scenarios.runs.retrieve(run.id).state != "completed":
        pass
    assert api.benchmark_jobs.retrieve(job_id).state == "running"
    api.scenarios.runs.cancel(other.id)
    assert results(wait(api, job_id)) == [[("answer", "COMPLETED", 1.0)]]

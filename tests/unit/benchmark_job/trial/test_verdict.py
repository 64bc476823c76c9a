"""How attempts end, and what follows."""

import pytest

from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.spec import MAX_AGENT_SECONDS, OrchestratorConfig
from loopyard.benchmark_job.trial import verdict
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.states import Fault, Result, Step
from loopyard.benchmark_job.trial.verdict import TrialOutcome, next_attempt
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.scenario.run.models import ScenarioRun

CONFIG = JobConfig(retries=2, retry_seconds=1.5)


def _trial(**fields: object) -> Trial:
    counted = {"number": 0, "agent_failures": 0, "infrastructure_failures": 0, "timeout_seconds": 10.0}
    place = {"job_id": "bmj_1", "position": 1, "scenario_position": 2, "scenario_id": "scn_1", "scenario_name": "s"}
    return Trial(id="trl_1", account_id="acc_1", benchmark_run_id="bmr_1", **{**counted, **place, **fields})


def _run(
    state: str, reason: str | None = None, score: float | None = None, fault: str | None = None, **fields: object
) -> ScenarioRun:
    kept: dict[str, object] = {"failure_reason": reason, "fault": fault, **fields}
    return ScenarioRun(
        id="scr_1", state=state, scoring_contract_result=None if score is None else {"score": score}, **kept
    )


def _devbox(reason: str, message: str) -> Devbox:
    ended = {"status": "failure", "failure_reason": message}
    return Devbox(id="dbx_1", status="failure", failure_reason=reason, state_transitions=[ended])


def test_a_broken_attempt_is_repeated_after_pauses_that_double() -> None:
    trial = _trial(agent_failures=1)
    for failures, pause in ((1, 1500), (2, 3000)):
        before = now_ms()
        follows = next_attempt(trial, verdict.broken("x"), CONFIG, OrchestratorConfig())
        assert follows is not None
        assert before + pause <= follows.not_before_ms <= now_ms() + pause
        assert (follows.number, follows.infrastructure_failures, follows.agent_failures) == (failures, failures, 1)
        assert (follows.step, follows.final, follows.timeout_seconds) == (Step.WAITING, False, 10.0)
        assert (follows.job_id, follows.position, follows.scenario_position) == ("bmj_1", 1, 2)
        assert follows.id != trial.id
        trial = follows
    assert next_attempt(trial, verdict.broken("x"), CONFIG, OrchestratorConfig(n_attempts=5)) is None


def test_a_failure_of_the_agent_is_repeated_as_often_as_the_job_says_each_time_with_more_time() -> None:
    orchestrator = OrchestratorConfig(n_attempts=2, timeout_multiplier=3)
    trial = _trial(infrastructure_failures=2)
    for failures, seconds in ((1, 30.0), (2, 90.0)):
        follows = next_attempt(trial, verdict.out_of_time(trial), CONFIG, orchestrator)
        assert follows is not None
        assert (follows.agent_failures, follows.infrastructure_failures) == (failures, 0)
        assert follows.timeout_seconds == seconds
        trial = follows
    assert next_attempt(trial, verdict.out_of_time(trial), CONFIG, orchestrator) is None


def test_the_time_of_an_agent_does_not_grow_without_end() -> None:
    orchestrator = OrchestratorConfig(n_attempts=1, timeout_multiplier=100)
    follows = next_attempt(_trial(timeout_seconds=80_000.0), verdict.out_of_time(_trial()), CONFIG, orchestrator)
    assert follows is not None
    assert follows.timeout_seconds == MAX_AGENT_SECONDS


@pytest.mark.parametrize(
    "what", [TrialOutcome(Result.COMPLETED, 0.0), TrialOutcome(Result.COMPLETED, 1.0), verdict.CANCELED]
)
def test_nothing_follows_what_was_scored_or_canceled(what: TrialOutcome) -> None:
    assert next_attempt(_trial(), what, CONFIG, OrchestratorConfig(n_attempts=5)) is None


@pytest.mark.parametrize(
    ("run", "devbox", "result", "fault", "exception_type"),
    [
        (_run("completed", score=0.25), None, Result.COMPLETED, None, None),
        (_run("canceled"), None, Result.CANCELED, None, "CanceledError"),
        (_run("timeout", "ttl_expired", fault="model"), None, Result.TIMEOUT, Fault.MODEL, "TimeoutException"),
        (
            _run("timeout", "keep_alive_timeout", fault="infrastructure"),
            None,
            Result.TIMEOUT,
            Fault.INFRASTRUCTURE,
            "TimeoutException",
        ),
        (_run("failed", "gone"), None, Result.FAILED, Fault.INFRASTRUCTURE, "DevboxError"),
        (
            _run("failed", "health_check_failed", fault="infrastructure"),
            _devbox("health_check_failed", "down"),
            Result.FAILED,
            Fault.INFRASTRUCTURE,
            "DevboxError",
        ),
        (
            _run("failed", "out_of_memory", fault="model"),
            _devbox("out_of_memory", "full"),
            Result.FAILED,
            Fault.MODEL,
            "OutOfMemoryError",
        ),
        (
            _run("failed", "execution_failed", fault="infrastructure", setup_failed=True),
            _devbox("execution_failed", "The launch command exited with 1: false"),
            Result.FAILED,
            Fault.SCENARIO,
            "ScenarioSetupError",
        ),
    ],
)
def test_what_ended_a_scenario_run_tells_whose_fault_it_is(
    run: ScenarioRun, devbox: Devbox | None, result: Result, fault: Fault | None, exception_type: str | None
) -> None:
    what = verdict.of_ended(run, devbox)
    assert (what.result, what.fault, what.exception_type) == (result, fault, exception_type)
    assert what.score == (0.25 if result == Result.COMPLETED else None)
    if devbox is not None:
        assert what.exception_message is not None
        assert what.exception_message.endswith(devbox.state_transitions[-1]["failure_reason"])


def test_an_exit_status_is_told_beside_the_score_but_not_in_the_place_of_a_reason() -> None:
    told = verdict.told_by_agent(TrialOutcome(Result.COMPLETED, 0.5), 3)
    assert (told.score, told.exception_type, told.fault) == (0.5, "AgentExitError", None)
    assert verdict.told_by_agent(TrialOutcome(Result.COMPLETED, 0.5), 0) == TrialOutcome(Result.COMPLETED, 0.5)
    assert verdict.told_by_agent(verdict.broken("x"), 3) == verdict.broken("x")


def test_memory_that_the_agent_used_up_is_the_reason_of_its_exit() -> None:
    told = verdict.told_by_agent(TrialOutcome(Result.COMPLETED, 0.5), 137, out_of_memory=True)
    assert (told.score, told.exception_type) == (0.5, "OutOfMemoryError")
    assert "all the memory" in (told.exception_message or "")
    fine = TrialOutcome(Result.COMPLETED, 0.5)
    assert verdict.told_by_agent(fine, 0, out_of_memory=True) == fine


def test_what_is_recorded_can_be_stored() -> None:
    trial = _trial()
    verdict.record(trial, verdict.broken("\x00" * 10_000))
    assert trial.exception_message == "\ufffd" * verdict.MAX_MESSAGE
    assert (trial.step, trial.result, trial.fault) == (Step.ENDED, Result.FAILED, Fault.INFRASTRUCTURE)


def test_each_end_is_told_in_full() -> None:
    stopped = verdict.out_of_time(_trial(timeout_seconds=7.5))
    message = "The agent took longer than 7.5 seconds and was stopped."
    assert stopped == TrialOutcome(Result.TIMEOUT, None, Fault.MODEL, "AgentTimeoutError", message)
    lost = TrialOutcome(Result.FAILED, None, Fault.INFRASTRUCTURE, "InfrastructureError", "x")
    assert verdict.broken("x") == lost
    canceled = verdict.of_ended(_run("canceled"), None)
    assert canceled.exception_message == "The scenario run was canceled."
    assert verdict.of_ended(_run("completed"), None) == TrialOutcome(Result.COMPLETED, None)
    timeout = verdict.of_ended(_run("timeout", "idle"), None)
    assert timeout.exception_message == "The time of the devbox or of the scoring was over: idle"
    assert timeout.fault == Fault.MODEL
    assert verdict.of_ended(_run("failed"), None).exception_message == ("The devbox failed: the scenario run is failed")
    told = verdict.told_by_agent(TrialOutcome(Result.COMPLETED, 0.5), 3)
    assert told.exception_message == "The agent ended with exit status 3."


def test_what_is_recorded_is_the_outcome_with_the_attempts_that_setups_failed() -> None:
    before = now_ms()
    trial = _trial()
    verdict.record(trial, TrialOutcome(Result.COMPLETED, 0.25, None, "AgentExitError"))
    assert (trial.score, trial.exception_type, trial.exception_message) == (0.25, "AgentExitError", None)
    assert before <= (trial.end_time_ms or 0) <= now_ms()
    failed = TrialOutcome(Result.FAILED, None, Fault.SCENARIO, "ScenarioSetupError", "exit 1")
    for failures, message in ((0, "exit 1"), (1, "2 attempts failed before the agent could begin. exit 1")):
        trial = _trial(infrastructure_failures=failures)
        verdict.record(trial, failed)
        assert trial.exception_message == message
    trial = _trial(infrastructure_failures=1)
    verdict.record(trial, verdict.broken("x"))
    assert trial.exception_message == "x"


def test_by_default_a_failure_of_the_agent_is_not_repeated_and_its_time_does_not_grow() -> None:
    trial = _trial(timeout_seconds=10.0)
    assert next_attempt(trial, verdict.out_of_time(trial), CONFIG, OrchestratorConfig()) is None
    before = now_ms()
    follows = next_attempt(trial, verdict.out_of_time(trial), CONFIG, OrchestratorConfig(n_attempts=1))
    assert follows is not None
    assert (follows.timeout_seconds, follows.id[:4]) == (10.0, "trl_")
    assert before <= follows.create_time_ms <= now_ms()
    assert before <= follows.not_before_ms <= now_ms()

"""How an attempt ended, and whether another one follows."""

from dataclasses import dataclass, replace
from typing import Any

from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.spec import MAX_AGENT_SECONDS, OrchestratorConfig
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.states import Fault, Result, Step
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.ids import new_id
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.states import State

MAX_MESSAGE = 4096
_LONGEST_PAUSE_MS = 600_000
_USED_UP = {"out_of_memory": "OutOfMemoryError", "out_of_disk": "OutOfDiskError"}


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """How an attempt ended. `fault` tells whose fault it is that it has no score."""

    result: Result
    score: float | None = None
    fault: Fault | None = None
    exception_type: str | None = None
    exception_message: str | None = None


CANCELED = TrialOutcome(Result.CANCELED)


def broken(message: str, exception_type: str = "InfrastructureError") -> TrialOutcome:
    """The infrastructure failed, so that nothing is known of the agent."""
    return TrialOutcome(Result.FAILED, None, Fault.INFRASTRUCTURE, exception_type, message)


def out_of_time(trial: Trial) -> TrialOutcome:
    """The agent was stopped."""
    message = f"The agent took longer than {trial.timeout_seconds:g} seconds and was stopped."
    return TrialOutcome(Result.TIMEOUT, None, Fault.MODEL, "AgentTimeoutError", message)


def scored(run: ScenarioRun) -> TrialOutcome:
    """The agent's work was scored."""
    result = run.scoring_contract_result
    return TrialOutcome(Result.COMPLETED, None if result is None else float(result["score"]))


def of_ended(run: ScenarioRun, devbox: Devbox | None) -> TrialOutcome:
    """Outcome of an attempt whose scenario run was ended by something else than the attempt itself."""
    reason = run.failure_reason or f"the scenario run is {run.state}"
    match run.state:
        case State.COMPLETED:
            return scored(run)
        case State.CANCELED:
            return TrialOutcome(Result.CANCELED, None, None, "CanceledError", "The scenario run was canceled.")
        case State.TIMEOUT:
            message = f"The time of the devbox or of the scoring was over: {reason}"
            return TrialOutcome(Result.TIMEOUT, None, Fault(run.fault or Fault.MODEL), "TimeoutException", message)
        case _ if run.setup_failed:
            message = f"The setup of the scenario failed. {_told_by(devbox) or reason}"
            return TrialOutcome(Result.FAILED, None, Fault.SCENARIO, "ScenarioSetupError", message)
        case _:
            kind = _USED_UP.get((devbox.failure_reason if devbox is not None else None) or "", "DevboxError")
            message = f"The devbox failed: {_told_by(devbox) or reason}"
            return TrialOutcome(Result.FAILED, None, Fault(run.fault or Fault.INFRASTRUCTURE), kind, message)


def _told_by(devbox: Devbox | None) -> str | None:
    """Why a devbox failed, for people to read."""
    if devbox is None or not devbox.state_transitions:
        return None
    return devbox.state_transitions[-1].get("failure_reason")


def told_by_agent(verdict: TrialOutcome, exit_status: int | None, *, out_of_memory: bool = False) -> TrialOutcome:
    """The verdict, saying also that the agent itself reported a failure. Its work counts all the same."""
    if verdict.exception_type is not None or exit_status in (None, 0):
        return verdict
    if out_of_memory:
        message = f"The agent used all the memory of its devbox, and ended with exit status {exit_status}."
        return replace(verdict, exception_type=_USED_UP["out_of_memory"], exception_message=message)
    message = f"The agent ended with exit status {exit_status}."
    return replace(verdict, exception_type="AgentExitError", exception_message=message)


def record(trial: Trial, verdict: TrialOutcome) -> None:
    """End an attempt."""
    trial.step = Step.ENDED
    trial.result = verdict.result
    trial.fault = verdict.fault
    trial.score = verdict.score
    trial.exception_type = verdict.exception_type
    message = verdict.exception_message
    if verdict.fault == Fault.SCENARIO and trial.infrastructure_failures > 0:
        message = f"{trial.infrastructure_failures + 1} attempts failed before the agent could begin. {message}"
    trial.exception_message = None if message is None else message[:MAX_MESSAGE].replace("\x00", "\ufffd")
    trial.end_time_ms = now_ms()


def next_attempt(
    trial: Trial, verdict: TrialOutcome, config: JobConfig, orchestrator: OrchestratorConfig
) -> Trial | None:
    """The attempt that follows an ended one; None if that one counts.

    What the infrastructure or the scenario's own setup broke is tried again after a pause that doubles each time. That
    is not counted as an attempt of the agent's. What failed by the agent's own fault is tried again as often as the job
    says.
    """
    if verdict.fault in (Fault.INFRASTRUCTURE, Fault.SCENARIO) and trial.infrastructure_failures < config.retries:
        pause = config.retry_seconds * 1000 * 2**trial.infrastructure_failures
        return _again(
            trial,
            not_before_ms=now_ms() + min(int(pause), _LONGEST_PAUSE_MS),
            infrastructure_failures=trial.infrastructure_failures + 1,
        )
    if verdict.fault == Fault.MODEL and trial.agent_failures < (orchestrator.n_attempts or 0):
        multiplier = 1.0 if orchestrator.timeout_multiplier is None else orchestrator.timeout_multiplier
        return _again(
            trial,
            agent_failures=trial.agent_failures + 1,
            infrastructure_failures=0,
            timeout_seconds=min(trial.timeout_seconds * multiplier, MAX_AGENT_SECONDS),
        )
    return None


def _again(trial: Trial, **changed: Any) -> Trial:
    now = now_ms()
    kept = {
        name: getattr(trial, name)
        for name in (
            "account_id",
            "job_id",
            "benchmark_run_id",
            "position",
            "scenario_position",
            "scenario_id",
            "scenario_name",
            "timeout_seconds",
            "agent_failures",
            "infrastructure_failures",
        )
    }
    fresh = {"step": Step.WAITING, "final": False, "not_before_ms": now, "create_time_ms": now}
    return Trial(id=new_id("trl"), number=trial.number + 1, **{**kept, **fresh, **changed})

"""Outcomes of Harbor's trials, read from the files of its job."""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from loopyard.benchmark_job.harbor.allowed import Agent
from loopyard.benchmark_job.schemas import BenchmarkOutcomeView, FailureReasonView, ScenarioOutcomeView

RESULT, TRIAL_LOG = "result.json", "trial.log"
_REWARD = "reward"
_MAX_MESSAGE = 4096
_STARTED = re.compile(r"Started devbox (dbx_[0-9a-z]+)")


class Table(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Failure(Table):
    exception_type: str
    exception_message: str = ""


class _Verdict(Table):
    rewards: dict[str, float] | None = None


class _AgentOf(Table):
    name: str | None = None
    model_name: str | None = None
    kwargs: dict[str, Any] = {}
    override_timeout_sec: float | None = None


class _Config(Table):
    agent: _AgentOf


class TrialResult(Table):
    """A trial's `result.json`."""

    task_name: str
    trial_name: str
    config: _Config
    verifier_result: _Verdict | None = None
    exception_info: _Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def of(self, agent: Agent) -> bool:
        """True if the trial was this agent's."""
        mine = self.config.agent
        same = (mine.name, mine.model_name, mine.kwargs) == (agent.name, agent.model_name, agent.kwargs)
        return same and mine.override_timeout_sec == agent.override_timeout_sec


def finished(folder: Path) -> bool:
    """True if Harbor has reported the end of the job."""
    try:
        return _Job.model_validate_json((folder / RESULT).read_bytes()).finished_at is not None
    except (OSError, ValidationError):
        return False


class _Job(Table):
    finished_at: datetime | None = None


def trials(folder: Path) -> list[TrialResult]:
    """The trials that are over, by their names. What is being written at this moment is not among them."""
    found: list[TrialResult] = []
    for path in sorted(folder.glob(f"*/{RESULT}")):
        try:
            found.append(TrialResult.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return [trial for trial in found if trial.finished_at is not None]


def cut_off(folder: Path) -> list[str]:
    """The devboxes of trials that have begun and are not over."""
    names = {trial.trial_name for trial in trials(folder)}
    found: list[str] = []
    for log in folder.glob(f"*/{TRIAL_LOG}"):
        if log.parent.name not in names:
            found += _STARTED.findall(log.read_text(errors="replace"))
    return found


def outcome(agent: Agent, run_id: str, found: Sequence[TrialResult], duration_ms: int | None) -> BenchmarkOutcomeView:
    """Outcome of one agent. Each of several attempts at a task is an outcome of its own."""
    outcomes = [_scenario(trial) for trial in found if trial.of(agent)]
    states = [one.state for one in outcomes]
    scores = [one.score for one in outcomes if one.score is not None]
    return BenchmarkOutcomeView(
        agent_name=agent.name,
        benchmark_run_id=run_id,
        n_completed=states.count("COMPLETED"),
        n_failed=states.count("FAILED"),
        n_timeout=states.count("TIMEOUT"),
        scenario_outcomes=outcomes,
        average_score=math.fsum(scores) / len(scores) if scores else None,
        duration_ms=duration_ms,
        model_name=agent.model_name,
    )


def _scenario(trial: TrialResult) -> ScenarioOutcomeView:
    failure = trial.exception_info
    reason = None
    if failure is not None:
        message = failure.exception_message[:_MAX_MESSAGE].replace("\x00", "\ufffd")
        reason = FailureReasonView(exception_type=failure.exception_type, exception_message=message)
    score = _reward(trial)
    if score is not None and not 0 <= score <= 1:
        reason = FailureReasonView(
            exception_type="RewardOutOfRange", exception_message=f"The reward {score:g} is not from 0 to 1."
        )
        score = None
    duration = None
    if trial.started_at is not None and trial.finished_at is not None:
        duration = max(0, round((trial.finished_at - trial.started_at).total_seconds() * 1000))
    return ScenarioOutcomeView(
        scenario_definition_id=trial.task_name,
        scenario_name=trial.task_name,
        state="COMPLETED" if score is not None else _state(failure),
        duration_ms=duration,
        failure_reason=reason,
        score=score,
    )


def _reward(trial: TrialResult) -> float | None:
    """The reward by this name, or the only one."""
    rewards = (trial.verifier_result.rewards if trial.verifier_result is not None else None) or {}
    values = [rewards[_REWARD]] if _REWARD in rewards else list(rewards.values())
    return values[0] if len(values) == 1 and math.isfinite(values[0]) else None


def _state(failure: _Failure | None) -> Any:
    kind = "" if failure is None else failure.exception_type
    if kind == "CancelledError":
        return "CANCELED"
    return "TIMEOUT" if "Timeout" in kind else "FAILED"

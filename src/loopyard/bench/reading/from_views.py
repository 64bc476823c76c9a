"""Attempts made of what the API tells of scenario runs and jobs, whoever asked it: the one place where that is
decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from loopyard.bench.model_usage import ModelUsage
from loopyard.bench.reading import cost
from loopyard.bench.reading.attempt import Attempt, AttemptEnd, ScorerScore

UNNAMED = "agent"
"""Name of an agent whose name neither a job nor a run's metadata tells."""

_MODEL = "model"
"""At fault for a run that is `failed` or `timeout`, as its manifest has it; else it is the infrastructure."""

_ENDINGS = {
    "completed": AttemptEnd.SCORED,
    "scored": AttemptEnd.SCORED,
    "timeout": AttemptEnd.TIMEOUT,
    "failed": AttemptEnd.INFRASTRUCTURE_FAILED,
    "canceled": AttemptEnd.CANCELED,
    "running": AttemptEnd.UNFINISHED,
    "scoring": AttemptEnd.UNFINISHED,
}
_OUTCOMES = {
    "COMPLETED": AttemptEnd.SCORED,
    "FAILED": AttemptEnd.INFRASTRUCTURE_FAILED,
    "TIMEOUT": AttemptEnd.TIMEOUT,
    "CANCELED": AttemptEnd.CANCELED,
}


@dataclass(frozen=True, slots=True)
class RunTold:
    """A scenario run as the API tells it. `score` is None where it was not scored; `fault` and `reason` matter only
    where `needs_fault` says so."""

    id: str
    state: str
    metadata: Mapping[str, str]
    duration_ms: int | None
    score: float | None
    scorers: list[ScorerScore]
    usage: ModelUsage | None
    fault: str | None = None
    reason: str | None = None


class FailureTold(Protocol):
    """Why a scenario of a job failed."""

    @property
    def exception_type(self) -> str: ...
    @property
    def exception_message(self) -> str: ...


class OutcomeTold(Protocol):
    """Outcome of a scenario in a job."""

    @property
    def scenario_name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def duration_ms(self) -> int | None: ...
    @property
    def failure_reason(self) -> FailureTold | None: ...
    @property
    def scenario_run_id(self) -> str | None: ...
    @property
    def score(self) -> float | None: ...


def needs_fault(state: str) -> bool:
    """True if it matters whose fault it is that a run is in this state."""
    return _ENDINGS[state] in (AttemptEnd.TIMEOUT, AttemptEnd.INFRASTRUCTURE_FAILED)


def of_run(run: RunTold, *, source: str, agent: str | None, scenario: str) -> Attempt:
    """The attempt that a scenario run is. Without `agent`, its metadata tell the agent's name."""
    ending = _ENDINGS[run.state]
    if needs_fault(run.state):
        if run.fault != _MODEL:
            ending = AttemptEnd.INFRASTRUCTURE_FAILED
        elif ending == AttemptEnd.INFRASTRUCTURE_FAILED:
            ending = AttemptEnd.AGENT_FAILED
    if ending == AttemptEnd.SCORED and run.score is None:
        ending = AttemptEnd.INFRASTRUCTURE_FAILED
    return Attempt(
        source=source,
        agent=agent or run.metadata.get("agent") or UNNAMED,
        scenario=scenario,
        ending=ending,
        score=run.score if ending in (AttemptEnd.SCORED, AttemptEnd.TIMEOUT) else None,
        seconds=run.duration_ms / 1000 if run.duration_ms is not None else None,
        cost_usd=cost.of_attempt(run.metadata, run.usage, None),
        model_usage=run.usage,
        reason=run.reason if needs_fault(run.state) else None,
        run_id=run.id,
        scorers=run.scorers,
    )


def of_outcomes(source: str, agent: str, outcomes: Iterable[OutcomeTold], attempts: Sequence[Attempt]) -> list[Attempt]:
    """Outcomes of a job's agent that none of the attempts is: Harbor's, and scenarios that failed before a run
    was made."""
    known = {attempt.run_id for attempt in attempts if attempt.run_id}
    return [
        _of_outcome(source, agent, one)
        for one in outcomes
        if one.scenario_run_id is None or one.scenario_run_id not in known
    ]


def agents_of(
    over: Iterable[tuple[str, str, str | None]], going_on: Iterable[tuple[str, str | None, str | None]]
) -> dict[str, str]:
    """Names of a job's agents, by benchmark run. Each is told by its benchmark run, its name (None where the
    job does not tell it) and its model; those that are over go first."""
    agents = {run_id: label(name, model) for run_id, name, model in over}
    for run_id, name, model in going_on:
        agents.setdefault(run_id, UNNAMED if name is None else label(name, model))
    return agents


def label(agent: str, model: str | None) -> str:
    """An agent's name with its model's."""
    return f"{agent} ({model})" if model else agent


def _of_outcome(source: str, agent: str, one: OutcomeTold) -> Attempt:
    ending = _OUTCOMES[one.state]
    if ending == AttemptEnd.SCORED and one.score is None:
        ending = AttemptEnd.INFRASTRUCTURE_FAILED
    reason = one.failure_reason
    if one.state == "FAILED" and getattr(reason, "fault", None) == _MODEL:
        ending = AttemptEnd.AGENT_FAILED
    return Attempt(
        source=source,
        agent=agent,
        scenario=one.scenario_name,
        ending=ending,
        score=one.score if ending == AttemptEnd.SCORED else None,
        seconds=one.duration_ms / 1000 if one.duration_ms is not None else None,
        reason=f"{reason.exception_type}: {reason.exception_message}" if reason is not None else None,
        run_id=one.scenario_run_id,
    )

"""Results of a bench, and its exit status."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from loopyard.bench.model_usage import ModelUsage

SCORE_TOLERANCE = 1e-6


class State(StrEnum):
    """How an attempt ended. Only `SCORED` says anything about the agent. `BROKEN_SCENARIO` is that of every attempt at
    a scenario whose box could be set up in none of them."""

    SCORED = "scored"
    INFRASTRUCTURE_FAILED = "infrastructure failed"
    BROKEN_SCENARIO = "broken scenario"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """Result of one scoring function, in the wire's words."""

    name: str
    score: float
    state: str
    output: str


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How the agent's script ended. `output` is the end of what it printed. `out_of_memory` tells that the kernel
    killed something in the box for its memory limit meanwhile."""

    exit_status: int
    timed_out: bool
    output: str
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class PutBack:
    """Paths of the box's system that were restored before scoring: the first of them, and how many there are."""

    paths: list[str]
    count: int


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one agent's attempt at one scenario. `seconds` is all of it: box, agent and scoring."""

    scenario: str
    agent: str
    state: State
    seconds: float
    score: float | None = None
    expected_score: float | None = None
    reason: str | None = None
    run_id: str | None = None
    devbox_id: str | None = None
    agent_result: AgentResult | None = None
    functions: list[FunctionResult] = field(default_factory=list[FunctionResult])
    model_usage: ModelUsage | None = None
    """None where no call of a model went through a gateway."""
    setup_failure: str | None = None
    """Output of the scenario's own setup of the box, such as a launch command, when it failed; None if it did not."""
    put_back: PutBack | None = None
    """Of the reference output only: what it changed that scorers do not see."""

    @property
    def faults(self) -> list[str]:
        """Why the scenario is broken: one line each, none if it is sound or if nothing is known of it."""
        if self.state == State.BROKEN_SCENARIO:
            return ["its box could not be set up, in any attempt"]
        if self.state != State.SCORED or self.expected_score is None or self.score is None:
            return []
        found: list[str] = []
        if not math.isclose(self.score, self.expected_score, abs_tol=SCORE_TOLERANCE):
            found.append(f"{self.agent} scored {self.score:g}, not {self.expected_score:.1f}")
        if self.agent_result is None or self.expected_score > 0:  # who does harm to the box may break a scorer
            errors = [result.name for result in self.functions if result.state == "error"]
            found += [f"the scorer {name} ended in an error" for name in errors]
        return found

    @property
    def broken(self) -> bool:
        return bool(self.faults)


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """Results of one agent together. `mean_score` is over the scored attempts; None without any."""

    agent: str
    mean_score: float | None
    scored: int
    infrastructure_failed: int
    canceled: int
    broken: int


def with_broken_scenarios(results: Sequence[Result]) -> list[Result]:
    """The results, where those of a scenario whose setup failed in all attempts say that the scenario is broken: that
    is no failure of the infrastructure, which would be gone at another time. Attempts that were canceled do not
    count."""
    tried: dict[str, list[Result]] = {}
    for result in results:
        if result.state != State.CANCELED:
            tried.setdefault(result.scenario, []).append(result)
    broken = {name for name, own in tried.items() if all(result.setup_failure is not None for result in own)}
    return [
        replace(result, state=State.BROKEN_SCENARIO)
        if result.scenario in broken and result.state == State.INFRASTRUCTURE_FAILED
        else result
        for result in results
    ]


def summarize(results: Sequence[Result]) -> list[AgentSummary]:
    """A summary for each agent, in the order in which they first appear."""
    summaries: list[AgentSummary] = []
    for agent in dict.fromkeys(result.agent for result in results):
        own = [result for result in results if result.agent == agent]
        scores = [result.score for result in own if result.state == State.SCORED and result.score is not None]
        summaries.append(
            AgentSummary(
                agent,
                math.fsum(scores) / len(scores) if scores else None,
                scored=len(scores),
                infrastructure_failed=sum(result.state == State.INFRASTRUCTURE_FAILED for result in own),
                canceled=sum(result.state == State.CANCELED for result in own),
                broken=sum(result.broken for result in own),
            )
        )
    return summaries


def exit_status(results: Sequence[Result]) -> int:
    """0 if every attempt was scored and no scenario is broken, else 1. What an agent of the user's own scores does not
    matter: a low score is a result, not a failure."""
    return int(any(result.state != State.SCORED or result.broken for result in results))

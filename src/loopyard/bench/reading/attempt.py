"""Attempt of one agent at one scenario, as results of any source describe it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from loopyard.bench.model_usage import ModelUsage


class Unreadable(Exception):
    """Results cannot be read; the message says which and why."""


class AttemptEnd(StrEnum):
    """How an attempt ended. The first three say something about the agent."""

    SCORED = "scored"
    TIMEOUT = "timeout"
    """The box's time, or the scorers', ran out. It counts as the score that it has, else as 0."""
    AGENT_FAILED = "agent failed"
    """The agent used up its box's memory or disk, say. It counts as 0."""
    INFRASTRUCTURE_FAILED = "infrastructure failed"
    BROKEN_SCENARIO = "broken scenario"
    CANCELED = "canceled"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class ScorerScore:
    """Result of one scoring function: a score from 0.0 to 1.0; `failed` if it ended in an error."""

    name: str
    score: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """Attempt of one agent. `source` is the run or file that records it. `seconds` is from the start of the box to the
    score, `cost_usd` is None where no source has it, `model_usage` where no call went through a gateway."""

    source: str
    agent: str
    scenario: str
    ending: AttemptEnd
    score: float | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    model_usage: ModelUsage | None = None
    reason: str | None = None
    run_id: str | None = None
    scorers: list[ScorerScore] = field(default_factory=list[ScorerScore])

    @property
    def counted(self) -> float | None:
        """The score that counts for the agent; None where the attempt says nothing about it."""
        if self.ending in (AttemptEnd.TIMEOUT, AttemptEnd.AGENT_FAILED):
            return self.score or 0.0
        return self.score if self.ending == AttemptEnd.SCORED else None


def by_scenario(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """The attempts of each scenario, in the order in which the scenarios first appear."""
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.scenario, []).append(attempt)
    return found

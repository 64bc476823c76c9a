"""Score of a benchmark run, computed from its scenario runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from loopyard.scenario.run.states import State


@dataclass(frozen=True, slots=True)
class CountedRun:
    """A scenario run that is over. `score` is in 0..1, None if it was never scored."""

    scenario_id: str
    state: str
    score: float | None


def counted(attempts: Sequence[CountedRun]) -> list[CountedRun]:
    """Scenario runs that count, of all in the order in which they were started: all but failures of the infrastructure
    after which the same scenario was run again."""
    last = {attempt.scenario_id: attempt for attempt in attempts}
    return [attempt for attempt in attempts if attempt.state != State.FAILED or attempt is last[attempt.scenario_id]]


def mean(attempts: Sequence[CountedRun]) -> float | None:
    """The score of a benchmark run: the sum of the scores of its completed scenario runs, divided by the number of
    scenario runs that count, so that one without a score counts as 0. None if there are none, or if the infrastructure
    failed in all of them."""
    if all_failed(attempts):
        return None
    those = counted(attempts)
    scores = [attempt.score for attempt in those if attempt.state == State.COMPLETED and attempt.score is not None]
    return fsum(scores) / len(those) if those else None


def all_failed(attempts: Sequence[CountedRun]) -> bool:
    """True if there are scenario runs, and the infrastructure failed in each."""
    return bool(attempts) and all(attempt.state == State.FAILED for attempt in attempts)

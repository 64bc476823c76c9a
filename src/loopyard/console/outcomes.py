"""How a run or an attempt stands or ended: a colour, a symbol and words, everywhere the same."""

from dataclasses import dataclass
from typing import Literal

from loopyard.bench.reading.summary import TOLERANCE
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.states import Result, Step
from loopyard.scenario.run.states import FINAL, State

Kind = Literal["pass", "part", "zero", "model", "infra", "canceled", "busy", "wait", "none"]

MODEL = "model"
SCENARIO = "scenario"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` names the colour; `symbol` says the same without one."""

    kind: Kind
    symbol: str
    words: str


WAITING = Outcome("wait", "·", "waiting")
STARTING = Outcome("busy", "○", "starting")
WORKING = Outcome("busy", "▶", "working")
SCORING = Outcome("busy", "⚖", "scoring")
CANCELED = Outcome("canceled", "⊘", "canceled")
BROKEN = Outcome("infra", "⚠", "scenario broken")
UNSCORED = Outcome("none", "□", "completed without a score")

LEGEND = (
    Outcome("pass", "✓", "score 1"),
    Outcome("part", "◐", "score between 0 and 1"),
    Outcome("zero", "✗", "score 0"),
    Outcome("model", "!", "failed by the agent's own fault, or out of time ◷"),
    Outcome("infra", "⚠", "infrastructure or scenario failed: says nothing about the agent"),
    CANCELED,
    Outcome("busy", "▶", "starting ○, working ▶ or scoring ⚖"),
    WAITING,
)


def scored(score: float | None) -> Outcome:
    """The outcome that a score is."""
    if score is None:
        return UNSCORED
    if score >= 1 - TOLERANCE:
        return Outcome("pass", "✓", "score 1")
    if score <= TOLERANCE:
        return Outcome("zero", "✗", "score 0")
    return Outcome("part", "◐", f"score {score:.3g}")


def of_run(state: str, score: float | None, fault: str | None) -> Outcome:
    """The outcome of a scenario run. `fault` is whose fault it is that it failed, where that is known."""
    if state in (State.COMPLETED, State.SCORED):
        return scored(score)
    if state == State.CANCELED:
        return CANCELED
    if state not in FINAL:
        return SCORING if state == State.SCORING else WORKING
    if state == State.TIMEOUT:
        return _timeout(fault)
    return _failed(fault)


def of_trial(trial: Trial) -> Outcome:
    """The outcome of an attempt in a job."""
    match trial.step:
        case Step.WAITING:
            return WAITING
        case Step.STARTING:
            return STARTING
        case Step.WORKING:
            return WORKING
        case Step.SCORING:
            return SCORING
        case _:
            return of_result(trial.result, trial.score, trial.fault)


def of_result(result: str | None, score: float | None, fault: str | None) -> Outcome:
    """The outcome of an attempt that has ended."""
    match result:
        case Result.COMPLETED:
            return scored(score)
        case Result.TIMEOUT:
            return _timeout(fault)
        case Result.FAILED:
            return _failed(fault)
        case _:
            return CANCELED


def _timeout(fault: str | None) -> Outcome:
    if fault == MODEL:
        return Outcome("model", "◷", "out of time")
    return Outcome("infra", "⚠", "infrastructure out of time")


def _failed(fault: str | None) -> Outcome:
    if fault == MODEL:
        return Outcome("model", "!", "the agent failed")
    if fault == SCENARIO:
        return BROKEN
    return Outcome("infra", "⚠", "infrastructure failed")

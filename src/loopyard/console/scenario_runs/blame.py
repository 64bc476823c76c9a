"""Whose fault it is that a run has no score, or a low one, told so that one knows where to look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loopyard.console.outcomes import MODEL
from loopyard.console.scenario_runs.work import ScorerShown
from loopyard.devbox.models import Devbox
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.states import FINAL, State

Side = Literal["model", "infrastructure", "scenario"]


@dataclass(frozen=True, slots=True)
class Blame:
    """`side` is None where nobody is to blame. `reason` is what was written down, `told` what the devbox said."""

    side: Side | None
    words: str
    reason: str | None = None
    told: str | None = None


def blame_of(run: ScenarioRun, devbox: Devbox | None, scorers: Sequence[ScorerShown]) -> Blame | None:
    """Whose fault it is; None while the run goes on, and for one that is scored in full."""
    if run.state not in FINAL and run.state != State.SCORED:
        return None
    told = _told_by(devbox)
    if run.state == State.CANCELED:
        return Blame(None, "Somebody canceled the run, or shut its devbox down.", run.failure_reason, told)
    if run.state in (State.FAILED, State.TIMEOUT):
        return _of_failure(run, told)
    if errors := [one.function.name for one in scorers if one.state == "error"]:
        named = ", ".join(errors)
        words = f"The scorer {named} ended in an error" if len(errors) == 1 else f"The scorers {named} ended in errors"
        return Blame("scenario", f"{words}: the scenario may be broken, unless the agent broke what they need.")
    if run.scoring_contract_result is None:
        return Blame(None, "The run was completed without being scored.")
    lost = [one.function.name for one in scorers if one.score is not None and one.score < 1]
    if lost:
        return Blame("model", f"The work was scored, and lost points at: {', '.join(lost)}.")
    return None


def _of_failure(run: ScenarioRun, told: str | None) -> Blame:
    if run.setup_failed:
        words = "What the scenario does in its devbox before the agent's turn failed: the scenario is likely broken."
        return Blame("scenario", words, run.failure_reason, told)
    if run.fault == MODEL:
        words = "The agent used up the time, memory or disk that it had."
        return Blame("model", words, run.failure_reason, told)
    words = "The infrastructure failed. That says nothing about the agent, and counts in no score."
    return Blame("infrastructure", words, run.failure_reason, told)


def _told_by(devbox: Devbox | None) -> str | None:
    """Why the devbox failed, for people to read."""
    if devbox is None or not devbox.state_transitions:
        return None
    return devbox.state_transitions[-1].get("failure_reason")

"""The life of a scenario run, as one explicit state machine."""

from enum import StrEnum
from typing import Literal

from loopyard.devbox.lifecycle.states import ShutdownReason


class State(StrEnum):
    RUNNING = "running"
    SCORING = "scoring"
    SCORED = "scored"
    COMPLETED = "completed"
    CANCELED = "canceled"
    TIMEOUT = "timeout"
    FAILED = "failed"


StateName = Literal["running", "scoring", "scored", "completed", "canceled", "timeout", "failed"]

FINAL = frozenset({State.COMPLETED, State.CANCELED, State.TIMEOUT, State.FAILED})

_NEXT: dict[State, set[State]] = {
    State.RUNNING: {State.SCORING, State.COMPLETED, State.CANCELED, State.TIMEOUT, State.FAILED},
    State.SCORING: {State.SCORED, State.CANCELED, State.TIMEOUT, State.FAILED},
    State.SCORED: {State.COMPLETED, State.CANCELED},
}


def can_become(present: str, state: State) -> bool:
    return state in _NEXT.get(State(present), set())


def state_after_end(present: str, reason: ShutdownReason | str | None) -> State:
    """State of an unfinished run when its devbox ends. `reason` is the shutdown reason, None for a failure.

    A scored run has all it needs of its devbox, so it is complete, whatever ended the devbox.
    """
    if present == State.SCORED:
        return State.COMPLETED
    if reason is None:
        return State.FAILED
    return State.CANCELED if reason == "api_shutdown" else State.TIMEOUT

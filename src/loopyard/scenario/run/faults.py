"""Whose fault it is that a run ended without being completed."""

from typing import Literal

from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.models import Devbox
from loopyard.scenario.run.states import State

Fault = Literal["model", "infrastructure"]

_USED_UP = frozenset({"out_of_memory", "out_of_disk"})
"""Ends that an agent brings on its devbox by itself."""


def of_end(state: State, devbox: Devbox) -> Fault | None:
    """The fault behind `state`, which a run has come to because its devbox ended.

    A devbox that never ran is never the model's fault. One that ran out of time, memory or disk under it is.
    """
    if state not in (State.TIMEOUT, State.FAILED):
        return None
    if not _has_run(devbox):
        return "infrastructure"
    return "model" if state == State.TIMEOUT or devbox.failure_reason in _USED_UP else "infrastructure"


def _has_run(devbox: Devbox) -> bool:
    return any(entry["status"] == Status.RUNNING for entry in devbox.state_transitions)

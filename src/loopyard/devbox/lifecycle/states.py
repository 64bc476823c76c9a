"""The life of a devbox, as one explicit state machine."""

from typing import Any, Literal

from loopyard.devbox.lifecycle.statuses import Status
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import WrongState

StatusName = Literal[
    "scheduled",
    "queued",
    "provisioning",
    "initializing",
    "running",
    "suspending",
    "suspended",
    "resuming",
    "failure",
    "shutdown",
]

FailureReason = Literal["out_of_memory", "out_of_disk", "execution_failed", "health_check_failed"]
ShutdownReason = Literal["api_shutdown", "keep_alive_timeout", "entrypoint_exit", "idle", "ttl_expired"]

STARTING = frozenset({Status.QUEUED, Status.PROVISIONING, Status.INITIALIZING})
COMING_UP = STARTING | {Status.RESUMING}
"""The statuses in which waiting leads to a devbox that can be used."""
PENDING = COMING_UP | {Status.SUSPENDING}
"""The statuses that are intents: whoever reads one carries it out, again after a crash."""
FINAL = frozenset({Status.FAILURE, Status.SHUTDOWN})

_END = {Status.FAILURE, Status.SHUTDOWN}
_NEXT: dict[Status, set[Status]] = {
    Status.QUEUED: {Status.PROVISIONING} | _END,
    Status.PROVISIONING: {Status.INITIALIZING} | _END,
    Status.INITIALIZING: {Status.RUNNING} | _END,
    Status.RUNNING: {Status.SUSPENDING} | _END,
    Status.SUSPENDING: {Status.SUSPENDED} | _END,
    Status.SUSPENDED: {Status.RESUMING} | _END,
    Status.RESUMING: {Status.RUNNING, Status.SUSPENDED} | _END,
}


def can_become(devbox: Devbox, status: Status) -> bool:
    """True if the devbox's present status leads to this one."""
    return status in _NEXT.get(devbox.status, set())


def move(devbox: Devbox, status: Status, *, message: str | None = None, in_setup: bool = False) -> None:
    """Move a devbox on and record when; `message` says why it failed, `in_setup` that its own setup did.

    Raises:
        WrongState: Its present status does not lead there.
    """
    if not can_become(devbox, status):
        raise WrongState(f"Devbox {devbox.id} is {devbox.status} and cannot become {status}.")
    now = now_ms()
    devbox.status = status
    devbox.state_transitions = [*devbox.state_transitions, transition(status, now, message, in_setup=in_setup)]
    if status in FINAL:
        devbox.end_time_ms = now


def transition(status: Status, time_ms: int, message: str | None = None, *, in_setup: bool = False) -> dict[str, Any]:
    """Entry of a devbox's `state_transitions`. `in_setup` is not shown on the wire."""
    entry: dict[str, Any] = {"status": str(status), "transition_time_ms": time_ms}
    if message is not None:
        entry["failure_reason"] = message
    if in_setup:
        entry["in_setup"] = True
    return entry


def has_failed_in_setup(devbox: Devbox) -> bool:
    """True if a devbox failed before it ran, by a mount or launch command that was asked for."""
    return bool(devbox.state_transitions) and devbox.state_transitions[-1].get("in_setup", False)

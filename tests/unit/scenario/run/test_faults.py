"""Whose fault it is that a run ended."""

import pytest

from loopyard.devbox.lifecycle.states import Status, transition
from loopyard.devbox.models import Devbox
from loopyard.scenario.run.faults import of_end
from loopyard.scenario.run.states import State


def _devbox(*statuses: Status, reason: str | None = None) -> Devbox:
    return Devbox(state_transitions=[transition(status, 1) for status in statuses], failure_reason=reason)


@pytest.mark.parametrize(
    ("state", "ran", "reason", "fault"),
    [
        (State.TIMEOUT, True, None, "model"),
        (State.TIMEOUT, False, None, "infrastructure"),
        (State.FAILED, True, "health_check_failed", "infrastructure"),
        (State.FAILED, True, "out_of_memory", "model"),
        (State.FAILED, True, "out_of_disk", "model"),
        (State.FAILED, False, "out_of_memory", "infrastructure"),
        (State.FAILED, False, "execution_failed", "infrastructure"),
        (State.COMPLETED, True, None, None),
        (State.CANCELED, True, None, None),
    ],
)
def test_who_ended_it(state: State, ran: bool, reason: str | None, fault: str | None) -> None:
    statuses = [Status.PROVISIONING, *([Status.RUNNING] if ran else []), Status.FAILURE]
    assert of_end(state, _devbox(*statuses, reason=reason)) == fault

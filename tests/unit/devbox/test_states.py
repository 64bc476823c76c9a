"""The state machine of a devbox."""

import itertools

import pytest

from loopyard.devbox.models import Devbox
from loopyard.devbox.states import FINAL, Status, move
from loopyard.kit.errors import WrongState


def _devbox(status: Status) -> Devbox:
    return Devbox(id="dbx_1", status=status, state_transitions=[])


def test_the_way_through_life_is_recorded_with_times() -> None:
    devbox = _devbox(Status.QUEUED)
    way = [Status.PROVISIONING, Status.INITIALIZING, Status.RUNNING, Status.SHUTDOWN]
    for status in way:
        move(devbox, status)
    assert [entry["status"] for entry in devbox.state_transitions] == [str(status) for status in way]
    times = [entry["transition_time_ms"] for entry in devbox.state_transitions]
    assert times == sorted(times)
    assert devbox.end_time_ms == times[-1]


@pytest.mark.parametrize(("final", "after"), list(itertools.product(sorted(FINAL), Status)))
def test_nothing_follows_an_end(final: Status, after: Status) -> None:
    devbox = _devbox(final)
    with pytest.raises(WrongState):
        move(devbox, after)
    assert devbox.status == final


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL - {Status.SCHEDULED}))
def test_every_living_devbox_can_fail_and_can_be_shut_down(status: Status) -> None:
    for end in FINAL:
        move(_devbox(status), end)


def test_a_failure_says_why() -> None:
    devbox = _devbox(Status.PROVISIONING)
    move(devbox, Status.FAILURE, message="no memory left on the host")
    assert devbox.state_transitions[-1]["failure_reason"] == "no memory left on the host"

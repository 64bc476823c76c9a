"""The state machine of a devbox."""

import itertools

import pytest

from loopyard.devbox.lifecycle.states import FINAL, Status, can_become, has_failed_in_setup, move, transition
from loopyard.devbox.models import Devbox
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


_WAYS = {
    Status.SCHEDULED: set[Status](),
    Status.QUEUED: {Status.PROVISIONING},
    Status.PROVISIONING: {Status.INITIALIZING},
    Status.INITIALIZING: {Status.RUNNING},
    Status.RUNNING: {Status.SUSPENDING},
    Status.SUSPENDING: {Status.SUSPENDED},
    Status.SUSPENDED: {Status.RESUMING},
    Status.RESUMING: {Status.RUNNING, Status.SUSPENDED},
}


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_only_what_the_machine_says_may_follow(status: Status) -> None:
    ends = set[Status]() if status == Status.SCHEDULED else set(FINAL)
    assert {after for after in Status if can_become(_devbox(status), after)} == _WAYS[status] | ends


def test_only_an_end_has_a_time_and_a_refusal_changes_nothing() -> None:
    devbox = _devbox(Status.RUNNING)
    move(devbox, Status.SUSPENDING)
    assert devbox.end_time_ms is None
    with pytest.raises(WrongState, match=r"^Devbox dbx_1 is suspending and cannot become running\.$"):
        move(devbox, Status.RUNNING)
    assert [entry["status"] for entry in devbox.state_transitions] == ["suspending"]


def test_an_entry_holds_no_more_than_there_is_to_tell() -> None:
    assert transition(Status.RUNNING, 7) == {"status": "running", "transition_time_ms": 7}
    told = {"status": "failure", "transition_time_ms": 7, "failure_reason": "", "in_setup": True}
    assert transition(Status.FAILURE, 7, "", in_setup=True) == told


def test_a_failed_setup_is_known_by_its_last_transition() -> None:
    devbox = _devbox(Status.INITIALIZING)
    assert not has_failed_in_setup(devbox)
    move(devbox, Status.FAILURE, message="exit 1")
    assert has_failed_in_setup(devbox) is False
    devbox = _devbox(Status.INITIALIZING)
    move(devbox, Status.FAILURE, message="exit 1", in_setup=True)
    assert has_failed_in_setup(devbox) is True

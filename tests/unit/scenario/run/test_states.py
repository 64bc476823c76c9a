"""The state machine of a run."""

import pytest

from loopyard.scenario.run.states import FINAL, State, can_become, state_after_end


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_follows_a_final_state(final: State) -> None:
    assert not any(can_become(final, state) for state in State)


@pytest.mark.parametrize("state", [State.RUNNING, State.SCORING, State.SCORED])
@pytest.mark.parametrize(
    "reason", ["api_shutdown", "keep_alive_timeout", "idle", "ttl_expired", "entrypoint_exit", None]
)
def test_the_end_of_a_devbox_leads_to_a_final_state_that_may_follow(state: State, reason: str | None) -> None:
    after = state_after_end(state, reason)
    assert after in FINAL
    assert can_become(state, after)


def test_a_score_can_only_come_out_of_scoring() -> None:
    assert [state for state in State if can_become(state, State.SCORED)] == [State.SCORING]


_LIVING = {
    State.RUNNING: {State.SCORING, State.COMPLETED, State.CANCELED, State.TIMEOUT, State.FAILED},
    State.SCORING: {State.SCORED, State.CANCELED, State.TIMEOUT, State.FAILED},
    State.SCORED: {State.COMPLETED, State.CANCELED},
}


@pytest.mark.parametrize("state", sorted(_LIVING))
def test_only_what_the_machine_says_may_follow(state: State) -> None:
    assert {after for after in State if can_become(state, after)} == _LIVING[state]
    assert {*_LIVING, *FINAL} == set(State)


@pytest.mark.parametrize("state", [State.RUNNING, State.SCORING])
@pytest.mark.parametrize(
    ("reason", "after"),
    [
        ("api_shutdown", State.CANCELED),
        ("keep_alive_timeout", State.TIMEOUT),
        ("idle", State.TIMEOUT),
        ("ttl_expired", State.TIMEOUT),
        ("entrypoint_exit", State.TIMEOUT),
        (None, State.FAILED),
    ],
)
def test_how_a_devbox_ended_tells_how_its_run_did(state: State, reason: str | None, after: State) -> None:
    assert state_after_end(state, reason) == after
    assert state_after_end(State.SCORED, reason) == State.COMPLETED

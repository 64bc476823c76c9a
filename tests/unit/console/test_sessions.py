"""Logins and failed ones, as they are kept."""

from loopyard.console.login.attempts import MOST_FAILURES, WINDOW_SECONDS, Attempts
from loopyard.console.login.sessions import MOST_OF_KEY, Sessions


def test_tokens_are_not_kept() -> None:
    sessions = Sessions(12)
    token, session = sessions.open("key_1")
    assert sessions.find(token) is session
    assert token not in repr(vars(sessions)) + repr(vars(session))
    assert sessions.find(session.digest) is None
    assert sessions.find(None) is None
    assert sessions.find("") is None


def test_what_is_open_is_told_when_a_session_ends() -> None:
    sessions = Sessions(12)
    token, session = sessions.open("key_1")
    told: list[str] = []
    with session.telling(lambda: told.append("x")):
        sessions.close(session)
    assert told == ["x"]
    assert session.is_over
    assert sessions.find(token) is None


def test_sessions_are_bounded_for_each_key() -> None:
    sessions = Sessions(12)
    tokens = [sessions.open("key_1")[0] for _ in range(MOST_OF_KEY + 1)]
    other = sessions.open("key_2")[0]
    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[1]) is not None
    assert sessions.find(other) is not None


def test_failures_are_counted_by_network_and_forgotten_in_time() -> None:
    now = 0.0
    attempts = Attempts(lambda: now)
    for number in range(MOST_FAILURES):
        assert attempts.wait_seconds("2001:db8::1") == 0
        attempts.note_failure(f"2001:db8::{number:x}")
    assert attempts.wait_seconds("2001:db8::ffff") > 0
    assert attempts.wait_seconds("2001:db8:0:1::1") == 0
    assert attempts.wait_seconds("127.0.0.1") == 0
    now = WINDOW_SECONDS + 1
    assert attempts.wait_seconds("2001:db8::1") == 0

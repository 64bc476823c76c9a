"""The tail of an axon in memory."""

from loopyard.axon.event.event import Event
from loopyard.axon.event.feed import CHUNK_BYTES, KEPT_BYTES, Feed
from loopyard.axon.event.origins import Origin


def _events(first: int, last: int, payload: str = "{}") -> list[Event]:
    return [Event("axn_x", number, 1, Origin.USER_EVENT, "t", "s", payload) for number in range(first, last + 1)]


def test_it_gives_what_comes_after_a_sequence() -> None:
    feed = Feed()
    feed.add(_events(1, 5))
    assert feed.after(2) == [event.message() for event in _events(3, 5)]
    assert feed.after(5) == []
    assert feed.last == 5


def test_a_gap_starts_it_anew_and_what_was_overtaken_is_left_to_the_store() -> None:
    feed = Feed()
    feed.add(_events(1, 2))
    feed.add(_events(4, 4))
    assert feed.after(2) == []
    assert feed.after(3) == [event.message() for event in _events(4, 4)]
    feed.add(_events(3, 3))
    feed.add(_events(5, 5))
    assert feed.after(3) == [event.message() for event in _events(4, 5)]


def test_it_keeps_no_more_than_its_limit() -> None:
    feed = Feed()
    for number in range(1, 101):
        feed.add(_events(number, number, "x" * 10_000))
    kept = [message for cursor in range(100) for message in feed.after(cursor)[:1]]
    assert 0 < sum(map(len, kept)) <= KEPT_BYTES
    feed.add(_events(101, 101, "x" * (KEPT_BYTES + 1)))
    assert feed.after(100) == []
    assert feed.last == 101
    feed.add(_events(102, 102))
    assert feed.after(101) == [event.message() for event in _events(102, 102)]


def test_a_chunk_ends_with_the_message_that_fills_it() -> None:
    feed = Feed()
    feed.add(_events(1, 20, "x" * 10_000))
    chunk = feed.after(0)
    assert sum(map(len, chunk[:-1])) < CHUNK_BYTES <= sum(map(len, chunk))

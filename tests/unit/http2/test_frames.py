"""Frames of HTTP/2 are found and counted, however the bytes come."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from loopyard.http2.frames import FRAME_HEAD_BYTES, PIECE, PREFACE_BYTES, FrameCutter, HeadTooLong

PREFACE = b"P" * PREFACE_BYTES
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9


def frame(kind: int, length: int) -> bytes:
    return struct.pack(">I", length)[1:] + bytes([kind, 0]) + struct.pack(">I", 1) + b"x" * length


def pieces(cutter: FrameCutter, data: bytes) -> list[tuple[int, int]]:
    """Sizes and costs of all pieces of a buffer."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(data):
        size, cost = cutter.cut(data, at)
        if not size:
            break
        found.append((size, cost))
        at += size
    return found


@given(some.lists(some.tuples(some.sampled_from([DATA, PING, 77]), some.integers(0, 50)), max_size=30), some.data())
def test_they_are_the_same_however_the_bytes_come(frames: list[tuple[int, int]], data: some.DataObject) -> None:
    stream = PREFACE + b"".join(frame(*one) for one in frames)
    ends = {PREFACE_BYTES}
    for _, length in frames:
        ends.add(max(ends) + FRAME_HEAD_BYTES + length)
    cutter, held, read = FrameCutter(1 << 15), b"", 0
    while stream:
        size = data.draw(some.integers(1, len(stream)))
        held, stream = held + stream[:size], stream[size:]
        taken = sum(size for size, _ in pieces(cutter, held))
        held, read = held[taken:], read + taken
        assert not any(end < read < end + FRAME_HEAD_BYTES for end in ends), "a piece ends in the head of a frame"
    assert held == b""


@pytest.mark.parametrize("kind", [PING, HEADERS, RST_STREAM, SETTINGS, 77])
def test_thousands_of_small_ones_are_many_pieces(kind: int) -> None:
    cutter = FrameCutter(1 << 15)
    found = pieces(cutter, PREFACE + frame(kind, 0) * 5000)
    assert len(found) >= 5000 // PIECE
    assert all(cost < 2 * PIECE for _, cost in found)


def test_what_begins_and_ends_requests_costs_more() -> None:
    costs: dict[int, int] = {}
    for kind in (PING, HEADERS, RST_STREAM):
        cutter = FrameCutter(1 << 15)
        ((_, costs[kind]),) = pieces(cutter, PREFACE + frame(kind, 8))
    assert costs[PING] < costs[HEADERS] < costs[RST_STREAM]


def test_a_large_body_is_read_in_large_pieces() -> None:
    found = pieces(FrameCutter(1 << 15), PREFACE + frame(DATA, 1 << 14) * 16)
    assert len(found) <= 3


def test_a_head_may_be_as_long_as_allowed_in_all_its_frames() -> None:
    head = frame(HEADERS, 500) + frame(CONTINUATION, 500)
    assert pieces(FrameCutter(1000), PREFACE + head + head)
    with pytest.raises(HeadTooLong):
        pieces(FrameCutter(999), PREFACE + head)
    with pytest.raises(HeadTooLong):
        pieces(FrameCutter(999), PREFACE + frame(HEADERS, 1000))

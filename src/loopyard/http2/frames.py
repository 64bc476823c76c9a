"""Frames of HTTP/2, counted before they are read: thousands of small ones may stand in one buffer."""

PREFACE_BYTES = 24
FRAME_HEAD_BYTES = 9

PIECE = 100
"""How much the frames of one piece may cost, in units of fair turns."""

_HEADERS, _RST_STREAM, _SETTINGS, _CONTINUATION = 0x1, 0x3, 0x4, 0x9
_HEADS = (_HEADERS, _CONTINUATION)
_COSTS = {_HEADERS: 10, _RST_STREAM: 20, _SETTINGS: 20, _CONTINUATION: 10}
_BYTES_FOR_ONE = 1 << 12
"""How long a frame is for each unit that it costs besides: bytes are copied a few times."""
_HEAD_BYTES_FOR_ONE = 1 << 7


class HeadTooLong(Exception):
    """The compressed head of a request is longer than allowed."""


class FrameCutter:
    """Finds where frames begin and end in the bytes of one connection."""

    def __init__(self, most_head_bytes: int) -> None:
        self._rest = PREFACE_BYTES
        """How much of the frame that has begun is still to come; first the preface."""
        self._most = most_head_bytes
        self._head = 0
        """How long the head under way is, in all its frames."""

    def cut(self, held: bytes, at: int) -> tuple[int, int]:
        """How many bytes from a position are the next piece, and its cost. A piece ends within a frame, or after one,
        but never within the nine bytes that a frame begins with.

        Raises:
            HeadTooLong: Frames of one head are too long together.
        """
        begin, end, cost = at, len(held), 0
        while at < end and cost < PIECE:
            if self._rest:
                step = min(self._rest, end - at)
                self._rest -= step
                at += step
                continue
            if end - at < FRAME_HEAD_BYTES:
                break
            cost += self._begin(int.from_bytes(held[at : at + 3]), held[at + 3])
        return at - begin, cost

    def _begin(self, length: int, kind: int) -> int:
        self._rest = FRAME_HEAD_BYTES + length
        cost = _COSTS.get(kind, 1)
        if kind not in _HEADS:
            return cost + length // _BYTES_FOR_ONE
        self._head = length if kind == _HEADERS else self._head + length
        if self._head > self._most:
            raise HeadTooLong
        return cost + length // _HEAD_BYTES_FOR_ONE

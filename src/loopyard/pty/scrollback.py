"""The last output of a session."""

from collections import deque

LONGEST_LINE = 4096
"""How far into what is kept the start of a line is looked for: beyond that it is no line of text."""


class Scrollback:
    """Keeps up to `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._cut = False

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._bytes += len(data)
        while self._bytes > self._limit:
            oldest = self._pieces.popleft()
            kept = oldest[min(len(oldest), self._bytes - self._limit) :]
            self._bytes -= len(oldest) - len(kept)
            self._cut = True
            if kept:
                self._pieces.appendleft(kept)

    def replay(self) -> bytes:
        """Output kept so far; from the start of a line on if earlier output is gone, so that no escape sequence is cut
        in two."""
        whole = b"".join(self._pieces)
        return whole[whole.find(b"\n", 0, LONGEST_LINE) + 1 :] if self._cut else whole

"""The newest events of one axon in memory, ready for the wire, shared by all its subscribers."""

import asyncio
from collections.abc import Sequence

from loopyard.axon.event.event import Event

KEPT_BYTES = 256 * 1024
"""Limit on the messages that one feed keeps: 256 KiB. Subscribers that are further behind read from the store."""

CHUNK_BYTES = 64 * 1024
"""Size from which on no further message is put into one write."""


class Feed:
    """The tail of an axon that has subscribers."""

    def __init__(self) -> None:
        self.waiters: set[asyncio.Event] = set()
        self.last: int | None = None
        """Highest sequence that is known to be stored; None before the first look."""
        self.deleted = False
        self._messages: list[bytes] = []
        self._first = 1
        """Sequence of the first message kept."""
        self._bytes = 0

    def add(self, events: Sequence[Event]) -> None:
        """Take in new events, contiguous in themselves. Events that were overtaken by later ones are not kept: whoever
        needs them finds them in the store."""
        for event in events:
            following = self._first + len(self._messages)
            if event.sequence < following and self._messages:
                continue
            if event.sequence != following:
                self._messages.clear()
                self._bytes, self._first = 0, event.sequence
            message = event.message()
            self._messages.append(message)
            self._bytes += len(message)
        self._trim()
        self.know(events[-1].sequence)

    def know(self, last: int) -> None:
        """Note that events are stored up to a sequence, and wake the subscribers if that is new."""
        if self.last is None or last > self.last:
            self.last = last
            self.wake()

    def wake(self) -> None:
        for event in self.waiters:
            event.set()

    def after(self, cursor: int) -> list[bytes]:
        """Some of the messages after a sequence; none if the next is not kept here."""
        start = cursor + 1 - self._first
        if not 0 <= start < len(self._messages):
            return []
        size = 0
        for end in range(start, len(self._messages)):
            size += len(self._messages[end])
            if size >= CHUNK_BYTES:
                return self._messages[start : end + 1]
        return self._messages[start:]

    def _trim(self) -> None:
        dropped = 0
        while self._bytes > KEPT_BYTES and dropped < len(self._messages):
            self._bytes -= len(self._messages[dropped])
            dropped += 1
        if dropped:
            del self._messages[:dropped]
            self._first += dropped

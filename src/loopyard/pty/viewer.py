"""Viewer attached to a session, with the output on its way."""

import asyncio

from loopyard.pty.scrollback import Scrollback

_MOST_WAITING_BYTES = 1 << 20

CloseReason = tuple[int, str]
"""WebSocket close code and reason."""


class Viewer:
    """A queue of output with one reader. Who fills it waits on `room`."""

    def __init__(self, scrollback: Scrollback) -> None:
        self._pieces = [scrollback.replay()]
        self._bytes = len(self._pieces[0])
        self._wake = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self.ending: CloseReason | None = None

    def show(self, data: bytes) -> None:
        self._pieces.append(data)
        self._bytes += len(data)
        if self._bytes > _MOST_WAITING_BYTES:
            self.room.clear()
        self._wake.set()

    def end(self, ending: CloseReason) -> None:
        """Nothing comes after what is on its way."""
        self.ending = self.ending or ending
        self.room.set()
        self._wake.set()

    async def next(self) -> bytes | None:
        """All output there is, waiting for some; None at the end, when `ending` tells why."""
        while not self._pieces:
            if self.ending is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        data = b"".join(self._pieces)  # a terminal hands over little at a time
        self._pieces.clear()
        self._bytes = 0
        self.room.set()
        return data

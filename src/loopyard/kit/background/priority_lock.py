"""Priority lock: one holder at a time, in order of asking, work in progress before new work."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_MOST_IN_A_ROW = 8
"""After so many who went first while others waited, one of those has a turn."""


class PriorityLock:
    """Lock with two priorities: work in progress goes before new work. Under a burst of requests the first to come is
    then the first to be done, rather than all of them at the end."""

    def __init__(self) -> None:
        self._taken = False
        self._first: deque[asyncio.Future[None]] = deque()
        self._last: deque[asyncio.Future[None]] = deque()
        self._in_a_row = 0

    @asynccontextmanager
    async def turn(self, *, last: bool = False) -> AsyncGenerator[None]:
        """Wait for a turn, and have it in the block. Those who are not `last` go before those who are."""
        if self._taken:
            await self._wait(self._last if last else self._first)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: deque[asyncio.Future[None]]) -> None:
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()
            else:
                queue.remove(mine)
            raise

    def _pass_on(self) -> None:
        """The turn goes to the next without a moment in which somebody else could take it."""
        while self._first or self._last:
            if self._first and not (self._last and self._in_a_row >= _MOST_IN_A_ROW):
                following, self._in_a_row = self._first.popleft(), self._in_a_row + 1
            else:
                following, self._in_a_row = self._last.popleft(), 0
            if not following.done():
                following.set_result(None)
                return
        self._taken = False

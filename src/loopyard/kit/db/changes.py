"""Wakes those who wait for a row to change."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from loopyard.kit.errors import WaitTimeout
from loopyard.kit.http.in_flight import waiting

T = TypeVar("T")

_RECHECK_SECONDS = 1.0
"""How often a waiter looks by itself: another process on the same database may have made the change."""


class Changes:
    """A hub of wake-ups by key (a resource's id). It carries no data: whoever wakes reads the store again."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with every key that is published. It must not wait."""
        self._listeners.append(listener)

    def publish(self, key: str) -> None:
        """Wake everyone who waits on `key`. Call it after the change is committed."""
        for event in self._waiters.get(key, ()):
            event.set()
        for listener in self._listeners:
            listener(key)

    @contextmanager
    def _subscribe(self, key: str) -> Generator[asyncio.Event]:
        event = asyncio.Event()
        self._waiters.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            waiters = self._waiters[key]
            waiters.discard(event)
            if not waiters:
                del self._waiters[key]

    async def wait_until(
        self, key: str, read: Callable[[], Awaitable[T]], matches: Callable[[T], bool], timeout: float | None
    ) -> T:
        """Read, and read again on every change of `key`, until the value matches.

        Args:
            key: What to be woken by.
            read: Reads the present value from the store.
            matches: Whether the value is what is waited for.
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            WaitTimeout: The time passed without a match.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        with self._subscribe(key) as event:
            while True:
                event.clear()
                value = await read()
                if matches(value):
                    return value
                pause = _RECHECK_SECONDS
                if deadline is not None:
                    pause = min(pause, deadline - loop.time())
                    if pause <= 0:
                        raise WaitTimeout("The time to wait has passed, and none of the states was reached.")
                try:
                    with waiting():
                        async with asyncio.timeout(pause):
                            await event.wait()
                except TimeoutError:
                    continue

"""Periodic work in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("loopyard.tasks")

_RETRY_SECONDS = 1.0
"""Least time between a step that failed and the next one."""


class Periodic:
    """A step that is repeated until its task is canceled. A failed step is logged, and repeated like any other.

    A step that returns False has nothing to do until `wake` is called.
    """

    def __init__(
        self,
        what: str,
        step: Callable[[], Awaitable[bool | None]],
        *,
        every: float | None,
        at_once: bool = True,
        gather: float = 0.0,
        pause: float = 0.0,
    ) -> None:
        """`what` names the step in the log, as in "looking for expired devboxes".

        Args:
            what: Subject of the message "… failed; trying again".
            step: Function that does all that is due.
            every: Seconds from the end of a step to the next; None for steps that are woken only.
            at_once: True if the first step does not wait for `every` or `wake`.
            gather: Seconds from a wake to the step, in which further wakes are gathered.
            pause: Seconds from a step to the next at the least, whoever wakes it.
        """
        self._what = what
        self._step = step
        self._every = every
        self._at_once = at_once
        self._gather = gather
        self._pause = pause
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have the next step done soon, rather than when it is due. A wake during a step leads to another step."""
        self._woken.set()

    async def run(self) -> None:
        """Repeat the step, for ever."""
        if not self._at_once:
            await self._wait(self._every)
        while True:
            self._woken.clear()
            pause, timeout = self._pause, self._every
            try:
                if await self._step() is False:
                    timeout = None
            except Exception:
                log.exception("%s failed; trying again", self._what)
                pause, timeout = max(pause, _RETRY_SECONDS), timeout or 0.0
            if pause:
                await asyncio.sleep(pause)
            await self._wait(None if timeout is None else max(timeout - pause, 0.0))

    async def _wait(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        except TimeoutError:
            return
        if self._gather:
            await asyncio.sleep(self._gather)

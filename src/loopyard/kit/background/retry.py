"""Retries of calls that fail for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

log = logging.getLogger("loopyard.retry")

T = TypeVar("T")


async def retry(
    act: Callable[[], Awaitable[T]],
    on: type[Exception] | tuple[type[Exception], ...],
    *,
    what: str,
    attempts: int | None = None,
    first_pause: float = 0.5,
    longest_pause: float = 30.0,
    with_traceback: bool = False,
) -> T:
    """Repeat a call that can be repeated until it succeeds, with pauses that double from one to the next.

    Args:
        act: The call.
        on: Errors after which it is repeated. Others are raised at once.
        what: Subject of the log's message "… failed, trying again".
        attempts: How often it is called at most; None for no limit. The last error is raised.
        first_pause: Seconds after the first failure.
        longest_pause: Seconds that no pause exceeds.
        with_traceback: True to log where the error comes from, for errors that should not be.
    """
    pause, left = min(first_pause, longest_pause), attempts
    while True:
        left = None if left is None else left - 1
        try:
            return await act()
        except on as error:
            if left == 0:
                raise
            log.warning("%s failed, trying again in %g s: %s", what, pause, error, exc_info=with_traceback)
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest_pause)

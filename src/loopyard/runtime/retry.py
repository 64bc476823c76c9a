"""Retries of calls that the host must carry out in the end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from loopyard.runtime.errors import SandboxStuck

log = logging.getLogger("loopyard.devbox")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


async def retry_while_stuck(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat the call until the host can carry it out, with exponential backoff from 0.5 s to 30 s."""
    pause = _FIRST_PAUSE
    while True:
        try:
            await act()
        except SandboxStuck as fault:
            log.warning("%s Trying again in %s s.", fault, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            return

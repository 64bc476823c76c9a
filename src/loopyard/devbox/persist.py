"""Does not give up on what must be done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from loopyard.runtime.errors import SandboxStuck

log = logging.getLogger("loopyard.devbox")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


async def persist(act: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again, at longer and longer intervals, until the host can."""
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

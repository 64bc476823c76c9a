"""Retries of calls that the host must carry out in the end."""

from collections.abc import Awaitable, Callable

from loopyard.kit.retry import retry
from loopyard.runtime.errors import SandboxStuck

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


async def retry_while_stuck(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat the call until the host can carry it out, with exponential backoff from 0.5 s to 30 s."""
    await retry(
        act,
        SandboxStuck,
        what="a call that the host must carry out",
        first_pause=_FIRST_PAUSE,
        longest_pause=_LONGEST_PAUSE,
    )

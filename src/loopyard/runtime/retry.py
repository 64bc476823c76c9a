"""Retries of calls to a runtime."""

from collections.abc import Awaitable, Callable

from loopyard.kit.background.retry import retry
from loopyard.runtime.errors import SandboxStartFailed, SandboxStuck
from loopyard.runtime.protocol import Runtime, SandboxSpec

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_CREATE_ATTEMPTS = 3
_CREATE_PAUSE = 0.2


async def retry_while_stuck(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat the call until the host can carry it out, with exponential backoff from 0.5 s to 30 s."""
    await retry(
        act,
        SandboxStuck,
        what="a call that the host must carry out",
        first_pause=_FIRST_PAUSE,
        longest_pause=_LONGEST_PAUSE,
    )


async def create_with_retries(runtime: Runtime, spec: SandboxSpec, *, what: str) -> None:
    """Create a sandbox in up to three attempts, 0.2 s and 0.4 s apart.

    A launcher that is killed takes along what it was making. `what` is the subject of the log's message on a failure.

    Raises:
        SandboxStartFailed: It could not be started.
        SandboxStuck: The host is in the way.
        RuntimeFault: Other faults of `Runtime.create`, at the first attempt.
    """
    await retry(
        lambda: runtime.create(spec),
        (SandboxStartFailed, SandboxStuck),
        what=what,
        attempts=_CREATE_ATTEMPTS,
        first_pause=_CREATE_PAUSE,
    )

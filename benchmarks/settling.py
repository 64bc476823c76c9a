"""Waits until the machine is at rest, so that a measurement does not pay for what came before it."""

import asyncio

import psutil

_BUSY_PERCENT = 10
_LOOK_SECONDS = 0.5
_MOST_LOOKS = 60


async def settled() -> None:
    """Wait until all processors together were busy for less than a tenth of half a second, or for half a minute."""
    psutil.cpu_percent()
    for _ in range(_MOST_LOOKS):
        await asyncio.sleep(_LOOK_SECONDS)
        if psutil.cpu_percent() < _BUSY_PERCENT:
            return

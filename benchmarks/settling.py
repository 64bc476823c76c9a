"""Waits until the machine is at rest, so that a measurement does not pay for what came before it."""

import asyncio

import psutil

_BUSY_PERCENT = 10
_LOOK_SECONDS = 0.5
_MOST_LOOKS = 120
_CALM_LOOKS = 3


async def settled() -> None:
    """Wait until all processors together were busy for less than a tenth of each of some half seconds in a row, or for
    a minute. A server that makes sandboxes ready begins a second after the last request for one."""
    psutil.cpu_percent()
    calm = 0
    for _ in range(_MOST_LOOKS):
        await asyncio.sleep(_LOOK_SECONDS)
        calm = calm + 1 if psutil.cpu_percent() < _BUSY_PERCENT else 0
        if calm == _CALM_LOOKS:
            return

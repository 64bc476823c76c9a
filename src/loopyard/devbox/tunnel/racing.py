"""The two directions of an exchange, which go on at the same time."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def race(answer: Coroutine[Any, Any, None], ask: Coroutine[Any, Any, None]) -> None:
    """Carry both out until the answer is complete, or the caller hangs up first. Raises what ended it."""
    answering, asking = asyncio.ensure_future(answer), asyncio.ensure_future(ask)
    try:
        await asyncio.wait({answering, asking}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
        else:
            asking.result()
    finally:
        for task in (answering, asking):
            task.cancel()
        await asyncio.gather(answering, asking, return_exceptions=True)

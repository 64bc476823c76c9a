"""Pipes and terminals read and written without blocking the loop."""

import asyncio
import errno
import os
from collections.abc import Callable

_CHUNK_BYTES = 1 << 16


async def read(descriptor: int, limit: int = _CHUNK_BYTES) -> bytes:
    """The next bytes, waiting for them; empty at the end. A terminal ends when no process holds it any more."""
    loop = asyncio.get_running_loop()
    while (data := read_now(descriptor, limit)) is None:
        await _ready(lambda wake: loop.add_reader(descriptor, wake), lambda: loop.remove_reader(descriptor))
    return data


def read_now(descriptor: int, limit: int = _CHUNK_BYTES) -> bytes | None:
    """What is there already; empty at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, limit)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


async def write(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting while the other side is slow.

    Raises:
        OSError: Nobody reads any more.
    """
    loop = asyncio.get_running_loop()
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            await _ready(lambda wake: loop.add_writer(descriptor, wake), lambda: loop.remove_writer(descriptor))


async def _ready(add: Callable[[Callable[[], None]], None], remove: Callable[[], object]) -> None:
    event = asyncio.Event()
    add(event.set)
    try:
        await event.wait()
    finally:
        remove()

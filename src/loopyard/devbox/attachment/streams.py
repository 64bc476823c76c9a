"""Pipes and terminals read and written without blocking the loop."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable

CHUNK_BYTES = 1 << 17


async def read(descriptor: int) -> bytes:
    """The next bytes, waiting for them; empty at the end. A terminal ends when no process holds it any more.

    Being cancelled loses nothing.
    """
    loop = asyncio.get_running_loop()
    while (data := read_now(descriptor)) is None:
        await _ready(lambda wake: loop.add_reader(descriptor, wake), lambda: loop.remove_reader(descriptor))
    return data


def read_now(descriptor: int) -> bytes | None:
    """Bytes available at once; empty at the end, None if there are none yet."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


async def output(descriptor: int, ended: asyncio.Future[int], patience_seconds: float) -> AsyncIterator[bytes]:
    """All that a command writes, to its end; or until `ended` tells that it has ended and nothing more is there.

    Background processes may hold the other end open for ever. `patience_seconds` is how long to wait, after the
    command's end, for what is on its way still.
    """
    while not ended.done():
        reading = asyncio.ensure_future(read(descriptor))
        try:
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
        if not reading.done():
            break
        if not (data := reading.result()):
            return
        yield data
    while True:
        data = read_now(descriptor)
        if data is None and patience_seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_seconds):
                    data = await read(descriptor)
        if not data:
            return
        yield data


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

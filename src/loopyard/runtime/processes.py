"""Other processes, named so that a number used again is never taken for them."""

import asyncio
import contextlib
import os

from loopyard.runtime.proc import start_ticks, stat_fields

_NO_FILES_PAUSE = 0.5


def is_alive(pid: int, ticks: int) -> bool:
    """True if the process that started at this clock tick is still there (and not dead and only unburied)."""
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[19]) == ticks and fields[0] not in (b"Z", b"X")


async def wait_end(pid: int, ticks: int) -> None:
    """Wait until the process that started at this clock tick has ended."""
    descriptor = None
    while descriptor is None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:  # this process has all the files open that it may have
            await asyncio.sleep(_NO_FILES_PAUSE)
    try:
        # Only now it is sure whose descriptor this is.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if start_ticks(pid) == ticks:
                await _readable(descriptor)
    finally:
        os.close(descriptor)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)

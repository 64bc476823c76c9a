"""Sees to it that a build does not fill the disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from loopyard.runtime.crun.building import command

_PAUSE_SECONDS = 2.0


class Watch:
    """Measures what the present step of a build has written, now and then, and ends a build that writes too much."""

    def __init__(self, work: Path, most_bytes: int, end: Callable[[], None]) -> None:
        self._work = work
        self._most_bytes = most_bytes
        self._end = end
        self.too_much = False

    async def run(self) -> None:
        while not self.too_much:
            await asyncio.sleep(_PAUSE_SECONDS)
            used = await _size(self._work)
            upper = command.upper(self._work)
            if upper is not None:
                used += await _size(upper)
            if used > self._most_bytes:
                self.too_much = True
                self._end()


async def _size(folder: Path) -> int:
    """The bytes that a folder takes; those of files that vanish meanwhile do not count."""
    process = await asyncio.create_subprocess_exec(
        "du",
        "--summarize",
        "--one-file-system",
        "--block-size=1",
        str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    first = output.split(maxsplit=1)[0] if output else b"0"
    return int(first) if first.isdigit() else 0

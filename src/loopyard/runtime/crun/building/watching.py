"""Sees to it that a step of a build does not fill the disk."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

_PAUSE_SECONDS = 2.0


class Watch:
    """Measures what a step has written to some folders, now and then."""

    def __init__(self, folders: Sequence[Path], most_bytes: int) -> None:
        self._folders = folders
        self._most_bytes = most_bytes
        self.too_much = False

    async def run(self) -> None:
        """Return once it is more than it may be."""
        most = self._most_bytes
        if len(self._folders) > 1:  # caches hold what other steps have left there
            most += await _size(self._folders[1:])
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            if await _size(self._folders) > most:
                self.too_much = True
                return


async def _size(folders: Sequence[Path]) -> int:
    """The bytes that folders take; those of files that vanish meanwhile do not count."""
    process = await asyncio.create_subprocess_exec(
        "du",
        "--summarize",
        "--total",
        "--one-file-system",
        "--block-size=1",
        *(str(folder) for folder in folders),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    last = output.splitlines()[-1].split(maxsplit=1)[0] if output.strip() else b"0"
    return int(last) if last.isdigit() else 0

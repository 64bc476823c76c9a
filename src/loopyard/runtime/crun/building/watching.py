"""Sees to it that a step of a build does not fill the disk.

Layers lie in the folder of images, on any file system, and are linked to from there: no file system limits one of them
without a quota of its own. So the free space is looked at often, which costs next to nothing, and the layer is measured
once so much is gone that it may be too large; and now and then, for what the free space does not tell.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

_LOOK_SECONDS = 0.05
_PAUSE_SECONDS = 2.0
_SHARE_OF_TIME = 0.2
"""Most of the time that measuring may take, where others write to the disk as well."""


class Watch:
    """Measures what a step has written to some folders."""

    def __init__(self, folders: Sequence[Path], most_bytes: int) -> None:
        self._folders = folders
        self._most_bytes = most_bytes
        self.too_much = False

    async def run(self) -> None:
        """Return once it is more than it may be."""
        most = self._most_bytes
        if len(self._folders) > 1:  # caches hold what other steps have left there
            most += await _size(self._folders[1:])
        size, free = 0, self._free()
        next_time, not_before = time.monotonic() + _PAUSE_SECONDS, 0.0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            if now < next_time and (now < not_before or size + free - self._free() <= most):
                continue
            free = self._free()
            size = await _size(self._folders)
            if size > most:
                self.too_much = True
                return
            after = time.monotonic()
            next_time, not_before = after + _PAUSE_SECONDS, after + (after - now) / _SHARE_OF_TIME

    def _free(self) -> int:
        """The free bytes of the file system, which others use too."""
        found = os.statvfs(self._folders[0])
        return found.f_bfree * found.f_frsize


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

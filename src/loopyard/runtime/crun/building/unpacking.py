"""Makes the folder of an image out of its layers: links to their files."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loopyard.runtime.crun.building.bases import ROOT
from loopyard.runtime.crun.building.export import lay_all
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.images import BuildFailed

_FULL = 28
_FEW = 500
"""So many files are linked by a thread; for more, a process of their own is started."""


class ImageFolder:
    """The folder of the image that a build makes. What is at the bottom is linked while the steps go on."""

    def __init__(self, images: Path) -> None:
        self._images = images
        self._bottom: Path | None = None
        self._linking: asyncio.Task[Path | None] | None = None

    def begin(self, bottom: Path) -> None:
        """Begin to link the files of the lowest layer; a second time does nothing."""
        if self._linking is None:
            self._bottom = bottom
            self._linking = asyncio.create_task(self._link(bottom))

    async def finish(self, layers: Sequence[str], root: Path) -> None:
        """Make `root` the folder of the layers, from the top. It is there whole or not at all.

        Raises:
            BuildFailed: The host has no room.
        """
        *upper, bottom = layers
        if self._bottom is not None and str(self._bottom) != bottom:
            await self.close()
        self.begin(Path(bottom))
        assert self._linking is not None  # noqa: S101
        made = await asyncio.shield(self._linking)
        if made is None:
            made = self._new()
            command = ["layers", str(made), *layers]
        else:
            command = ["onto", str(made), *upper]
        try:
            if command[0] == "onto" and await asyncio.to_thread(_are_few, upper):
                await asyncio.to_thread(lay_all, upper, made)
            else:
                await _export(command)
            with contextlib.suppress(OSError):  # another build has made the same image meanwhile
                made.rename(root)
            if not root.is_dir():
                raise RuntimeFault(f"The image could not be kept as {root.name}.")
        finally:
            await asyncio.to_thread(delete_folder, made)

    async def close(self) -> None:
        """Delete what is not needed, if there is any."""
        linking, self._linking, self._bottom = self._linking, None, None
        if linking is None:
            return
        linking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            if (made := await linking) is not None:
                await asyncio.to_thread(delete_folder, made)

    def _new(self) -> Path:
        return self._images / f"{ROOT}{secrets.token_hex(16)}.new"

    async def _link(self, bottom: Path) -> Path | None:
        """Link a whole root file system; None where that cannot be done."""
        made = self._new()
        process = await asyncio.create_subprocess_exec(
            "cp",
            "--archive",
            "--link",
            str(bottom),
            str(made),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if await process.wait() == 0:
                return made
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await asyncio.to_thread(delete_folder, made)
            raise
        await asyncio.to_thread(delete_folder, made)
        return None


async def _export(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loopyard.runtime.crun.building.export",
        *command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == _FULL:
        raise BuildFailed("out_of_disk", "The host has no room for the image.")
    if process.returncode != 0:
        raise RuntimeFault(f"The image could not be unpacked: {errors.decode(errors='replace').strip()[-500:]}")


def _are_few(layers: Sequence[str]) -> bool:
    left = _FEW
    for layer in layers:
        for _, folders, files in os.walk(layer):
            left -= len(folders) + len(files)
            if left < 0:
                return False
    return True

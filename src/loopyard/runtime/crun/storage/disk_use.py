"""Disk use of the provider, by kind. It is measured without a server, and beside one that runs."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from loopyard.runtime.crun.host import requirements
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.crun.launcher.requests import VERSION, Measure
from loopyard.runtime.crun.storage.shared_bytes import SharedSpace, shared_spaces
from loopyard.runtime.layout import Layout

_LAYERS = ("storage", "layers", "caches")
"""Folders of what builds keep, in that of images."""

_MOST_SECONDS = 10.0
"""How long one looks for what files share."""


async def sizes(data: Path, images: Path) -> Mapping[str, int | None]:
    """Bytes of images, of the layers that builds keep, of snapshots, boxes and shared folders; None where that cannot
    be told. What a snapshot and a box share may count for both, what an image shares with layers counts there.

    Raises:
        RuntimeUnavailable: The sandboxes' disk cannot be mounted.
    """
    *layers, others = await asyncio.to_thread(disk_use, [*(images / name for name in _LAYERS), images])
    return {"images": others, "layers": sum(layers), **(await _disks(Layout(data)))}


async def shared(images: Path) -> Mapping[str, SharedSpace]:
    """Space of images and of the layers that builds keep, as if nothing was shared, and as it is."""
    groups = [[images / name for name in _LAYERS], [images]]
    layers, others = await asyncio.to_thread(shared_spaces, groups, _MOST_SECONDS)
    return {"images": others, "layers": layers}


async def _disks(layout: Layout) -> dict[str, int | None]:
    kinds = ("boxes", "snapshots", "shared")
    if not layout.pool.is_dir():
        return dict.fromkeys(kinds, 0)
    if os.geteuid() != 0:
        return dict.fromkeys(kinds, None)
    disk = str(layout.pool_image) if layout.pool_image.exists() else None
    # A launcher of its own finds the file system that a server has mounted, as the next one does after a crash.
    crun = str(requirements.program("crun"))
    place = Place(version=VERSION, crun=crun, pool=str(layout.pool), pool_image=disk, acts=None, kept_for=None)
    launcher = LauncherClient(place)
    await launcher.start()
    try:
        return {kind: (await launcher.ask(Measure(str(layout.pool / kind)))).bytes for kind in kinds}
    finally:
        await launcher.close()


def disk_use(folders: list[Path]) -> list[int]:
    """The bytes that each folder takes, without what is in those before it. Of links to one file the first counts."""
    seen: set[tuple[int, int]] = set()
    return [_use(folder, seen) for folder in folders]


def _use(path: Path, seen: set[tuple[int, int]]) -> int:
    total = 0
    for below, folders, files in os.walk(path):
        for name in (".", *files, *(one for one in folders if os.path.islink(f"{below}/{one}"))):  # noqa: PTH114
            try:
                found = os.lstat(f"{below}/{name}")
            except FileNotFoundError:  # it went meanwhile
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total

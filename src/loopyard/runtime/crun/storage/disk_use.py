"""Disk use of the provider, by kind. It is measured without a server, and beside one that runs."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from loopyard.runtime.crun.host import requirements
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.crun.launcher.requests import VERSION, Measure, MeasureShared
from loopyard.runtime.layout import Layout
from loopyard.runtime.shared_bytes import SharedSpace, shared_spaces

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


async def shared(data: Path, images: Path) -> Mapping[str, SharedSpace]:
    """Space of images, of the layers that builds keep, and of snapshots and boxes where these can be looked at, as if
    nothing was shared, and as it is. What a snapshot and a box share counts for the snapshot.

    Raises:
        RuntimeUnavailable: The sandboxes' disk cannot be mounted.
    """
    groups = [[images / name for name in _LAYERS], [images]]
    layers, others = await asyncio.to_thread(shared_spaces, groups, _MOST_SECONDS)
    found = {"images": others, "layers": layers}
    layout = Layout(data)
    if not layout.pool.is_dir() or os.geteuid() != 0:
        return found
    kinds = ("snapshots", "boxes")
    async with _launcher(layout) as launcher:
        spaces = await launcher.ask(MeasureShared([str(layout.pool / kind) for kind in kinds], _MOST_SECONDS))
    each = zip(kinds, spaces.apparent, spaces.on_disk, spaces.complete, strict=True)
    return found | {
        kind: SharedSpace(apparent, on_disk, complete=complete) for kind, apparent, on_disk, complete in each
    }


async def _disks(layout: Layout) -> dict[str, int | None]:
    kinds = ("boxes", "snapshots", "shared")
    if not layout.pool.is_dir():
        return dict.fromkeys(kinds, 0)
    if os.geteuid() != 0:
        return dict.fromkeys(kinds, None)
    async with _launcher(layout) as launcher:
        return {kind: (await launcher.ask(Measure(str(layout.pool / kind)))).bytes for kind in kinds}


@asynccontextmanager
async def _launcher(layout: Layout) -> AsyncGenerator[LauncherClient]:
    """A launcher of its own: it finds the file system that a server has mounted, as the next one does after a crash."""
    disk = str(layout.pool_image) if layout.pool_image.exists() else None
    crun = str(requirements.program("crun"))
    place = Place(version=VERSION, crun=crun, pool=str(layout.pool), pool_image=disk, acts=None, kept_for=None)
    launcher = LauncherClient(place)
    await launcher.start()
    try:
        yield launcher
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

"""Finds the images, layers and caches that nothing refers to, and frees them. Builds wait meanwhile, and it waits for
none."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun.building.bases import ROOT
from loopyard.runtime.crun.building.buildah import (
    BASE_REPOSITORY,
    OPEN_FILE,
    REPOSITORY,
    SIZE_FILE,
    BuildahFailed,
    Storage,
)
from loopyard.runtime.crun.building.layers import Layers
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.crun.storage.image_references import References, references
from loopyard.runtime.upkeep import Leftover

log = logging.getLogger("loopyard.runtime.building")

_DAY_SECONDS = 24 * 3600
_ROOTS = ("image-", f"{BASE}-")
_STEP, _CACHE = "step ", "cache "
"""Beginnings of names of leftovers that are layers of this builder's, and folders of `RUN --mount=type=cache`;
all others are buildah's."""


class ImagesKeeper:
    """Images' folders and links in the images folder, and layers in buildah's storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._images = storage.images
        self._steps = Layers(storage.images)

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:
        async with self._storage.alone() as alone:
            if not alone:
                log.info("images are being built; what is left over of them is looked for another time")
                return []
            used = references(self._images)
            if not used.complete:
                log.info("not all servers that share %s can be asked; nothing of it is freed", self._images)
                return []
            found = [Leftover("images", name) for name in self._folders(used)]
            before = time.time() - cache_days * _DAY_SECONDS
            await asyncio.to_thread(self._steps.forget_empty, before, used.steps)
            unused = await asyncio.to_thread(self._steps.unused, before, used.steps)
            found += [Leftover("layers", f"{_STEP}{name}") for name in unused]
            found += [Leftover("layers", f"{_CACHE}{name}") for name in self._unused_caches(before)]
            return [*found, *(await self._layers(used, before))]

    async def free_folders(self) -> None:
        """Free all folders and links that nothing refers to, if nobody builds now."""
        async with self._storage.alone() as alone:
            used = references(self._images)
            if alone and used.complete:
                for name in self._folders(used):
                    await self._free_folder(name)

    async def free(self, leftover: Leftover) -> bool:
        async with self._storage.alone() as alone:
            used = references(self._images)
            if not alone or not used.complete:
                return False
            if leftover.kind == "layers" and leftover.name.startswith(_STEP):
                await asyncio.to_thread(self._steps.free, leftover.name.removeprefix(_STEP))
                return True
            if leftover.kind == "layers" and leftover.name.startswith(_CACHE):
                folder = self._images / "caches" / leftover.name.removeprefix(_CACHE)
                await asyncio.to_thread(delete_folder, folder)
                return True
            if leftover.kind == "layers":
                return await self._free_layer(leftover.name, used)
            if leftover.name not in self._folders(used):
                return False
            await self._free_folder(leftover.name)
            return True

    async def _free_folder(self, name: str) -> None:
        path = self._images / name
        if path.is_symlink():
            path.unlink(missing_ok=True)
            return
        await asyncio.to_thread(delete_folder, path)
        for kind in ("json", "oci.json", SIZE_FILE, OPEN_FILE):
            (self._images / f"{name}.{kind}").unlink(missing_ok=True)

    def _folders(self, used: References) -> list[str]:
        return [*self._links(used), *self._roots(used), *self._half_made()]

    def _links(self, used: References) -> list[str]:
        """Links of images that no server made: a deletion of one was cut off, or its server is gone."""
        known = {BASE, *used.ids}
        return [one.name for one in self._images.iterdir() if one.is_symlink() and one.name not in known]

    def _roots(self, used: References) -> list[str]:
        """Folders that neither an image nor a sandbox nor a snapshot stands on."""
        needed = used.roots | {one.resolve() for one in self._images.iterdir() if one.is_symlink()}
        needed |= {self._images / f"{ROOT}{one}" for one in self._storage.named_ids()}  # builds stand on them
        needed = {one.resolve() for one in needed}
        folders = [one for one in self._images.iterdir() if one.name.startswith(_ROOTS) and _is_folder(one)]
        return [one.name for one in folders if one.resolve() not in needed and one.suffix != ".new"]

    def _half_made(self) -> list[str]:
        """Give what an export that was cut off left: nobody builds now."""
        return [one.name for one in self._images.glob("image-*.new") if _is_folder(one)]

    def _unused_caches(self, before: float) -> list[str]:
        folders = (self._images / "caches").glob("*/*")
        return [f"{one.parent.name}/{one.name}" for one in folders if one.stat().st_mtime <= before]

    async def _layers(self, used: References, before: float) -> list[Leftover]:
        found: list[Leftover] = []
        for image in await self._stored():
            names: list[str] = image.get("names") or []
            unused = [name for name in names if self._is_unused(name, used)]
            found += [Leftover("layers", name) for name in unused]
        found += [
            Leftover("layers", str(image["id"]))
            for image in await self._stored("--filter", "dangling=true")
            if int(image.get("created") or 0) <= before
        ]
        return found

    def _is_unused(self, name: str, used: References) -> bool:
        """Tell whether a name that an older version gave to an image means nothing any more."""
        repository = name.rpartition(":")[0]
        return repository == BASE_REPOSITORY or (repository == REPOSITORY and name not in used.tags)

    async def _free_layer(self, name: str, used: References) -> bool:
        if name.startswith("localhost/") and not self._is_unused(name, used):
            return False
        try:
            await self._storage.remove(name)
        except BuildahFailed as fault:
            log.debug("layer %s stays: %s", name, fault)
            return False
        return True

    async def _stored(self, *options: str) -> list[dict[str, Any]]:
        if not self._storage.root.is_dir():
            return []
        printed = await self._storage.ask("images", "--json", *options)
        return cast("list[dict[str, Any]]", json.loads(printed or "[]") or [])


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path) and not path.is_symlink()  # noqa: PTH112

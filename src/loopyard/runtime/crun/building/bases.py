"""Finds the images that a Dockerfile names: their files, and what they say of how they are used."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun.building.access import Access
from loopyard.runtime.crun.building.buildah import BuildahFailed, Storage, full_name
from loopyard.runtime.crun.building.fetching import Fetcher, check_reference
from loopyard.runtime.errors import ImageNotFound
from loopyard.runtime.images import BASE_NAME, BuildFailed, BuildSpec
from loopyard.runtime.layout import read_json, write_whole

ROOT = "image-"
"""Beginning of the names of images' folders."""

_ID_LETTERS = 32


@dataclass(frozen=True, slots=True)
class Base:
    """An image. `key` changes with its files; `root` is their folder, `config` the OCI configuration's `config`."""

    key: str
    root: Path
    config: Mapping[str, Any]


class Bases:
    """For one build. `made` is the folder that tells of the images that this server has built."""

    def __init__(self, storage: Storage, made: Path, spec: BuildSpec) -> None:
        self._storage = storage
        self._access = Access(storage)
        self._images = storage.images
        self._made = made
        self._spec = spec
        self._uses: list[int] = []
        self._found: dict[str, Base] = {}
        self._turn = asyncio.Lock()

    def close(self) -> None:
        """Let go of all images that were found."""
        while self._uses:
            os.close(self._uses.pop())

    async def find(self, name: str, fetching: Callable[[], Awaitable[Fetcher]], told: Callable[[str], None]) -> Base:
        """An image by the name that a Dockerfile has for it; it is not removed until `close`.

        Raises:
            BuildFailed: There is none of this name.
        """
        async with self._turn:
            if name not in self._found:
                self._found[name] = await self._find(name, fetching, told)
            return self._found[name]

    async def _find(self, name: str, fetching: Callable[[], Awaitable[Fetcher]], told: Callable[[str], None]) -> Base:
        if name == BASE_NAME:
            root = (self._images / BASE).resolve()
            return Base(root.name, root, {})
        if name in self._spec.images:
            return await self._built(name)
        check_reference(name)
        self._storage.open()
        image_id = await self._access.find(name)
        if image_id is None:
            told(f"Fetching {full_name(name)}.")
            image_id = await (await fetching()).pull(name, self._spec.login, told)
            if self._spec.login is None:
                await asyncio.to_thread(self._access.open, image_id, name)
        return await self._stored(image_id, told)

    async def _built(self, image_id: str) -> Base:
        """An image of a build before this."""
        known: dict[str, Any] | None = read_json(self._made / f"{image_id}.json")
        root = (self._images / image_id).resolve()
        if known is None or not root.is_dir():
            raise BuildFailed("build_failed", f"The image {image_id} is not on this host.")
        config = known.get("config")
        if config is None:  # an older version built it
            try:
                config = await self._storage.configuration(known["tag"])
            except BuildahFailed as fault:
                raise ImageNotFound(f"The image {image_id} is not on this host any more: {fault}") from fault
        return Base(root.name, root, config)

    async def _stored(self, image_id: str, told: Callable[[str], None]) -> Base:
        """An image of the storage, made a folder once."""
        self._use(image_id)
        root = self._images / f"{ROOT}{image_id[:_ID_LETTERS]}"
        file = self._images / f"{root.name}.oci.json"
        config: dict[str, Any] | None = read_json(file)
        if config is None or not root.is_dir():
            async with self._storage.keeping():
                if not root.is_dir():
                    if await self._storage.is_stub(image_id):
                        raise ImageNotFound("The files of this image are gone from the host. Import it again.")
                    told("Unpacking an image to build on; this happens once.")
                    await self._storage.export(image_id, root)
                config = await self._storage.configuration(image_id)
                write_whole(file, config)
        return Base(root.name, root, config)

    def _use(self, image_id: str) -> None:
        file = os.open(use_file(self._images, image_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_SH)
        self._uses.append(file)


def use_file(images: Path, image_id: str) -> Path:
    """The file that builds hold locked while they stand on an image of the storage."""
    folder = images / "uses"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / image_id[:_ID_LETTERS]


@asynccontextmanager
async def unused(images: Path, image_id: str) -> AsyncGenerator[bool]:
    """While no build may begin to stand on an image; false if one does."""
    file = os.open(use_file(images, image_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(file)

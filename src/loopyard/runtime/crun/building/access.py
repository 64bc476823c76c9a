"""Rights to use images that this host has fetched before.

The storage of images is shared by all accounts. An image is open to all of them under a name if the host got it by that
name without a login of one build's own: anybody could fetch it so. All others are fetched anew for whoever names them.
Then the registry decides, layers that are here are not fetched again, and an image without the right to it is answered
like one that nobody has ever fetched.
"""

import asyncio
from pathlib import Path

from loopyard.runtime.crun.building.buildah import OPEN_FILE, SIZE_FILE, Storage, full_name
from loopyard.runtime.layout import read_json, write_whole

_ID_LETTERS = 32
_OPERATORS = "localhost/"
"""Beginning of names that no registry has: the operator gave them."""


class Access:
    """Rights to the images of a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def find(self, name: str) -> str | None:
        """The id of the image of that name that is here and open to all."""
        found = await asyncio.to_thread(self._storage.local_ids, name)
        if not found and (image_id := await self._storage.known_id(name)) is not None:
            found = [(full_name(name), image_id)]
        for whole, image_id in found:
            if await self._is_open(image_id, whole):
                return image_id
        return None

    def open(self, image_id: str, name: str) -> None:
        """Note that everybody may use an image by this name."""
        names = {*self._names(image_id), full_name(name)}
        write_whole(self._file(image_id, OPEN_FILE), sorted(names))

    async def _is_open(self, image_id: str, whole: str) -> bool:
        if whole.startswith(_OPERATORS) or whole in self._names(image_id):
            return True
        return self._file(image_id, SIZE_FILE).exists() or await self._storage.is_stub(image_id)  # it was imported

    def _names(self, image_id: str) -> set[str]:
        known: list[str] | None = read_json(self._file(image_id, OPEN_FILE))
        return set(known or ())

    def _file(self, image_id: str, end: str) -> Path:
        return self._storage.images / f"image-{image_id[:_ID_LETTERS]}.{end}"

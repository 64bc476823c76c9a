"""Archives of images, as `docker save` and `skopeo copy … oci-archive:` write them: where their layers are, and what
the image says of itself."""

import json
import platform
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_FIRST = re.compile(r"blobs|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64}(\.json)?")
"""Names that such an archive may begin with. Only then all of it is looked through."""

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_MOST_JSON_BYTES = 4 << 20


class BrokenArchive(Exception):
    """An archive of an image that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """`layers` are places and lengths in the archive, from the lowest; `config` is the OCI configuration's `config`."""

    layers: tuple[tuple[int, int], ...]
    config: dict[str, Any]


def find_image(archive: Path) -> ArchivedImage | None:
    """The image that an archive holds; None if it is another archive.

    Raises:
        BrokenArchive: It has several images, or parts of its image are missing.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            first = tar.next()
            if first is None or not _FIRST.fullmatch(first.name.removeprefix("./").partition("/")[0]):
                return None
            return _Contents(archive, tar).image()
    except tarfile.TarError:  # compressed, or none at all: tar says which
        return None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BrokenArchive(f"the archive of an image is damaged: {error}") from error


class _Contents:
    def __init__(self, archive: Path, tar: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {one.name.removeprefix("./"): one for one in tar.getmembers() if not one.isdir()}

    def image(self) -> ArchivedImage | None:
        if "manifest.json" in self._members:
            return self._dockers()
        if "index.json" in self._members and "oci-layout" in self._members:
            return self._ocis()
        return None

    def _dockers(self) -> ArchivedImage:
        images = cast("list[dict[str, Any]]", self._json("manifest.json"))
        if len(images) != 1:
            raise BrokenArchive(f"the archive has {len(images)} images, and one is imported at a time")
        config = self._json(images[0]["Config"])
        return ArchivedImage(tuple(self._place(name) for name in images[0]["Layers"]), config.get("config") or {})

    def _ocis(self) -> ArchivedImage:
        manifest = self._json("index.json")
        while "manifests" in manifest:
            manifest = self._blob(_of_this_machine(manifest["manifests"]))
        config = self._blob(manifest["config"])
        layers = tuple(self._place(_path(one)) for one in manifest["layers"])
        return ArchivedImage(layers, config.get("config") or {})

    def _blob(self, named: dict[str, Any]) -> dict[str, Any]:
        return self._json(_path(named))

    def _json(self, name: str) -> Any:
        start, size = self._place(name)
        if size > _MOST_JSON_BYTES:
            raise BrokenArchive(f"{name} in the archive is too large")
        with self._archive.open("rb") as file:
            file.seek(start)
            return json.loads(file.read(size))

    def _place(self, name: str) -> tuple[int, int]:
        member, left = self._members.get(name), 10
        while member is not None and (member.issym() or member.islnk()) and left:  # layers that are there twice
            target = member.linkname
            if member.issym():
                target = f"{name.rpartition('/')[0]}/{target}".lstrip("/")
                target = re.sub(r"[^/]+/\.\./", "", target)
            name, left = target, left - 1
            member = self._members.get(name)
        if member is None or not member.isreg():
            raise BrokenArchive(f"{name} is missing in the archive")
        return member.offset_data, member.size


def _of_this_machine(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    machine = _MACHINES.get(platform.machine(), platform.machine())
    fitting = [one for one in manifests if one.get("platform", {}).get("architecture", machine) == machine]
    if len(fitting) != 1:
        raise BrokenArchive(f"the archive has {len(fitting)} images for {machine}, and one is imported at a time")
    return fitting[0]


def _path(named: dict[str, Any]) -> str:
    return f"blobs/{named['digest'].replace(':', '/', 1)}"

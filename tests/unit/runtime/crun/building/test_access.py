"""Who may use an image that this host has: everybody, if it was had without a build's own login, or imported."""

import asyncio
import json
from pathlib import Path

import pytest

from loopyard.runtime.crun.building.access import Access
from loopyard.runtime.crun.building.buildah import Storage, full_name
from loopyard.runtime.crun.building.fetching import check_reference
from loopyard.runtime.images import BuildFailed

_ID, _OTHER = "a" * 64, "b" * 64


class StorageWithoutBuildah(Storage):
    """A storage whose images are listed, and of which buildah says what is set here."""

    stubs: frozenset[str] = frozenset()
    by_short_name: str | None = None

    async def known_id(self, name: str) -> str | None:
        return self.by_short_name if name else None

    async def is_stub(self, image_id: str) -> bool:
        return image_id in self.stubs


@pytest.fixture
def storage(tmp_path: Path) -> StorageWithoutBuildah:
    return StorageWithoutBuildah(tmp_path)


def put(storage: Storage, *images: tuple[str, str]) -> None:
    """Have the storage list these images: ids and names."""
    (storage.root / "overlay-images").mkdir(parents=True, exist_ok=True)
    listed = [{"id": image_id, "names": [name]} for image_id, name in images]
    (storage.root / "overlay-images/images.json").write_text(json.dumps(listed))


def found(storage: Storage, name: str) -> str | None:
    return asyncio.run(Access(storage).find(name))


def test_an_image_is_open_by_the_name_by_which_it_was_had_without_a_login(storage: StorageWithoutBuildah) -> None:
    put(storage, (_ID, "one.example/team/tool:1"))
    assert found(storage, "one.example/team/tool:1") is None
    Access(storage).open(_ID, "two.example/team/tool:1")
    assert found(storage, "one.example/team/tool:1") is None
    Access(storage).open(_ID, "one.example/team/tool:1")
    assert found(storage, "one.example/team/tool:1") == _ID
    put(storage, (_OTHER, "one.example/team/tool:1"))  # the name has moved on
    assert found(storage, "one.example/team/tool:1") is None


def test_imported_images_and_names_of_the_operators_are_open(storage: StorageWithoutBuildah) -> None:
    put(storage, (_ID, full_name("debian:12")))
    assert found(storage, "debian:12") is None
    storage.stubs = frozenset({_ID})
    assert found(storage, "debian:12") == _ID
    put(storage, (_OTHER, "localhost/tool:latest"))
    assert found(storage, "localhost/tool") == _OTHER
    assert found(storage, "tool") == _OTHER


def test_an_image_of_a_registry_does_not_hide_the_operators_of_the_same_name(storage: StorageWithoutBuildah) -> None:
    put(storage, (_ID, full_name("tool")), (_OTHER, "localhost/tool:latest"))
    assert found(storage, "tool") == _OTHER
    Access(storage).open(_ID, "tool")
    assert found(storage, "tool") == _ID


def test_short_names_that_only_buildah_knows_have_to_be_open_too(storage: StorageWithoutBuildah) -> None:
    storage.by_short_name = _ID
    assert found(storage, "shortened") is None
    Access(storage).open(_ID, "shortened:latest")
    assert found(storage, "shortened") == _ID


@pytest.mark.parametrize(
    "name", [f"sha256:{_ID}", "localhost/loopyard:1", "loopyard:1", "localhost/loopyard-base:1", "loopyard"]
)
def test_neither_ids_nor_names_of_blueprints_are_names_of_images(name: str) -> None:
    with pytest.raises(BuildFailed):
        check_reference(name)


def test_names_that_only_look_so_are_names_of_images() -> None:
    for name in ("loopyard/tool", "example.org/loopyard:1", "abcdef"):
        check_reference(name)

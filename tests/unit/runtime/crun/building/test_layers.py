"""The cache of steps, and the layers that it speaks of."""

from pathlib import Path

import pytest

from loopyard.runtime.crun.building import layers
from loopyard.runtime.crun.building.layers import Layer, Layers


def made(cache: Layers, name: str) -> Layer:
    """A layer with one file."""
    folder = cache.begin()
    (folder / "upper" / name).write_text(name)
    return cache.complete(folder)


def test_a_step_is_found_by_its_key_as_long_as_its_layer_is_there(tmp_path: Path) -> None:
    cache = Layers(tmp_path)
    assert cache.find("a") is None
    layer = cache.keep("a", made(cache, "file"))
    assert cache.find("a") == layer
    assert (Path(cache.path(layer)) / "file").read_text() == "file"
    assert Layers(tmp_path).find("a") == layer
    cache.free(layer.name)
    assert cache.find("a") is None


def test_the_first_layer_of_a_key_counts_and_an_empty_one_is_none(tmp_path: Path) -> None:
    cache, other = Layers(tmp_path), Layers(tmp_path)
    first = cache.keep("a", made(cache, "one"))
    second = made(other, "two")
    assert other.keep("a", second) == first
    assert not (other.folder / second.name).exists()
    assert not cache.complete(cache.begin())
    assert cache.keep("b", Layer("")) == cache.find("b") == Layer("")
    assert [one.name for one in cache.folder.iterdir()] == [first.name]


def test_what_was_not_synced_before_the_machine_went_down_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Layers(tmp_path)
    cache.keep("lost", made(cache, "lost"))
    kept = cache.keep("kept", made(cache, "kept"))
    cache.sync(["kept"])
    boot = tmp_path / "boot_id"
    boot.write_text("another boot")
    monkeypatch.setattr(layers, "_BOOT", boot)
    after = Layers(tmp_path)
    assert after.find("lost") is None
    assert after.find("kept") == kept


def test_unused_layers_are_those_that_nothing_speaks_of(tmp_path: Path) -> None:
    cache = Layers(tmp_path)
    used, old, of_a_blueprint = (cache.keep(name, made(cache, name)) for name in ("used", "old", "blueprint"))
    half_made = cache.begin()
    orphan = made(cache, "orphan")
    cache.keep_alias("alias", "old")
    later = 2**40
    assert set(cache.unused(0, ())) == {half_made.name, orphan.name}
    assert set(cache.unused(later, {"blueprint"})) == {half_made.name, orphan.name, used.name, old.name}
    assert of_a_blueprint.name not in cache.unused(later, {"blueprint"})
    assert cache.alias("alias") == "old"
    cache.forget_empty(later, ())
    assert cache.alias("alias") is None


def test_a_damaged_cache_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "build-cache.db").write_bytes(b"no database" * 1000)
    assert Layers(tmp_path).find("a") is None

"""Space that files share, by links and by reflinks where the file system has them."""

import fcntl
import os
from pathlib import Path

import pytest

from loopyard.runtime.shared_bytes import shared_spaces

_MIB = 1 << 20
_CLONE = 0x40049409


def _write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(_MIB))
    return path


def test_links_take_space_once(tmp_path: Path) -> None:
    layer = _write(tmp_path / "layers/one/file")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").hardlink_to(layer)
    _write(tmp_path / "root/own")
    layers, images = shared_spaces([[tmp_path / "layers"], [tmp_path]], 60)
    assert _MIB <= layers.apparent == layers.on_disk < 1.2 * _MIB
    assert 2 * _MIB <= images.apparent < 2.2 * _MIB
    assert images.apparent - images.on_disk == layer.lstat().st_blocks * 512
    assert layers.complete
    assert images.complete


def test_reflinks_take_space_once(tmp_path: Path) -> None:
    one = _write(tmp_path / "one")
    with one.open("rb") as source, (tmp_path / "two").open("wb") as target:
        try:
            fcntl.ioctl(target, _CLONE, source.fileno())
        except OSError:
            pytest.skip("this file system has no reflinks")
        os.fsync(target)
    (space,) = shared_spaces([[tmp_path]], 60)
    assert space.apparent >= 2 * _MIB
    assert space.apparent - space.on_disk == _MIB


def test_looking_ends_in_time(tmp_path: Path) -> None:
    _write(tmp_path / "file")
    (space,) = shared_spaces([[tmp_path]], -1)
    assert not space.complete
    assert shared_spaces([[tmp_path / "missing"]], 60)[0].apparent == 0

"""A large image is imported, and stands as a blueprint, without being copied more than once.

`LOOPYARD_TEST_IMAGE_MIB` says how large it is: 1,024 MiB for an image's archive and 256 MiB for a root file system's if
nobody says so, 10,240 for the size that was promised.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest

from loopyard.runtime.crun.storage.disk_use import disk_use
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import complete, fresh, output
from tests.slow.blueprint.images import busybox_archive

_MIB = 1 << 20
_FILES = 4
_NAME = "large:test"


class _Noise(io.RawIOBase):
    """Endless content that no file system makes smaller."""

    def read(self, size: int = -1) -> bytes:
        return os.urandom(size)


def _add_large_files(tar: tarfile.TarFile, size: int) -> None:
    for number in range(_FILES):
        member = tarfile.TarInfo(f"large-{number}")
        member.size = size // _FILES
        tar.addfile(member, _Noise())


def _write_root(file: IO[bytes], busybox: Path, size: int) -> None:
    file.write(busybox.read_bytes())
    file.seek(0)
    with tarfile.open(fileobj=file, mode="a:") as tar:
        _add_large_files(tar, size)


def _write_image(file: IO[bytes], busybox: Path, size: int) -> None:
    """An archive as `skopeo copy … oci-archive:` writes it, with a layer of each."""
    large = _FILES * (size // _FILES + tarfile.BLOCKSIZE) + 2 * tarfile.BLOCKSIZE
    large += -large % tarfile.RECORDSIZE
    layers = [{"digest": "sha256:busybox"}, {"digest": "sha256:large"}]
    named = {
        "blobs/sha256/config": {"config": {"Env": ["OF_THE_ARCHIVE=yes"]}},
        "blobs/sha256/manifest": {"config": {"digest": "sha256:config"}, "layers": layers},
        "index.json": {"manifests": [{"digest": "sha256:manifest"}]},
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
    }
    with tarfile.open(fileobj=file, mode="w:") as tar:
        for name, content in [(name, json.dumps(content).encode()) for name, content in named.items()]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        tar.add(busybox, "blobs/sha256/busybox")
        member = tarfile.TarInfo("blobs/sha256/large")
        member.size = large
        file.write(member.tobuf())
        with tarfile.open(fileobj=file, mode="w|") as layer:
            _add_large_files(layer, size)


@pytest.fixture(scope="module", params=[("image", 1024), ("root file system", 256)], ids=lambda given: given[0])
def large(request: pytest.FixtureRequest) -> tuple[str, int]:
    """The kind of an archive, and its size in bytes."""
    kind, size = request.param
    return kind, int(os.environ.get("LOOPYARD_TEST_IMAGE_MIB", str(size))) * _MIB


@pytest.fixture(scope="module")
def folder(large: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("large")
    if shutil.disk_usage(folder).free < 3 * large[1]:
        pytest.skip("there is no room for such an image")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def archive(large: tuple[str, int], folder: Path) -> Path:
    """A busybox with some large files."""
    busybox, made = busybox_archive(folder), folder / "large.tar"
    with made.open("w+b") as file:
        (_write_image if large[0] == "image" else _write_root)(file, busybox, large[1])
    return made


@pytest.fixture(scope="module")
def server(folder: Path, images: Path) -> Generator[ServerProcess]:
    own = folder / "images"
    own.mkdir()
    base = (images / "base").resolve()
    subprocess.run(["cp", "--archive", "--link", str(base), str(own)], check=True)
    (own / "base").symlink_to(base.name)
    with serving(folder / "data", env={"LOOPYARD_RUNTIME__IMAGES": str(own)}) as server:
        yield server


def _written(loopyard: Path, archive: Path, images: Path) -> tuple[int, int]:
    """How many bytes an import writes, with all that it starts: by calls, and to the disk."""
    script = '"$0" image import "$1" "$2" >/dev/null && cat /proc/$$/io'
    done = subprocess.run(
        ["bash", "-c", script, str(loopyard), str(archive), _NAME],
        env={**os.environ, "LOOPYARD_RUNTIME__IMAGES": str(images)},
        capture_output=True,
        text=True,
        check=True,
    )
    counts = dict(line.split(": ") for line in done.stdout.splitlines())
    return int(counts["wchar"]), int(counts["write_bytes"])


def _used(folder: Path) -> int:
    os.sync()
    return disk_use([folder])[0]


def test_a_large_image_is_written_once(
    large: tuple[str, int], folder: Path, archive: Path, server: ServerProcess
) -> None:
    kind, size = large
    images, loopyard = folder / "images", Path(sys.executable).with_name("loopyard")
    assert archive.stat().st_size > size
    before = _used(folder)
    by_calls, to_disk = _written(loopyard, archive, images)
    assert size <= by_calls < 1.1 * size
    assert to_disk < 1.2 * size
    with server.client() as client:
        plain = complete(client, "plain", dockerfile=f"FROM {_NAME}\n")
        built = complete(client, "built", dockerfile=f"FROM {_NAME}\n{fresh()}RUN echo more > /more\nENV A=b\n")
        assert _used(folder) - before < 1.5 * size
        for blueprint in (plain, built):
            look = "ls -l /large-0 | wc -l; cat /more 2>/dev/null || echo none; echo $OF_THE_ARCHIVE"
            printed = output(client, look, blueprint_id=blueprint.id).split()
            assert printed == ["1", "more" if blueprint is built else "none", *(["yes"] if kind == "image" else [])]
        # All folders have links to the file that was imported.
        assert len({file.stat().st_ino for file in images.glob("image-*/large-0")}) == 1
    listed = subprocess.run(
        [str(loopyard), "image", "list"],
        env={**os.environ, "LOOPYARD_RUNTIME__IMAGES": str(images)},
        capture_output=True,
        text=True,
        check=True,
    )
    row = next(line for line in listed.stdout.splitlines() if _NAME in line)
    assert float(row.split("\t")[1].removesuffix(" MB").replace(",", "")) * 1e6 >= size

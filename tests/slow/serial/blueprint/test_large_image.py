"""A large image is imported, and stands as a blueprint, without being copied more than once.

`LOOPYARD_TEST_IMAGE_MIB` says how large it is: 256 MiB if nobody says so, 10,240 for the size that was promised.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import complete, fresh, output
from tests.slow.blueprint.images import busybox_archive

_MIB = 1 << 20
_SIZE = int(os.environ.get("LOOPYARD_TEST_IMAGE_MIB", "256")) * _MIB
_FILES = 4
_NAME = "large:test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("large")
    if shutil.disk_usage(folder).free < 3 * _SIZE:
        pytest.skip("there is no room for such an image")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    """A busybox with some files that no file system makes smaller."""
    made = busybox_archive(folder)
    (folder / "busybox-root").rename(folder / "more")
    shutil.rmtree(folder / "more")
    (folder / "more").mkdir()
    for number in range(_FILES):
        with (folder / f"more/large-{number}").open("wb") as file:
            for _ in range(_SIZE // _FILES // _MIB):
                file.write(os.urandom(_MIB))
    subprocess.run(["tar", "-C", str(folder / "more"), "-rf", str(made), "."], check=True)
    shutil.rmtree(folder / "more")
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


def _written(loopyard: Path, archive: Path, images: Path) -> int:
    """How many bytes an import writes, with all that it starts."""
    script = '"$0" image import "$1" "$2" >/dev/null && cat /proc/$$/io'
    done = subprocess.run(
        ["bash", "-c", script, str(loopyard), str(archive), _NAME],
        env={**os.environ, "LOOPYARD_RUNTIME__IMAGES": str(images)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(dict(line.split(": ") for line in done.stdout.splitlines())["wchar"])


def _used(folder: Path) -> int:
    os.sync()
    return shutil.disk_usage(folder).used


def test_a_large_image_is_written_once(folder: Path, archive: Path, server: ServerProcess) -> None:
    images, loopyard = folder / "images", Path(sys.executable).with_name("loopyard")
    assert archive.stat().st_size > _SIZE
    before = _used(folder)
    assert _SIZE <= _written(loopyard, archive, images) < 1.1 * _SIZE
    with server.client() as client:
        plain = complete(client, "plain", dockerfile=f"FROM {_NAME}\n")
        begun = time.monotonic()
        built = complete(client, "built", dockerfile=f"FROM {_NAME}\n{fresh()}RUN echo more > /more\nENV A=b\n")
        took = time.monotonic() - begun
        # What tests of others write meanwhile is little: this one runs alone.
        assert _used(folder) - before < 1.5 * _SIZE
        for blueprint in (plain, built):
            look = "ls -l /large-0 | wc -l; cat /more 2>/dev/null || echo none"
            printed = output(client, look, blueprint_id=blueprint.id).split()
            assert printed == ["1", "more" if blueprint is built else "none"]
        # All folders have links to the file that was imported.
        assert len({file.stat().st_ino for file in images.glob("image-*/large-0")}) == 1
        assert took < 60
    listed = subprocess.run(
        [str(loopyard), "image", "list"],
        env={**os.environ, "LOOPYARD_RUNTIME__IMAGES": str(images)},
        capture_output=True,
        text=True,
        check=True,
    )
    row = next(line for line in listed.stdout.splitlines() if _NAME in line)
    assert float(row.split("\t")[1].removesuffix(" MB").replace(",", "")) * 1e6 >= _SIZE

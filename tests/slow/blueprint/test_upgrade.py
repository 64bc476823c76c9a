"""A data folder of a version whose blueprints buildah has built is opened by today's server.

The old server is that of the commit below, from this repository, run by the packages of today.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.commands import loopyard
from tests.integration.devbox.waiting import run, wait_until
from tests.serving import ServerProcess
from tests.slow.blueprint.building import complete, fresh, output, said
from tests.slow.blueprint.images import busybox_archive

_COMMIT = "566db5e878739e866c2147a8610c7c8d369d1826"
_IMPORTED = "localhost/busybox:old"
_NAME_OF_BASE = """
import asyncio, sys
from pathlib import Path
from loopyard.config import load
from loopyard.runtime.base_image import making
making._make = lambda images, name, *more: sys.exit(print(name))
asyncio.run(making.ensure_base(Path(sys.argv[1]), load().runtime.ca_bundle))
"""
"""Prints how the base image of a version is called."""

_FIRST = """FROM loopyard-base
RUN useradd --create-home bob && mkdir /srv/work && chown bob /srv/work
RUN --mount=type=cache,target=/var/kept echo of the old version >> /var/kept/file
ENV COLOUR=green
RUN echo $COLOUR > /srv/colour && ln -s colour /srv/link
USER bob
WORKDIR /srv/work
"""
_LOOK = "cat /srv/link; echo $COLOUR; id -un; pwd"
_SEEN = "green\ngreen\nbob\n/srv/work\n"


@dataclass(frozen=True, slots=True)
class Left:
    """Ids of what the old version has made."""

    first: str
    second: str
    imported: str
    running: str
    suspended: str
    snapshot: str


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the old version."""
    repository = Path(__file__).parents[3]
    folder = tmp_path_factory.mktemp("source")
    archive = folder / "source.tar"
    command = ["git", "-C", str(repository), "archive", f"--output={archive}", _COMMIT, "src"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"commit {_COMMIT[:7]} is not in this clone: {done.stderr.strip()}")
    subprocess.run(["tar", "-C", str(folder), "-xf", str(archive)], check=True)
    return folder / "src"


@pytest.fixture(scope="module")
def own_images(source: Path, tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """A folder of images with a base image for either version: today's, which goes by the old name too."""
    folder = tmp_path_factory.mktemp("images")
    base = (images / "base").resolve()
    printed = subprocess.run(
        [sys.executable, "-c", _NAME_OF_BASE, str(tmp_path_factory.mktemp("empty"))],
        env=_environment(source, folder),
        capture_output=True,
        text=True,
        check=True,
    )
    for name in (base.name, printed.stdout.strip()):
        subprocess.run(["cp", "--archive", "--link", str(base), str(folder / name)], check=True)
    return folder


def _environment(source: Path, images: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(source), "LOOPYARD_RUNTIME__IMAGES": str(images)}


@pytest.fixture(scope="module")
def upgraded(
    source: Path, own_images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[ServerProcess, Left]]:
    """Today's server over the old one's folder, and what there is."""
    folder = tmp_path_factory.mktemp("upgraded")
    environment = _environment(source, own_images)
    archive = busybox_archive(folder)
    loading = [sys.executable, "-m", "loopyard", "image", "import", str(archive), _IMPORTED]
    subprocess.run(loading, env=environment, check=True, capture_output=True)
    server = ServerProcess(folder / "data")
    server.premade = False
    server.before = ["env"]  # a program of its own, so that it is of the old version
    server.start(environment)
    with server.client() as client:
        left = _make(client)
    assert server.stop() == 0
    assert list((own_images / "storage/overlay-layers").glob("*")), "buildah has not built these"
    server.before = []
    server.start({"LOOPYARD_RUNTIME__IMAGES": str(own_images)})
    try:
        yield server, left
    finally:
        with server.client() as client:
            for devbox in client.devboxes.list():
                if devbox.status not in ("shutdown", "failure"):
                    client.devboxes.shutdown(devbox.id)
        server.stop()


def _make(client: Runloop) -> Left:
    first = complete(client, "first", dockerfile=_FIRST)
    second = complete(client, "second", base_blueprint_id=first.id, system_setup_commands=["echo two > /srv/work/two"])
    imported = complete(client, "imported", dockerfile=f"FROM {_IMPORTED}\nRUN echo three > /three\n")
    running = client.devboxes.create_and_await_running(blueprint_id=second.id)
    run(client, running.id, "echo of the box > /srv/work/box")
    suspended = client.devboxes.create_and_await_running(blueprint_id=first.id)
    run(client, suspended.id, "echo of the box > /srv/work/box")
    snapshot = client.devboxes.snapshot_disk(suspended.id)
    client.devboxes.suspend(suspended.id)
    client.devboxes.await_suspended(suspended.id)
    return Left(first.id, second.id, imported.id, running.id, suspended.id, snapshot.id)


@pytest.fixture
def client(upgraded: tuple[ServerProcess, Left]) -> Generator[Runloop]:
    with upgraded[0].client() as client:
        yield client


@pytest.fixture
def left(upgraded: tuple[ServerProcess, Left]) -> Left:
    return upgraded[1]


def _free(server: ServerProcess) -> None:
    done = loopyard("gc", "--json", "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stderr


def _assert_all_is_there(client: Runloop, left: Left) -> None:
    assert output(client, _LOOK, blueprint_id=left.first) == _SEEN
    assert output(client, f"{_LOOK}; cat two", blueprint_id=left.second) == f"{_SEEN}two\n"
    assert output(client, "cat /three", blueprint_id=left.imported) == "three\n"
    assert output(client, f"{_LOOK}; cat box", snapshot_id=left.snapshot) == f"{_SEEN}of the box\n"


def test_devboxes_go_on(client: Runloop, left: Left) -> None:
    assert client.devboxes.retrieve(left.running).status == "running"
    assert run(client, left.running, f"{_LOOK}; cat two box") == f"{_SEEN}two\nof the box\n"
    client.devboxes.resume(left.suspended)
    client.devboxes.await_running(left.suspended)
    assert run(client, left.suspended, f"{_LOOK}; cat box") == f"{_SEEN}of the box\n"


def test_blueprints_and_snapshots_boot_after_what_is_not_needed_is_freed(
    client: Runloop, upgraded: tuple[ServerProcess, Left]
) -> None:
    server, left = upgraded
    _assert_all_is_there(client, left)
    _free(server)
    _assert_all_is_there(client, left)


def test_blueprints_are_built_on_those_of_the_old_version(client: Runloop, left: Left) -> None:
    for base, seen in ((left.first, _SEEN), (left.second, f"{_SEEN}two\n")):
        built = complete(client, base_blueprint_id=base, system_setup_commands=["cat /srv/link > /srv/work/more"])
        command = f"{_LOOK}; cat two 2>/dev/null; cat more"
        assert output(client, command, blueprint_id=built.id) == f"{seen}green\n"
    again = complete(client, dockerfile=f"FROM {_IMPORTED}\n{fresh()}RUN echo four > /four\n")
    assert output(client, "cat /four", blueprint_id=again.id) == "four\n"


def test_a_dockerfile_that_was_built_before_is_built_anew(client: Runloop, left: Left) -> None:
    complete(client, dockerfile=_FIRST)
    again = complete(client, dockerfile=_FIRST)
    assert output(client, _LOOK, blueprint_id=again.id) == _SEEN
    assert "Using cache" in said(client, again.id)


def test_what_is_deleted_is_freed(upgraded: tuple[ServerProcess, Left], own_images: Path) -> None:
    server, left = upgraded
    with server.client() as client:
        for devbox in client.devboxes.list():
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)
        client.devboxes.disk_snapshots.delete(left.snapshot)
        for blueprint in client.blueprints.list():
            client.blueprints.delete(blueprint.id)

    def left_of_images() -> list[str]:
        """Names in the storage, and links of blueprints; blueprints are deleted a moment after that was asked for."""
        _free(server)
        listed = json.loads((own_images / "storage/overlay-images/images.json").read_bytes())
        names = [name for one in listed for name in one.get("names") or ()]
        return names + [one.name for one in own_images.iterdir() if one.name.startswith("bpt_")]

    wait_until(lambda: left_of_images() == [_IMPORTED], lambda: f"there are {left_of_images()}", 60)

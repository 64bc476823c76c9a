"""A server of the tests' own, with images of its own in which a busybox is imported."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess, serving
from tests.slow.blueprint.images import busybox_archive, import_image


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory, images: Path) -> str:
    """The name of an image that is one static program."""
    archive = busybox_archive(tmp_path_factory.mktemp("busybox"))
    import_image(Path(sys.executable).with_name("loopyard"), archive, "busybox:test")
    return "busybox:test"


@pytest.fixture(scope="session")
def build_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("builds") / "data") as process:
        yield process


@pytest.fixture
def builds(build_server: ServerProcess) -> Generator[Runloop]:
    with build_server.client() as client:
        yield client

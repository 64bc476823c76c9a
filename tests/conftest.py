"""Fixtures that all tests share: real databases, and a real server with the official client."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import hypothesis
import pytest
from runloop_api_client import AsyncRunloop, Runloop

from tests import commands
from tests.forking import Forking
from tests.postgres import PostgresCluster, postgres_cluster
from tests.serving import ServerProcess, serving

hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

pytest_plugins = ("tests.suite.plugin",)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def images() -> Path:
    """Base images are made once and shared by all the data folders that the tests make."""
    folder = Path(os.environ.setdefault("LOOPYARD_RUNTIME__IMAGES", str(Path.home() / ".cache/loopyard/images")))
    os.environ.setdefault("LOOPYARD_RUNTIME__DISK_GIB", "20")
    # Servers come and go here; the tests of ready sandboxes ask for theirs.
    os.environ.setdefault("LOOPYARD_RUNTIME__READY_SANDBOXES", "0")
    return folder


@pytest.fixture(scope="session", autouse=True)
def forking() -> Generator[None]:
    """Servers and commands are forked from one process that has loaded what they need."""
    with closing(Forking()) as commands.forking:
        yield
    commands.forking = None


@contextmanager
def no_leak() -> Generator[None]:
    """Fail if the environment or the working directory is another one at the end: later tests would have it too."""
    before, folder = dict(os.environ), Path.cwd()
    yield
    names = before.keys() | os.environ.keys()
    changed = {name for name in names if before.get(name) != os.environ.get(name)} - {"PYTEST_CURRENT_TEST"}
    assert not changed, f"left changed for later tests: {sorted(changed)}"
    assert Path.cwd() == folder


@pytest.fixture(scope="module", autouse=True)
def no_leak_from_file(images: Path) -> Generator[None]:
    with no_leak():
        yield


@pytest.fixture(autouse=True)
def no_leak_from_test(no_leak_from_file: None) -> Generator[None]:
    with no_leak():
        yield


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresCluster]:
    """A PostgreSQL of the tests' own."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server that the tests of the session share. Leave it running."""
    with serving(tmp_path_factory.mktemp("server") / "data") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Generator[Runloop]:
    """The official client on the shared server."""
    with server.client() as client:
        yield client


@pytest.fixture
async def async_client(server: ServerProcess) -> AsyncGenerator[AsyncRunloop]:
    """The official asynchronous client on the shared server."""
    async with server.async_client() as client:
        yield client

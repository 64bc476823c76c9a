"""Fixtures that all tests share: real databases, and a real server with the official client."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from pathlib import Path

import pytest
from runloop_api_client import AsyncRunloop, Runloop

from loopyard.kit.db import Database
from loopyard.store import migrate
from tests import commands
from tests.forking import Forking
from tests.postgres import PostgresCluster, postgres_cluster
from tests.serving import ServerProcess, serving
from tests.suite.durations import RunDurations, WorkerDurations


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("numprocesses", None):
        config.pluginmanager.register(WorkerDurations())
    if not is_worker:
        config.pluginmanager.register(RunDurations())


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


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresCluster]:
    """A PostgreSQL of the tests' own."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Database]:
    """An empty, up-to-date store, once on each engine."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = cluster.new_database().replace("postgresql://", "postgresql+asyncpg://")
    database = Database(url)
    await migrate.upgrade(database)
    yield database
    await database.close()


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

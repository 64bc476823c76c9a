"""Fixtures of the unit layer: a store in memory, and a guard against all that a unit test has no business with."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, cast

import pytest
from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig

from loopyard.kit.db.database import Database
from tests.integration.benchmark_job.conftest import TINY
from tests.stores import put_empty_store
from tests.unit.guard import guard
from tests.unit.in_process.server import InProcessServer, reached_by_name

POLL = PollingConfig(interval_seconds=0.01, max_attempts=6000)
_HERE = Path(__file__).parent
_MEMORY = Path("/dev/shm")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that are written for real sandboxes and imported here, those that state semantics are run."""
    dropped = [item for item in items if _is_borrowed(item) and item.get_closest_marker("semantic") is None]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]


def _is_borrowed(item: pytest.Item) -> bool:
    module: str = cast("Any", item).function.__module__ if isinstance(item, pytest.Function) else ""
    return item.path.is_relative_to(_HERE) and module.startswith("tests.integration.")


@pytest.fixture(autouse=True)
def guarded() -> Generator[None]:
    """Fails a test that leaves the process, by sockets, programs, or files outside of temporary folders."""
    with guard.watching() as faults:
        yield
    assert not faults, f"a unit test must not: {'; '.join(faults)}"


@pytest.fixture(scope="session")
def memory() -> Generator[Path]:
    """A folder in memory, or where the host has none, an ordinary temporary one."""
    top = tempfile.mkdtemp(prefix="loopyard-unit-", dir=_MEMORY if _MEMORY.is_dir() else None)
    yield Path(top)
    shutil.rmtree(top)


@pytest.fixture
async def database(memory: Path) -> AsyncGenerator[Database]:
    """An empty, up-to-date store on SQLite. The integration layer runs the same tests on PostgreSQL."""
    file = memory / f"{next(_numbers)}.db"
    put_empty_store(file)
    database = Database(f"sqlite+aiosqlite:///{file}")
    yield database
    await database.close()
    file.unlink()


@pytest.fixture(scope="session")
def server(memory: Path) -> Generator[InProcessServer]:
    """Takes the place of the shared server: the whole application in this process, over the fake runtime."""
    (memory / "kinds").mkdir()
    (memory / "kinds" / "tiny.toml").write_text(TINY)
    settings: dict[str, Any] = {"jobs": {"retry_seconds": 0.1, "retries": 2}, "agents": {"catalog": memory / "kinds"}}
    server = InProcessServer(memory / "server", **settings).start()
    with reached_by_name({"loopyard.test": server}):
        yield server
    server.close()


@pytest.fixture(scope="module")
def own_server(memory: Path) -> Generator[InProcessServer]:
    """A server for the tests of a module, which may end it, start it again, and do to its host what they like."""
    server = InProcessServer(memory / f"server-{next(_numbers)}", "own").start()
    yield server
    server.close()


@pytest.fixture
def own(own_server: InProcessServer) -> Generator[Runloop]:
    """The official client on that one."""
    with own_server.client() as client:
        yield client


@pytest.fixture
def api(server: InProcessServer) -> Generator[Runloop]:
    """The official client, which tries nothing again."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def module_client(server: InProcessServer) -> Generator[Runloop]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def devbox_id(module_client: Runloop) -> Generator[str]:
    """A running devbox of the default kind."""
    devbox = module_client.devboxes.create_and_await_running(name="shared", polling_config=POLL)
    yield devbox.id
    module_client.devboxes.shutdown(devbox.id)

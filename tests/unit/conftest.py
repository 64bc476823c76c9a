"""Fixtures of the unit layer: a store in memory, and a guard against all that a unit test has no business with."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, cast

import pytest

from loopyard.kit.db import Database
from loopyard.store import migrate
from tests.unit.guard import guard

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


@pytest.fixture(scope="session")
async def empty_store(memory: Path) -> Path:
    """An up-to-date store with nothing in it, to be copied: the migrations take longer than most tests."""
    file = memory / "empty.db"
    database = Database(f"sqlite+aiosqlite:///{file}")
    await migrate.upgrade(database)
    await database.close()
    return file


@pytest.fixture
async def database(memory: Path, empty_store: Path) -> AsyncGenerator[Database]:
    """An empty, up-to-date store on SQLite. The integration layer runs the same tests on PostgreSQL."""
    file = memory / f"{next(_numbers)}.db"
    shutil.copyfile(empty_store, file)
    database = Database(f"sqlite+aiosqlite:///{file}")
    yield database
    await database.close()
    file.unlink()

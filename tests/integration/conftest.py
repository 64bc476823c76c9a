"""Fixtures of the integration layer: the store on PostgreSQL, for tests that the unit layer runs on SQLite."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

from loopyard.kit.db.database import Database
from tests.postgres import PostgresCluster
from tests.stores import new_store

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the unit tests that are imported here, those that use a store are run."""
    dropped = [item for item in items if _is_borrowed(item) and "database" not in item.fixturenames]  # type: ignore[attr-defined]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]


def _is_borrowed(item: pytest.Item) -> bool:
    module: str = cast("Any", item).function.__module__ if isinstance(item, pytest.Function) else ""
    return item.path.is_relative_to(_HERE) and module.startswith("tests.unit.")


@pytest.fixture
async def database(postgres: PostgresCluster) -> AsyncGenerator[Database]:
    """An empty, up-to-date store on PostgreSQL. The unit layer runs the same tests on SQLite."""
    database = Database(new_store(postgres).replace("postgresql://", "postgresql+asyncpg://"))
    yield database
    await database.close()

"""Stores with nothing in them, ready to be used: the migrations take longer than most tests, so they run once."""

import asyncio
import tempfile
import threading
from functools import cache
from pathlib import Path

from loopyard.kit.db.database import Database
from loopyard.store import migrate
from tests.postgres import PostgresCluster


def put_empty_store(file: Path) -> None:
    """Make an up-to-date store in a file that is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as store:
        store.write(_content())


def new_store(cluster: PostgresCluster) -> str:
    """Make a database with an up-to-date store on PostgreSQL, and return its URL."""
    return cluster.new_database(template=_template(cluster))


@cache
def _content() -> bytes:
    """The file of an up-to-date store."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        _migrate(f"sqlite+aiosqlite:///{file}")
        return file.read_bytes()


@cache
def _template(cluster: PostgresCluster) -> str:
    """The name of a database with an up-to-date store, which nobody is connected to."""
    url = cluster.new_database()
    _migrate(url.replace("postgresql://", "postgresql+asyncpg://"))
    return url.rpartition("/")[2]


def _migrate(url: str) -> None:
    async def make() -> None:
        database = Database(url)
        await migrate.upgrade(database)
        await database.close()

    making = threading.Thread(target=lambda: asyncio.run(make()))  # there may be an event loop in this one
    making.start()
    making.join()

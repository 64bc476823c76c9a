"""Stores with nothing in them, ready to be used: the migrations take longer than most tests, so they run once."""

import asyncio
import tempfile
import threading
from functools import cache
from pathlib import Path

from loopyard.kit.db import Database
from loopyard.store import migrate


@cache
def _content() -> bytes:
    """The file of an up-to-date store."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"

        async def make() -> None:
            database = Database(f"sqlite+aiosqlite:///{file}")
            await migrate.upgrade(database)
            await database.close()

        making = threading.Thread(target=lambda: asyncio.run(make()))  # there may be an event loop in this one
        making.start()
        making.join()
        return file.read_bytes()


def put_empty_store(file: Path) -> None:
    """Make an up-to-date store in a file that is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as store:
        store.write(_content())

"""SQLite's connection for the event loop, with one change of threads for each statement.

SQLAlchemy's adapter asks a driver for a cursor, has it execute, has it fetch, and closes it. With aiosqlite each of
these waits for the connection's thread. Here the thread does them in one go, and the BEGIN of a transaction, too, goes
along with its first statement.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiosqlite

_CHUNK_ROWS = 64


@dataclass(frozen=True, slots=True)
class _Answer:
    """Result of a statement, with all its rows."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: list[Any] = field(default_factory=list[Any])


class Connection(aiosqlite.Connection):
    """To be awaited, as aiosqlite's own."""

    _opening: str | None = None
    _left_alone = False
    """True if somebody stopped waiting for a statement: the thread may be at it still."""

    def begin_with(self, statement: str) -> None:
        """Begin a transaction by this statement, as late as possible: just before the first that is executed."""
        self._opening = statement

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def run(self, sql: str, parameters: Sequence[Any]) -> _Answer:
        """Execute one statement and fetch its rows."""
        return await self._in_thread(self._run, sql, parameters)

    async def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> _Answer:
        """Execute one statement for each set of parameters."""
        return await self._in_thread(self._run_many, sql, parameters)

    async def _in_thread(self, act: Callable[..., _Answer], sql: str, parameters: Any) -> _Answer:
        try:
            return await self._execute(act, self._take_opening(), sql, parameters)  # pyright: ignore[reportUnknownMemberType]
        except asyncio.CancelledError:
            self._left_alone = True
            raise

    async def commit(self) -> None:
        if self._is_begun():
            await super().commit()

    async def rollback(self) -> None:
        if self._is_begun():
            await super().rollback()

    def _is_begun(self) -> bool:
        return self._take_opening() is None and (self.in_transaction or self._left_alone)

    def _take_opening(self) -> str | None:
        opening, self._opening = self._opening, None
        return opening

    def _run(self, opening: str | None, sql: str, parameters: Sequence[Any]) -> _Answer:
        if opening is not None:
            self._conn.execute(opening)
        return _answer(self._conn.execute(sql, parameters))

    def _run_many(self, opening: str | None, sql: str, parameters: Iterable[Sequence[Any]]) -> _Answer:
        if opening is not None:
            self._conn.execute(opening)
        return _answer(self._conn.executemany(sql, parameters))


def _answer(cursor: sqlite3.Cursor) -> _Answer:
    try:
        rows = [] if cursor.description is None else cursor.fetchall()
        return _Answer(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()


class Cursor:
    """As much of aiosqlite's cursor as SQLAlchemy uses. Its rows are there as soon as a statement is executed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answer = _Answer()
        self.arraysize = _CHUNK_ROWS

    async def __aenter__(self) -> "Cursor":
        return self

    @property
    def description(self) -> Any:
        return self._answer.description

    @property
    def rowcount(self) -> int:
        return self._answer.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._answer.lastrowid

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "Cursor":
        self._answer = await self._connection.run(sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> "Cursor":
        self._answer = await self._connection.run_many(sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        return self._answer.rows

    async def close(self) -> None:
        pass


def connect(database: str, **options: Any) -> Connection:
    """A connection that is not open before it is awaited. `options` are those of `sqlite3.connect`."""
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=_CHUNK_ROWS)
    connection._thread.daemon = True  # pyright: ignore[reportPrivateUsage]  # SQLAlchemy's own connections do it, too
    return connection

"""Transactions, the same way on SQLite and PostgreSQL.

Whoever opens a transaction commits it: the request (through `WriteSession`) or a background task (through
`Database.write`). Services and repositories only add to it. What must happen after the commit is handed to
`after_commit`, so that nothing acts on a decision that is not written down yet.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Annotated, Any, cast

from fastapi import Depends
from sqlalchemy import Connection, Executable, Table, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from loopyard.kit.background.priority_lock import PriorityLock
from loopyard.kit.db import sqlite
from loopyard.kit.http.parts import part

log = logging.getLogger("loopyard.store")

_WRITE = "loopyard_write"
_ALONE = "loopyard_alone"
_AFTER_COMMIT = "after_commit"
_BUSY_TIMEOUT_MS = 30_000


def after_commit(session: AsyncSession, action: Callable[[], None]) -> None:
    """Run `action` once the session's transaction is committed; never if it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


def dialect_of(session: AsyncSession) -> str:
    """`sqlite` or `postgresql`."""
    return session.get_bind().dialect.name


def insert_into(table: Table | type[DeclarativeBase], dialect: str) -> postgresql.Insert | sqlite_dialect.Insert:
    """An INSERT that takes `on_conflict_do_nothing` and `on_conflict_do_update` on this dialect."""
    return sqlite_dialect.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def upsert_into(session: AsyncSession, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite_dialect.Insert:
    """The same on the session's engine."""
    return insert_into(table, dialect_of(session))


class Database:
    """The engine and its transactions."""

    def __init__(self, url: str) -> None:
        """Open the store at a SQLAlchemy URL whose driver is `sqlite+aiosqlite` or `postgresql+asyncpg`."""
        self.engine = _engine(url)
        writer = self.engine.execution_options(**{_WRITE: True})
        alone = {_ALONE: True} if self.engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._alone = self.engine.execution_options(**alone)
        self._read = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._write = async_sessionmaker(writer, expire_on_commit=False, autoflush=False)
        # SQLite has one writer. Waiting in order here is faster than its own polling for the lock.
        self._turns = PriorityLock() if self.engine.dialect.name == "sqlite" else None
        self._writing: set[asyncio.Task[object]] = set()
        """The tasks that are in a transaction."""

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session that sees one consistent state and writes nothing."""
        async with self._read() as session:
            yield session

    @asynccontextmanager
    async def write(self, *, last: bool = False) -> AsyncGenerator[AsyncSession]:
        """A transaction, committed at the end of the block, rolled back if the block raises. One that begins something
        new waits until the `last`.

        What was handed to `after_commit` is called once it is committed: all of it, whatever one raises, which is
        logged. Do nothing slow inside.

        Raises:
            RuntimeError: This task is in a transaction already: on SQLite a second one would wait for it for ever.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(self._alone_in_task())
            if self._turns is not None:
                await stack.enter_async_context(self._turns.turn(last=last))
            session = await stack.enter_async_context(self._write())
            async with session.begin():
                yield session
        actions = cast("list[Callable[[], None]]", session.info.pop(_AFTER_COMMIT, []))
        for action in actions:
            try:
                action()
            except Exception:
                log.exception("an action after a commit failed")

    @contextmanager
    def _alone_in_task(self) -> Generator[None]:
        """Refuse a transaction inside of a transaction of the same task."""
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("a transaction was opened inside of another one")
        if task is None:
            yield
            return
        self._writing.add(task)
        try:
            yield
        finally:
            self._writing.discard(task)

    async def write_at_once(self, statement: Executable, values: Mapping[str, Any]) -> Any:
        """Write by one statement that is a transaction by itself, for less than half of what one in a block costs.
        Returns what the statement returns first; None if it returns no row.

        Raises:
            RuntimeError: This task is in a transaction already.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(self._alone_in_task())
            if self._turns is not None:
                await stack.enter_async_context(self._turns.turn())
            connection = await stack.enter_async_context(self._alone.connect())
            return (await connection.execute(statement, values)).scalar()

    async def close(self) -> None:
        await self.engine.dispose()


def _engine(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=20, max_overflow=20, pool_pre_ping=True)
    engine = create_async_engine(
        url,
        pool_size=20,
        max_overflow=20,
        connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "async_creator_fn": sqlite.connect},
    )
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself; _begin_sqlite does
    cursor = connection.cursor()
    # In WAL mode NORMAL keeps every commit through a crash of the process; FULL keeps it through a power cut too.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-65536",
        "mmap_size=1073741824",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns to writing can fail as stale at once; one that means to write says so first.
    options = connection.get_execution_options()
    if options.get(_ALONE, False):
        return
    writes = options.get(_WRITE, False)
    driver = cast("sqlite.Connection", connection.connection.driver_connection)
    driver.begin_with("BEGIN IMMEDIATE" if writes else "BEGIN")


DatabaseDep = Annotated[Database, Depends(part(Database))]


async def _read_session(database: DatabaseDep) -> AsyncIterator[AsyncSession]:
    async with database.read() as session:
        yield session


async def _write_session(database: DatabaseDep) -> AsyncIterator[AsyncSession]:
    async with database.write(last=True) as session:
        yield session


# The function scope commits before the answer is sent: a client never holds an id that is not stored.
ReadSession = Annotated[AsyncSession, Depends(_read_session, scope="function")]
WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]

"""Database of an axon, opened so that statements can neither leave it nor exceed their limits."""

import base64
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from loopyard.axon.sql.worker import limits
from loopyard.axon.sql.worker.authorizer import EVENTS, REQUESTS, RESERVED, Authorizer
from loopyard.axon.sql.worker.events_table import EventsModule, Source

_MODULE = "loopyard_events"

_LIMITS = {
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_COLUMN: limits.COLUMNS,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: limits.EXPRESSION_DEPTH,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 100,
    apsw.SQLITE_LIMIT_LENGTH: limits.VALUE_BYTES,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    apsw.SQLITE_LIMIT_SQL_LENGTH: limits.SQL_BYTES,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: limits.PARAMETERS,
    apsw.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class StatementFailed(Exception):
    """A statement could not be run; the message says why, for the caller."""


@dataclass(slots=True)
class Result:
    """The outcome of one statement, as the wire has it."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]
    duration_ms: float
    changes: int
    cut: bool

    def view(self) -> dict[str, Any]:
        meta = {
            "duration_ms": self.duration_ms,
            "changes": self.changes,
            "rows_read_limit_reached": self.cut,
        }
        return {"columns": self.columns, "rows": self.rows, "meta": meta}


class AxonDatabase:
    """The open database. `begin` a call, run statements, then `commit` or `roll_back`."""

    def __init__(self, path: str, source: Source) -> None:
        apsw.hard_heap_limit(limits.HEAP_BYTES)
        self._authorizer = Authorizer()
        self._deadline = math.inf
        self._bytes_left = 0
        self._state_at_begin = (0, 0)
        connection: Any = apsw.Connection(path)  # its types lean on a later Python's
        self._connection = connection
        connection.set_busy_timeout(2000)
        for setting, value in (
            (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
            (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
            (apsw.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0),
            (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
            (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
        ):
            connection.config(setting, value)
        for pragma in (
            "auto_vacuum=FULL",
            f"page_size={limits.PAGE_BYTES}",
            "journal_mode=TRUNCATE",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "mmap_size=0",
            "cache_size=-8192",
            "cell_size_check=ON",
            f"max_page_count={limits.DATABASE_BYTES // limits.PAGE_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS main.{REQUESTS}"
            "(request_key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, answer BLOB NOT NULL) WITHOUT ROWID"
        )
        connection.create_module(_MODULE, EventsModule(source), use_bestindex_object=True, read_only=True)
        connection.execute(f"CREATE VIRTUAL TABLE temp.{EVENTS} USING {_MODULE}")
        for limit, value in _LIMITS.items():
            connection.limit(limit, value)
        connection.authorizer = self._authorizer
        connection.set_progress_handler(self._is_late, limits.PROGRESS_STEPS)

    def begin(self, seconds: float) -> None:
        """Open the transaction of one call, which may take so long."""
        self._deadline = time.monotonic() + seconds
        self._bytes_left = limits.RESULT_BYTES
        self._own("BEGIN")
        self._state_at_begin = self._state()

    def commit(self) -> None:
        """Keep what the call did.

        Raises:
            StatementFailed: A constraint that is checked at the end does not hold, or there is no room.
        """
        if not self._connection.in_transaction:  # SQLite undid it by itself
            raise StatementFailed(self._explain(apsw.FullError()))
        try:
            self._own("COMMIT")
        except apsw.Error as error:
            raise StatementFailed(self._explain(error)) from error

    def roll_back(self) -> None:
        """Undo all that the call did, if it is not undone already."""
        self._deadline = math.inf
        if self._connection.in_transaction:
            self._own("ROLLBACK")

    def run(self, sql: str, params: Sequence[Any]) -> Result:
        """Run exactly one statement in the open transaction.

        Raises:
            StatementFailed: It is not one statement, is not allowed, failed, or took more than a limit.
        """
        self._authorizer.expect_statement()
        try:
            return self._run(sql, params)
        except StatementFailed:
            raise
        except Exception as error:
            raise StatementFailed(self._explain(error)) from error
        finally:
            self._authorizer.trusted = True

    def _run(self, sql: str, params: Sequence[Any]) -> Result:
        began = time.monotonic()
        before = self._connection.total_changes()
        columns: list[dict[str, str]] = []
        statements = 0

        def trace(cursor: apsw.Cursor, _: str, __: Any) -> bool:
            nonlocal statements
            if cursor.expanded_sql == "":  # a comment, or nothing
                return True
            statements += 1
            if statements == 1:
                described = cursor.get_description()
                columns.extend({"name": one[0], "type": one[1] or ""} for one in described)
            return statements == 1

        cursor = self._connection.cursor()
        cursor.exec_trace = trace
        rows: list[list[Any]] = []
        cut = False
        try:
            for row in cursor.execute(sql, [_bound(value) for value in params]):
                values = [_shown(value) for value in row]
                self._bytes_left -= _size(values)
                if len(rows) >= limits.ROWS or self._bytes_left < 0:
                    cut = True
                    break
                rows.append(values)
        except apsw.ExecTraceAbort:
            raise StatementFailed("Give exactly one statement; a batch takes several.") from None
        finally:
            cursor.close(True)
        if statements == 0:
            raise StatementFailed("There is no statement in this text.")
        if self._authorizer.is_altering:
            self._check_names()
        changes = self._connection.changes() if self._connection.total_changes() != before else 0
        return Result(columns, rows, round((time.monotonic() - began) * 1000, 3), changes, cut)

    def answer_of(self, key: str) -> bytes | None:
        """The answer that was kept for a request; None if there is none."""
        sql = f"SELECT answer FROM main.{REQUESTS} WHERE request_key = ?"  # noqa: S608
        for (answer,) in self._connection.execute(sql, (key,)):
            return answer
        return None

    def digest_of(self, key: str) -> str | None:
        """The digest that was kept with an answer; None if there is none."""
        kept = self.answer_of(_digest_key(key))
        return None if kept is None else kept.decode()

    def keep_answer(self, key: str, digest: str, answer: bytes) -> None:
        """Keep an answer in the open transaction, if it changed anything. Where there is no room for it, it is not
        kept: nobody could free a full database otherwise."""
        if self._state() == self._state_at_begin:
            return
        now = time.time_ns() // 1_000_000
        self._own("SAVEPOINT keep")
        try:
            forget = f"DELETE FROM main.{REQUESTS} WHERE at_ms < ?"  # noqa: S608
            self._own(forget, (now - limits.REQUEST_KEEP_MS,))
            for name, value in ((key, answer), (_digest_key(key), digest.encode())):
                self._own(f"INSERT INTO main.{REQUESTS} VALUES (?, ?, ?)", (name, now, value))  # noqa: S608
        except (apsw.FullError, apsw.TooBigError):
            if self._connection.in_transaction:
                self._own("ROLLBACK TO keep")
        if self._connection.in_transaction:
            self._own("RELEASE keep")

    def _own(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._authorizer.trusted = True
        self._connection.execute(sql, params).fetchall()

    def _state(self) -> tuple[int, int]:
        """A pair that differs once a statement has changed anything."""
        return self._connection.total_changes(), self._connection.pragma("schema_version")

    def _check_names(self) -> None:
        """See that no table was renamed to a reserved name, which is not known while a statement is compiled."""
        self._authorizer.trusted = True
        sql = f"SELECT name FROM main.sqlite_schema WHERE name LIKE '{RESERVED}%' AND name <> '{REQUESTS}'"  # noqa: S608
        if self._connection.execute(sql).fetchall():
            raise StatementFailed(f"Not allowed: names that start with {RESERVED} are reserved.")

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def _explain(self, error: Exception) -> str:
        if isinstance(error, apsw.InterruptError):
            return f"The time limit of {limits.SECONDS:g} seconds was reached."
        if isinstance(error, apsw.AuthError) and self._authorizer.reason is not None:
            return f"Not allowed: {self._authorizer.reason}"
        if isinstance(error, (MemoryError, apsw.NoMemError)):
            return f"The memory limit of {limits.HEAP_BYTES // 1024**2} MiB was reached."
        if isinstance(error, apsw.FullError):
            return f"The database has reached its limit of {limits.DATABASE_BYTES // 1024**2} MiB."
        if isinstance(error, UnicodeDecodeError):
            return "A text in the result is not valid UTF-8; select it as a BLOB."
        return str(error) or type(error).__name__


def _bound(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _shown(value: Any) -> Any:
    """A value as JSON has it: a BLOB in base64, and null for a number that JSON does not have."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _size(values: Sequence[Any]) -> int:
    return sum(len(value) if isinstance(value, str) else 8 for value in values)


def _digest_key(key: str) -> str:
    """Key under which the digest of a request is kept: no key of a request has a line break."""
    return f"{key}\ndigest"

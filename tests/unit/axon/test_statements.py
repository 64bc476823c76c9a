"""Statements on an axon's database: results, and what they may not do."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from loopyard.axon.sql.worker import limits
from loopyard.axon.sql.worker.database import AxonDatabase, Result, StatementFailed
from loopyard.axon.sql.worker.events_table import Source

EVENTS = 1_000_000

Run = Callable[..., Result]


class _Events:
    """A million events, and a note of what was read of them."""

    def __init__(self) -> None:
        self.rows_read = 0

    def fetch(self, first: int, last: int, count: int, newest_first: bool, columns: Sequence[str]) -> list[list[Any]]:
        if newest_first:
            numbers = range(last, max(first, last - count + 1) - 1, -1)
        else:
            numbers = range(first, min(last, first + count - 1) + 1)
        self.rows_read += len(numbers)
        return [[_column(number, name) for name in columns] for number in numbers]


def _column(number: int, name: str) -> Any:
    values = {"sequence": number, "timestamp_ms": number * 10, "origin": 3, "payload": f'{{"n":{number}}}'}
    return values.get(name, name)


@pytest.fixture
def events() -> _Events:
    return _Events()


@pytest.fixture
def run(events: _Events) -> Run:
    database = AxonDatabase(":memory:", Source(lambda: EVENTS, events.fetch))

    def run_one(sql: str, *params: object, seconds: float = 5) -> Result:
        database.begin(seconds)
        try:
            result = database.run(sql, params)
            database.commit()
            return result
        finally:
            database.roll_back()

    return run_one


def test_a_result_has_columns_rows_and_changes(run: Run) -> None:
    assert run("CREATE TABLE a(id INTEGER PRIMARY KEY, b TEXT, c BLOB)").changes == 0
    inserted = run("INSERT INTO a(b, c) VALUES (?, x'00ff'), (?, NULL) RETURNING id", "one", None)
    assert (inserted.rows, inserted.changes) == ([[1], [2]], 2)
    found = run("SELECT id, b, c, id + 0.5 FROM a ORDER BY id")
    assert found.columns == [
        {"name": "id", "type": "INTEGER"},
        {"name": "b", "type": "TEXT"},
        {"name": "c", "type": "BLOB"},
        {"name": "id + 0.5", "type": ""},
    ]
    assert found.rows == [[1, "one", "AP8=", 1.5], [2, None, None, 2.5]]
    assert (found.changes, found.cut) == (0, False)
    assert run("SELECT 1 WHERE 0").columns == [{"name": "1", "type": ""}]
    assert run("SELECT ?, 1e999", True).rows == [[1, None]]


@pytest.mark.parametrize(
    ("sql", "rows", "most_read"),
    [
        ("SELECT payload FROM rl_axon_events WHERE sequence = 777777", [['{"n":777777}']], 1),
        ("SELECT sequence FROM rl_axon_events ORDER BY sequence DESC LIMIT 2 OFFSET 500000", [[500000], [499999]], 2),
        (
            "SELECT sequence, origin FROM rl_axon_events ORDER BY sequence DESC LIMIT 2 OFFSET 500000",
            [[500000, 3], [499999, 3]],
            2,
        ),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence BETWEEN 8 AND 9.5", [[8, 3], [9, 3]], 64),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence > 999999", [[1000000, 3]], 64),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence IN (4, 9)", [[4, 3], [9, 3]], 2),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence = 2.5", [], 0),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence = NULL", [], 0),
        ("SELECT sequence, origin FROM rl_axon_events WHERE sequence > 9223372036854775807", [], 0),
        ("SELECT count(*), max(sequence) FROM rl_axon_events WHERE sequence <= 10000", [[10000, 10000]], 0),
        ("SELECT timestamp_ms FROM rl_axon_events LIMIT 1 OFFSET 2", [[30]], 1),
        ("SELECT sequence, origin FROM rl_axon_events WHERE origin = 4 AND sequence < 3 LIMIT 1 OFFSET 0", [], 64),
    ],
    ids=range(12),
)
def test_events_are_read_by_primary_key(
    run: Run, events: _Events, sql: str, rows: list[list[Any]], most_read: int
) -> None:
    assert run(sql).rows == rows
    assert events.rows_read <= most_read


def test_events_of_a_column_are_all_read_when_asked_for(run: Run, events: _Events) -> None:
    assert run("SELECT count(*) FROM rl_axon_events WHERE sequence <= 10000 AND origin = 3").rows == [[10_000]]
    assert events.rows_read == 10_000


REFUSED = {
    "attach": "ATTACH 'other.db' AS other",
    "attach memory": "ATTACH ':memory:' AS other",
    "detach": "DETACH temp",
    "vacuum": "VACUUM",
    "vacuum into": "VACUUM INTO 'copy.db'",
    "load extension": "SELECT load_extension('/lib/x86_64-linux-gnu/libc.so.6')",
    "writefile": "SELECT writefile('/tmp/x', 'y')",
    "readfile": "SELECT readfile('/etc/passwd')",
    "edit": "SELECT edit('x')",
    "fts3 tokenizer": "SELECT fts3_tokenizer('simple', x'4141414141414141')",
    "journal mode": "PRAGMA journal_mode = OFF",
    "writable schema": "PRAGMA writable_schema = ON",
    "page limit": "PRAGMA max_page_count = 4294967294",
    "heap limit": "PRAGMA hard_heap_limit = 0",
    "trusted schema": "PRAGMA trusted_schema = 1",
    "temp store directory": "PRAGMA temp_store_directory = '/'",
    "database list": "SELECT * FROM pragma_database_list",
    "schema": "UPDATE sqlite_schema SET sql = 'x'",
    "schema rows": "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x(y)')",
    "pages": "SELECT * FROM sqlite_dbpage",
    "statistics of pages": "SELECT * FROM dbstat",
    "statements": "SELECT * FROM sqlite_stmt",
    "begin": "BEGIN",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "savepoint": "SAVEPOINT x",
    "temporary table": "CREATE TEMP TABLE x(y)",
    "temporary trigger": "CREATE TEMP TRIGGER x AFTER INSERT ON kept BEGIN SELECT 1; END",
    "a module of files": "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
    "insert into events": "INSERT INTO rl_axon_events VALUES (1, 2, 3, '4', '5', '6')",
    "delete events": "DELETE FROM rl_axon_events",
    "update events": "UPDATE rl_axon_events SET payload = ''",
    "drop events": "DROP TABLE rl_axon_events",
    "rename events": "ALTER TABLE rl_axon_events RENAME TO x",
    "a table in their place": "CREATE TABLE rl_axon_events(x)",
    "a view in their place": "CREATE VIEW main.rl_axon_events AS SELECT 1",
    "a rename in their place": "ALTER TABLE kept RENAME TO rl_axon_events",
    "trigger on events": "CREATE TRIGGER x AFTER INSERT ON rl_axon_events BEGIN SELECT 1; END",
    "requests": "SELECT * FROM rl_axon_requests",
    "change of requests": "DELETE FROM rl_axon_requests",
    "two statements": "SELECT 1; SELECT 2",
    "a change behind another": "SELECT 1; DROP TABLE kept",
    "nothing": "",
    "a comment": "-- nothing",
    "half a statement": "SELECT",
    "missing parameters": "SELECT ?, ?",
    "no text": "SELECT CAST(x'ff' AS TEXT)",
    "large blob": "SELECT zeroblob(1000000000)",
    "large random blob": "SELECT randomblob(2147483647)",
    "large text": "SELECT printf('%.*c', 1000000000, 'x')",
    "growing text": "SELECT replace(hex(zeroblob(4000000)), '0', '0123456789')",
    "depth": "SELECT " + "+".join(["1"] * 5000),
    "depth of calls": "SELECT " + "abs(" * 1000 + "1" + ")" * 1000,
    "depth of selects": "SELECT " + "(SELECT " * 1000 + "1" + ")" * 1000,
    "compound": " UNION ALL ".join(["SELECT 1"] * 1000),
    "columns": "SELECT " + ",".join(["1"] * 3000),
    "arguments": "SELECT max(" + ",".join(["1"] * 3000) + ")",
    "long pattern": "SELECT 'x' LIKE '" + "%a" * 1000 + "'",
    "memory": "WITH RECURSIVE c(x) AS "
    "(SELECT randomblob(1000000) UNION ALL SELECT randomblob(999999) FROM c LIMIT 99) "
    "SELECT count(*) FROM (SELECT x FROM c ORDER BY x)",
    "memory of an aggregate": "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 9999999) "
    "SELECT count(DISTINCT i || printf('%.*c', 100, 'x')) FROM c",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_statement_that_reaches_too_far_fails_and_changes_nothing(run: Run, name: str) -> None:
    run("CREATE TABLE kept(x)")
    run("INSERT INTO kept VALUES (1)")
    with pytest.raises(StatementFailed) as failed:
        run(REFUSED[name])
    assert str(failed.value)
    assert run("SELECT x FROM kept").rows == [[1]]
    assert run("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'rl_%'").rows == [["kept"]]
    assert run("SELECT payload FROM rl_axon_events WHERE sequence = 1").rows == [['{"n":1}']]


def test_a_statement_without_end_is_stopped(run: Run) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    with pytest.raises(StatementFailed, match="time limit"):
        run(endless, seconds=0.05)
    assert run("SELECT 1").rows == [[1]]


def test_rows_are_cut_at_their_limit(run: Run) -> None:
    endless = run("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c")
    assert (len(endless.rows), endless.cut) == (limits.ROWS, True)


def test_a_result_is_cut_at_its_limit_of_bytes(run: Run) -> None:
    large = run("SELECT printf('%.*c', 5000000, 'x') FROM rl_axon_events")
    assert (len(large.rows), large.cut) == (limits.RESULT_BYTES // 5_000_000, True)


def test_a_database_stays_within_its_size(run: Run) -> None:
    run("CREATE TABLE big(x)")
    fill = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 300) INSERT INTO big SELECT ? FROM c"
    with pytest.raises(StatementFailed, match="limit"):
        run(fill, "x" * 1_000_000)
    assert run("SELECT count(*) FROM big").rows == [[0]]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIRTUAL TABLE words USING fts5(text)",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)",
        "PRAGMA user_version = 7",
        "SELECT * FROM pragma_table_info('rl_axon_events')",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT json_extract(payload, '$.n') FROM rl_axon_events WHERE sequence = 3",
        "CREATE VIEW newest AS SELECT max(sequence) FROM rl_axon_events",
        "SELECT 1; -- and nothing more",
    ],
    ids=range(8),
)
def test_what_stays_in_the_database_is_allowed(run: Run, sql: str) -> None:
    run(sql)

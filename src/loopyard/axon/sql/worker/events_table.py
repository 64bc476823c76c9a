"""The virtual table `rl_axon_events`: reads the axon's events from the server as SQLite asks for them.

Sequences are contiguous from 1, so a bound, an order or an offset on `sequence` is arithmetic, and a statement by
primary key costs the same however many events there are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

COLUMNS = ("sequence", "timestamp_ms", "origin", "source", "event_type", "payload")
_SCHEMA = (
    "CREATE TABLE rl_axon_events(sequence INTEGER PRIMARY KEY, timestamp_ms INTEGER, origin INTEGER, source TEXT, "
    "event_type TEXT, payload TEXT)"
)

_OPERATORS = {
    apsw.SQLITE_INDEX_CONSTRAINT_EQ: "=",
    apsw.SQLITE_INDEX_CONSTRAINT_GT: ">",
    apsw.SQLITE_INDEX_CONSTRAINT_GE: ">=",
    apsw.SQLITE_INDEX_CONSTRAINT_LT: "<",
    apsw.SQLITE_INDEX_CONSTRAINT_LE: "<=",
}
_FIRST_PAGE, _LARGEST_PAGE = 64, 4096
_DESCENDING, _UNORDERED = "d", "a"

Fetch = Callable[[int, int, int, bool, Sequence[str]], Sequence[Sequence[Any]]]
"""Reads events: first and last sequence, the most rows, whether newest first, and the columns."""


@dataclass(frozen=True, slots=True)
class Source:
    """Access to the axon's events. `last` gives the last sequence, the same through a whole call."""

    last: Callable[[], int]
    fetch: Fetch


class EventsModule:
    """The module that apsw knows the table by."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def Connect(self, *_: Any) -> tuple[str, "_Table"]:  # noqa: N802
        return _SCHEMA, _Table(self._source)

    Create = Connect


class _Table:
    def __init__(self, source: Source) -> None:
        self._source = source

    def BestIndexObject(self, index: Any) -> bool:  # noqa: N802
        """Choose how to read. The plan is a string: order, columns, and the operator of each argument."""
        operators: list[str] = []
        limit = offset = None
        exact = True
        for which in range(index.nConstraint):
            operator = index.get_aConstraint_op(which)
            if not index.get_aConstraint_usable(which):
                exact = False
            elif operator == apsw.SQLITE_INDEX_CONSTRAINT_LIMIT:
                limit = which
            elif operator == apsw.SQLITE_INDEX_CONSTRAINT_OFFSET:
                offset = which
            elif operator in _OPERATORS and index.get_aConstraint_iColumn(which) in (0, -1):
                operators.append(_OPERATORS[operator])
                index.set_aConstraintUsage_argvIndex(which, len(operators))
                exact = False
            else:
                exact = False
        ordered = index.nOrderBy == 0 or index.get_aOrderBy_iColumn(0) in (0, -1)
        descending = index.nOrderBy > 0 and ordered and index.get_aOrderBy_desc(0)
        index.orderByConsumed = ordered and index.nOrderBy > 0
        if limit is not None and ordered:
            operators.append("limit")
            index.set_aConstraintUsage_argvIndex(limit, len(operators))
        if offset is not None and ordered and exact:
            operators.append("offset")
            index.set_aConstraintUsage_argvIndex(offset, len(operators))
            index.set_aConstraintUsage_omit(offset, True)
        columns = sorted(column for column in index.colUsed if 0 <= column < len(COLUMNS))
        index.idxStr = "|".join(
            [_DESCENDING if descending else _UNORDERED, ",".join(map(str, columns)), ",".join(operators)]
        )
        if "=" in operators:
            index.estimatedRows, index.estimatedCost = 1, 1.0
            index.idxFlags = apsw.SQLITE_INDEX_SCAN_UNIQUE
        else:
            rows = 1_000_000 >> (8 * min(2, sum(operator in _OPERATORS.values() for operator in operators)))
            index.estimatedRows, index.estimatedCost = rows, float(rows)
        return True

    def Open(self) -> "_Cursor":  # noqa: N802
        return _Cursor(self._source)

    def Disconnect(self) -> None:  # noqa: N802
        pass

    Destroy = Disconnect


class _Cursor:
    """A read under way, page by page."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._low, self._high = 1, 0
        self._rows: Sequence[Sequence[Any]] = ()
        self._at = 0

    def Filter(self, _: int, plan: str, values: Sequence[Any]) -> None:  # noqa: N802
        order, columns, operators = plan.split("|")
        self._descending = order == _DESCENDING
        used = [int(column) for column in columns.split(",")] if columns else []
        self._columns = sorted({0, *used})
        self._places = {column: place for place, column in enumerate(self._columns)}
        low, high = 1, self._source.last()
        limit = _LARGEST_PAGE
        offset = 0
        for operator, value in zip(operators.split(",") if operators else [], values, strict=False):
            if operator == "limit":
                limit = value if isinstance(value, int) and 0 <= value < limit else limit
            elif operator == "offset":
                offset = value if isinstance(value, int) and value > 0 else 0
            else:
                low, high = _narrow(low, high, operator, value)
        if self._descending:
            high -= offset
        else:
            low += offset
        self._low, self._high = low, high
        self._size = max(1, min(limit, _LARGEST_PAGE)) if limit < _LARGEST_PAGE else _FIRST_PAGE
        self._load()

    def Eof(self) -> bool:  # noqa: N802
        return self._at >= len(self._rows)

    def Rowid(self) -> int:  # noqa: N802
        return self._rows[self._at][0]

    def Column(self, column: int) -> Any:  # noqa: N802
        if column < 0:
            return self._rows[self._at][0]
        return self._rows[self._at][self._places[column]]

    def Next(self) -> None:  # noqa: N802
        self._at += 1
        if self._at >= len(self._rows):
            self._load()

    def Close(self) -> None:  # noqa: N802
        self._rows = ()

    def _load(self) -> None:
        self._at, self._rows = 0, ()
        if self._low > self._high:
            return
        if self._columns == [0]:
            end = min(self._high, self._low + _LARGEST_PAGE - 1)
            start = max(self._low, self._high - _LARGEST_PAGE + 1)
            numbers = range(self._high, start - 1, -1) if self._descending else range(self._low, end + 1)
            self._rows = [(number,) for number in numbers]
        else:
            names = [COLUMNS[column] for column in self._columns]
            self._rows = self._source.fetch(self._low, self._high, self._size, self._descending, names)
            self._size = min(self._size * 2, _LARGEST_PAGE)
        if not self._rows:
            self._low, self._high = 1, 0
        elif self._descending:
            self._high = int(self._rows[-1][0]) - 1
        else:
            self._low = int(self._rows[-1][0]) + 1


def _narrow(low: int, high: int, operator: str, value: Any) -> tuple[int, int]:
    """Bounds after one more condition. A value that is no number leaves them: SQLite checks each row once more."""
    if value is None:
        return 1, 0
    if isinstance(value, float):
        if not math.isfinite(value):
            return low, high
        down, up = math.floor(value), math.ceil(value)
    elif isinstance(value, int):
        down = up = value
    else:
        return low, high
    if operator == "=":
        return max(low, up), min(high, down)
    if operator in (">", ">="):
        return max(low, down + 1 if operator == ">" else up), high
    return low, min(high, up - 1 if operator == "<" else down)

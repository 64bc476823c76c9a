"""Reports and comparisons as files, in the formats of `bench report` and `bench compare`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from fastapi.responses import Response

from loopyard.bench.reading import documents, rows
from loopyard.bench.reading.attempt import Attempt, Unreadable
from loopyard.bench.reading.comparison import Comparison
from loopyard.bench.reading.contender import Contender
from loopyard.bench.reading.summary import summarize
from loopyard.kit.errors import LoopyardError

FormatName = Literal["csv", "json", "parquet"]

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


class NotInstalled(LoopyardError):
    """Something that the operator may install is not installed."""

    status = 501
    code = "not_installed"


async def report(found: Sequence[Contender], kind: FormatName, pass_score: float, name: str) -> Response:
    """Files of `bench report`: JSON has all, the others a row for each attempt."""

    def make() -> bytes:
        attempts: list[Attempt] = [attempt for one in found for attempt in one.attempts]
        if kind == "json":
            summaries = [summarize(one, pass_score=pass_score) for one in found]
            return documents.text(documents.of_report(summaries, attempts)).encode()
        return _table(rows.ATTEMPT_COLUMNS, rows.of_attempts(attempts), kind)

    return _file(await _made(make), kind, name)


async def comparison(found: Comparison, kind: FormatName, name: str) -> Response:
    """Files of `bench compare`: JSON has all, the others a row for each scenario."""

    def make() -> bytes:
        if kind == "json":
            return documents.text(documents.of_comparison(found)).encode()
        return _table(rows.CHANGE_COLUMNS, rows.of_changes(found.changes), kind)

    return _file(await _made(make), kind, name)


async def _made(make: Callable[[], bytes]) -> bytes:
    try:
        return await asyncio.to_thread(make)
    except Unreadable as error:
        raise NotInstalled(f"{error}.") from error


def _table(columns: dict[str, type], table: Sequence[rows.Row], kind: FormatName) -> bytes:
    if kind == "parquet":
        return rows.parquet_bytes(columns, table)
    return rows.csv_text(columns, table).encode()


def _file(content: bytes, kind: FormatName, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(content, media_type=_TYPES[kind], headers=headers)

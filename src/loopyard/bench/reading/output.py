"""Writes a report or a comparison in the format that was asked for."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console

from loopyard.bench.reading import documents, rows, sections, show
from loopyard.bench.reading.attempt import Attempt, Unreadable
from loopyard.bench.reading.comparison import Comparison
from loopyard.bench.reading.section import Section
from loopyard.bench.reading.summary import Summary

_PLAIN_WIDTH = 160


class Format(StrEnum):
    """`TABLE` and `MARKDOWN` are for people. `JSON` has every figure and every attempt, `CSV` and `PARQUET` the
    rows."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def write_report(summaries: Sequence[Summary], attempts: Sequence[Attempt], kind: Format, out: Path | None) -> None:
    """Write a report to the file, or to standard output.

    Raises:
        Unreadable: It cannot be written there in this format.
    """
    content = documents.of_report(summaries, attempts)
    _write(sections.of_report(summaries), content, rows.ATTEMPT_COLUMNS, rows.of_attempts(attempts), kind, out)


def write_comparison(found: Comparison, kind: Format, out: Path | None) -> None:
    """Write a comparison to the file, or to standard output.

    Raises:
        Unreadable: It cannot be written there in this format.
    """
    content = documents.of_comparison(found)
    _write(sections.of_comparison(found), content, rows.CHANGE_COLUMNS, rows.of_changes(found.changes), kind, out)


def _write(
    shown: Sequence[Section],
    content: dict[str, Any],
    columns: dict[str, type],
    table: Sequence[rows.Row],
    kind: Format,
    out: Path | None,
) -> None:
    match kind:
        case Format.PARQUET:
            if out is None:
                raise Unreadable("Parquet is not for a terminal: name a file with --out")
            _write_bytes(out, rows.parquet_bytes(columns, table))
            return
        case Format.TABLE:
            _tables(shown, out)
            return
        case Format.MARKDOWN:
            text = show.markdown(shown)
        case Format.JSON:
            text = documents.text(content)
        case Format.CSV:
            text = rows.csv_text(columns, table)
    if out is None:
        sys.stdout.write(text)
        return
    _write_bytes(out, text.encode())


def _write_bytes(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise Unreadable(f"{out} cannot be written: {error.strerror}") from error


def _tables(shown: Sequence[Section], out: Path | None) -> None:
    if out is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _PLAIN_WIDTH
        show.tables(console, shown)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            show.tables(Console(file=file, width=_PLAIN_WIDTH, color_system=None), shown)
    except OSError as error:
        raise Unreadable(f"{out} cannot be written: {error.strerror}") from error

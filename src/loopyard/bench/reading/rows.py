"""Rows of a report for programs: one row for each attempt, or for each scenario that was compared."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loopyard.bench.model_usage import ModelUsage
from loopyard.bench.reading.attempt import Attempt, Unreadable
from loopyard.bench.reading.comparison import Change

Row = dict[str, Any]

ATTEMPT_COLUMNS: dict[str, type] = {
    "source": str,
    "agent": str,
    "scenario": str,
    "attempt": int,
    "ending": str,
    "score": float,
    "seconds": float,
    "cost_usd": float,
    "model_calls": int,
    "input_tokens": int,
    "output_tokens": int,
    "cache_read_tokens": int,
    "cache_write_tokens": int,
    "reasoning_tokens": int,
    "uncounted_calls": int,
    "unpriced_calls": int,
    "run_id": str,
    "reason": str,
    "scorers": str,
}
CHANGE_COLUMNS: dict[str, type] = {
    "scenario": str,
    "a": float,
    "a_attempts": int,
    "b": float,
    "b_attempts": int,
    "difference": float,
    "a_tokens": float,
    "b_tokens": float,
    "a_cost_usd": float,
    "b_cost_usd": float,
}


def of_attempts(attempts: Sequence[Attempt]) -> list[Row]:
    """A row for each attempt, with the columns of `ATTEMPT_COLUMNS`. `attempt` counts from 1 for each source, agent and
    scenario. `score` is what counts for the agent. `scorers` is JSON: each scoring function's score by its name."""
    numbers: dict[tuple[str, str, str], int] = {}
    rows: list[Row] = []
    for one in attempts:
        key = (one.source, one.agent, one.scenario)
        numbers[key] = numbers.get(key, 0) + 1
        rows.append(
            {
                "source": one.source,
                "agent": one.agent,
                "scenario": one.scenario,
                "attempt": numbers[key],
                "ending": one.ending.value,
                "score": one.counted,
                "seconds": one.seconds,
                "cost_usd": one.cost_usd,
                **_usage(one.model_usage),
                "run_id": one.run_id,
                "reason": one.reason,
                "scorers": json.dumps({scorer.name: scorer.score for scorer in one.scorers}),
            }
        )
    return rows


def _usage(usage: ModelUsage | None) -> Row:
    """Tokens and calls; None where nothing is known."""
    return {
        "model_calls": usage.calls if usage else None,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cache_read_tokens": usage.cache_read_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "uncounted_calls": usage.uncounted if usage else None,
        "unpriced_calls": usage.unpriced if usage else None,
    }


def of_changes(changes: Sequence[Change]) -> list[Row]:
    """A row for each scenario, with the columns of `CHANGE_COLUMNS`."""
    return [asdict(change) for change in changes]


def csv_text(columns: dict[str, type], rows: Sequence[Row]) -> str:
    """RFC 4180 with a line of column names; None is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def parquet_bytes(columns: dict[str, type], rows: Sequence[Row]) -> bytes:
    """A Parquet file with one column of the type for each of `columns`; all may be null.

    By `arro3`, which writes Parquet in 12 MB where `pyarrow` takes 150.

    Raises:
        Unreadable: `arro3` is not installed.
    """
    try:
        from arro3.core import Array, DataType, Table
        from arro3.io import write_parquet as write
    except ImportError as error:
        raise Unreadable("Parquet needs the extra: pip install 'loopyard[parquet]'") from error
    types = {str: DataType.utf8(), int: DataType.int64(), float: DataType.float64()}
    arrays = {name: Array([row[name] for row in rows], types[kind]) for name, kind in columns.items()}
    table = Table.from_pydict(arrays)  # pyright: ignore[reportUnknownMemberType]
    file = io.BytesIO()
    write(table, file, compression="zstd(3)")
    return file.getvalue()

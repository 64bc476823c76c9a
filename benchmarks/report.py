"""Results as a table for people, and as JSON to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import host
from benchmarks.result import Measure, Series

RESULTS = Path(__file__).parent / "results"


def show(measures: Sequence[Measure], peers: Mapping[str, str]) -> None:
    """Print every series, and its median as a multiple of the one that it is compared with."""
    table = Table(title="Loopyard, measured", title_justify="left")
    for name in ("measure", "subject", "by"):
        table.add_column(name)
    for name in ("n", "failed", "median", "95 % of medians", "p95", "ratio", "aim"):
        table.add_column(name, justify="right")
    for measure in measures:
        for position, series in enumerate(measure.series):
            table.add_row(*_cells(measure, position), end_section=series is measure.series[-1])
    console = Console()
    console.print(table)
    for peer, told in peers.items():
        console.print(f"{peer}: {told}")
    for measure in measures:
        if measure.note or measure.error:
            console.print(f"{measure.name}: {measure.note or measure.error}", markup=False)
    for series in (series for measure in measures for series in measure.series):
        for error in series.errors:
            console.print(f"{series.subject} failed: {error}", markup=False)


def _cells(measure: Measure, position: int) -> list[str]:
    series = measure.series[position]
    summary, reference = series.summary, measure.series[measure.reference].summary
    name = measure.title if position == 0 else ""
    if summary is None:
        return [name, series.subject, series.how, "0", str(series.failed), "-", "-", "-", "-", ""]
    unit = measure.unit
    ratio = f"x {summary.median / reference.median:.2g}" if reference and position != measure.reference else ""
    return [
        name,
        series.subject,
        series.how,
        str(summary.count),
        str(series.failed),
        f"{_number(summary.median)} {unit}",
        f"{_number(summary.median_low)} to {_number(summary.median_high)}" if summary.count > 1 else "",
        f"{_number(summary.p95)} {unit}",
        ratio,
        f"{measure.aim:g} {unit}" if measure.aim and position == 0 else "",
    ]


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def document(measures: Sequence[Measure], peers: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured and on what, with all samples."""
    return {**facts, "peers": peers, "measures": [_measure(measure) for measure in measures]}


def _measure(measure: Measure) -> dict[str, Any]:
    described = {name: value for name, value in asdict(measure).items() if name != "series"}
    return {**described, "series": [_series(series) for series in measure.series]}


def _series(series: Series) -> dict[str, Any]:
    summary = series.summary
    return {
        "subject": series.subject,
        "by": series.how,
        "failed": series.failed,
        "errors": series.errors,
        "summary": {name: round(value, 3) for name, value in asdict(summary).items()} if summary else None,
        "samples": [round(sample, 3) for sample in series.samples],
    }


def save(result: Mapping[str, Any], path: Path | None) -> Path:
    """Write a result, by default among those that are kept. Returns where."""
    path = path or RESULTS / f"{host.now():%Y-%m-%d}-{host.host_class()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    return path

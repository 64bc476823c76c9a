"""Results as a table for people, and as JSON to keep."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import host
from benchmarks.result import Measure, Series

_WIDTH = 140
RESULTS = Path(__file__).parent / "results"


def show(measures: Sequence[Measure], peers: Mapping[str, str]) -> None:
    """Print every series, and its median as a multiple of the one that it is compared with."""
    table = Table(title="Loopyard, measured", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in ("n", "failed", "median", "95 % of medians", "p95", "ratio", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    for measure in measures:
        least = ">= " if measure.unit in ("MB/s", "/min", "/s") else ""
        aim = f"{least}{measure.aim:g} {measure.unit}" if measure.aim else ""
        table.add_row(f"[bold]{escape(measure.title)}", *[""] * 6, aim)
        for series in measure.series:
            table.add_row(f"  {series.subject}, {series.how}", *_cells(measure, series))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table)
    for line in _remarks(measures, peers):
        console.print(line, markup=False)


def _cells(measure: Measure, series: Series) -> list[str]:
    summary, reference = series.summary, measure.series[measure.reference]
    if summary is None:
        return ["0", str(series.failed)]
    ratio = f"x {summary.median / reference.summary.median:.2g}" if reference.summary else ""
    return [
        str(summary.count),
        str(series.failed),
        f"{_number(summary.median)} {measure.unit}",
        f"{_number(summary.median_low)} to {_number(summary.median_high)}" if summary.count > 1 else "",
        f"{_number(summary.p95)} {measure.unit}",
        "" if series is reference else ratio,
    ]


def _remarks(measures: Sequence[Measure], peers: Mapping[str, str]) -> Iterator[str]:
    for peer, told in peers.items():
        yield f"{peer}: {told}"
    for measure in measures:
        if measure.note or measure.error:
            yield f"{measure.title}: {measure.error or measure.note}"
        for series in measure.series:
            for error in series.errors:
                yield f"{measure.title}: {series.subject} failed: {error}"


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


def usual_place() -> Path:
    """Where today's figures of this kind of machine are kept."""
    return RESULTS / f"{host.now():%Y-%m-%d}-{host.host_class()}.json"


def save(result: Mapping[str, Any], path: Path) -> None:
    """Write a result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")

"""`loopyard bench report` and `loopyard bench compare`: what results say, and with what certainty."""

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FormatName(StrEnum):
    """How results are shown."""

    table = "table"
    markdown = "markdown"
    json = "json"
    csv = "csv"
    parquet = "parquet"


Shown = Annotated[
    FormatName,
    typer.Option(
        "--format",
        "-f",
        help="csv and parquet have a row for each attempt (report) or scenario (compare); json has all.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.", metavar="FILE", dir_okay=False)]
PassScore = Annotated[
    float, typer.Option(help="An attempt has passed from this score on.", min=0, max=1, metavar="SCORE")
]


def report(
    run: Annotated[
        list[str],
        typer.Argument(
            help="A file of `bench run --json`, or the id of a benchmark run (bmr_…) or job (bmj_…).",
            metavar="RUN...",
            show_default=False,
        ),
    ],
    shown: Shown = FormatName.table,
    out: Out = None,
    pass_score: PassScore = 1.0,
    together: Annotated[
        bool, typer.Option("--together", help="Count an agent's attempts in all RUNs together.")
    ] = False,
) -> None:
    """Say how agents did: mean scores with 95 % intervals, pass@k, scorers, failures, time and cost.

    Runs and jobs are read from the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name. Failures of the
    infrastructure are shown apart and count in no score. docs/reading-results.md explains each figure.
    """
    from loopyard.bench.reading.contender import contenders
    from loopyard.bench.reading.gather import gather
    from loopyard.bench.reading.output import Format, write_report
    from loopyard.bench.reading.summary import summarize

    with _telling():
        attempts = gather(run)
        found = [summarize(one, pass_score=pass_score) for one in contenders(attempts, together=together)]
        write_report(found, attempts, Format(shown.value), out)


def compare(
    a: Annotated[
        str,
        typer.Argument(help="RUN as in `report`, or RUN:AGENT where it has several agents.", metavar="A"),
    ],
    b: Annotated[str, typer.Argument(help="What is held against A.", metavar="B")],
    shown: Shown = FormatName.table,
    out: Out = None,
    pass_score: PassScore = 1.0,
) -> None:
    """Say what became better and worse from A to B: the paired difference with its 95 % interval, regressions first.

    Only scenarios that both have scores for are compared; the others are listed.
    """
    from loopyard.bench.reading.comparison import compare as compare_contenders
    from loopyard.bench.reading.gather import choose
    from loopyard.bench.reading.output import Format, write_comparison

    with _telling():
        found = compare_contenders(choose(a), choose(b), pass_score=pass_score)
        write_comparison(found, Format(shown.value), out)


@contextmanager
def _telling() -> Generator[None]:
    """Tell what cannot be read or written in a line, and end with status 2."""
    from loopyard.bench.reading.attempt import Unreadable

    try:
        yield
    except Unreadable as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(2) from error

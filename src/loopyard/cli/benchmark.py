"""`loopyard benchmark`: what the operator does to benchmarks."""

from typing import Annotated

import typer

from loopyard.cli.operator import DatabaseUrl, DataDir, Withdraw, change, note

app = typer.Typer(name="benchmark", help="Open benchmarks to every account.", no_args_is_help=True)


@app.callback()
def benchmark() -> None:
    """Open benchmarks to every account."""


@app.command()
def publish(
    benchmark_id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="The benchmark.")],
    withdraw: Withdraw = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Open a benchmark to every account, with the scenarios in it: it is in the public list, and can be run by all.

    `--withdraw` closes the benchmark; its scenarios stay open. For the operator, on the server's own machine; a running
    server knows of it at once.
    """
    from loopyard.benchmark import service

    change(data_dir, database_url, lambda session: service.publish(session, benchmark_id, public=not withdraw))
    note(data_dir, f"benchmark {'withdraw' if withdraw else 'publish'}", made=benchmark_id)

"""`loopyard serve`: runs the server."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from loopyard.kit.host.garbage import kept_for_good


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)] = 8080,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where everything is kept: database, key, images, sandboxes.", envvar="LOOPYARD_DATA_DIR"),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="A PostgreSQL URL (postgresql://user:password@host/name) to use instead of the embedded SQLite.",
            envvar="LOOPYARD_DATABASE_URL",
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="How much is logged to standard error.")] = LogLevel.info,
) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    The first start makes an API key, keeps it in the file `api-key` of the data folder, and prints the two lines that
    a client needs. Devboxes keep running when the server stops; the next start takes them up again.
    """
    with kept_for_good():
        from loopyard.config import InvalidSettings, load
        from loopyard.server import run, tell_failure

    try:
        settings = load(data_dir=data_dir, database_url=database_url)
    except InvalidSettings as error:
        tell_failure(error)
        raise typer.Exit(1) from error
    raise typer.Exit(run(settings, host, port, log_level.value))

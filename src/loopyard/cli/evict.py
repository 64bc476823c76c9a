"""`loopyard evict`: gets devboxes off this host before it goes down."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from loopyard.cli.operator import note


def evict(
    devbox_id: Annotated[
        list[str] | None, typer.Argument(help="The devboxes; all that run or are coming up, if none is named.")
    ] = None,
    seconds: Annotated[int, typer.Option("--in", help="In how many seconds.", min=0, max=86_400)] = 300,
    cancel: Annotated[bool, typer.Option("--cancel", help="Let them stay after all.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="The data folder of the server.", envvar="LOOPYARD_DATA_DIR")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="The server's PostgreSQL URL, if it has one.", envvar="LOOPYARD_DATABASE_URL")
    ] = None,
) -> None:
    """Have the server suspend devboxes, after a warning to those who watch for evictions. Prints their ids.

    For the maintenance of a host: its devboxes do not survive a reboot, but suspended ones keep their disk and are
    resumed afterwards. Works with a running server, or before it is started.
    """
    from rich.console import Console
    from rich.markup import escape
    from sqlalchemy.exc import DBAPIError

    from loopyard.config import InvalidSettings, load
    from loopyard.devbox.repository import DevboxRepository
    from loopyard.kit.db.database import Database

    async def decide(url: str) -> list[str]:
        database = Database(url)
        deadline = None if cancel else int((time.time() + seconds) * 1000)
        try:
            async with database.write() as session:
                return sorted(await DevboxRepository(session).announce_evictions(deadline, devbox_id or []))
        finally:
            await database.close()

    try:
        settings = load(data_dir=data_dir, database_url=database_url)
        if settings.database_url is None:
            (settings.data_dir / "loopyard.db").stat()  # SQLite would make the file
        decided = asyncio.run(decide(settings.store_url))
    except (InvalidSettings, DBAPIError, OSError) as error:
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print("[bold red]Nothing was decided.[/]", escape(str(error)))
        raise typer.Exit(1) from error
    for one in decided:
        note(data_dir, "evict, taken back" if cancel else "evict", made=one)
        typer.echo(one)

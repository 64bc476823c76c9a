"""`loopyard secret`: the keys that secrets are kept with."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from loopyard.cli.operator import note

app = typer.Typer(name="secret", help="The keys that secrets are kept with.", no_args_is_help=True)


@app.callback()
def secret() -> None:
    """The keys that secrets are kept with."""


@app.command("rotate-key")
def rotate_key(
    data_dir: Annotated[
        Path | None, typer.Option(help="The data folder of the server.", envvar="LOOPYARD_DATA_DIR")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="The server's PostgreSQL URL, if it has one.", envvar="LOOPYARD_DATABASE_URL")
    ] = None,
) -> None:
    """Encrypt all secrets with a new key and forget the old one. Prints how many there are.

    The key is in the file `secret-keys` of the data folder; a running server takes the new one up by itself. Where the
    keys are set by LOOPYARD_SECRET_KEYS instead: put the new one in front of the old, separated by a comma, restart the
    server, run this, and take the old one out.

    A run that was cut off loses nothing; run it again.
    """
    from rich.console import Console
    from rich.markup import escape
    from sqlalchemy.exc import DBAPIError

    from loopyard.config import InvalidSettings, load
    from loopyard.kit.db.database import Database
    from loopyard.kit.errors import LoopyardError
    from loopyard.secret.keys import key_ring
    from loopyard.secret.rotation import rotate

    async def run() -> int:
        settings = load(data_dir=data_dir, database_url=database_url)
        if settings.database_url is None:
            (settings.data_dir / "loopyard.db").stat()  # SQLite would make the file
        database = Database(settings.store_url)
        try:
            return await rotate(database, key_ring(settings.configured_secret_keys, settings.data_dir))
        finally:
            await database.close()

    try:
        count = asyncio.run(run())
    except (InvalidSettings, LoopyardError, DBAPIError, OSError, ValueError) as error:
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print("[bold red]The key was not changed.[/]", escape(str(error)))
        raise typer.Exit(1) from error
    note(data_dir, "secret rotate-key")
    typer.echo(count)

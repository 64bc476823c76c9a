"""Commands of the operator on a server's store, on the server's own machine, whether the server runs or not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

DataDir = Annotated[Path | None, typer.Option(help="The data folder of the server.", envvar="LOOPYARD_DATA_DIR")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="The server's PostgreSQL URL, if it has one.", envvar="LOOPYARD_DATABASE_URL")
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Close it again.")]


def change(data_dir: Path | None, database_url: str | None, act: "Callable[[AsyncSession], Awaitable[object]]") -> None:
    """Do it in one transaction.

    Raises:
        typer.Exit: It could not be done, for the reason that was told; nothing is changed then.
    """
    from sqlalchemy.exc import DBAPIError

    from loopyard.config import InvalidSettings, load
    from loopyard.kit.db.database import Database
    from loopyard.kit.errors import LoopyardError

    async def run() -> None:
        settings = load(data_dir=data_dir, database_url=database_url)
        if settings.database_url is None:
            (settings.data_dir / "loopyard.db").stat()  # SQLite would make the file
        database = Database(settings.store_url)
        try:
            async with database.write() as session:
                await act(session)
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except (InvalidSettings, LoopyardError, DBAPIError, OSError) as error:
        typer.echo(f"Nothing was changed: {error}", err=True)
        raise typer.Exit(1) from error


def note(data_dir: Path | None, operation: str, *, account: str | None = None, made: str | None = None) -> None:
    """Write into the server's audit log what was done. That it cannot be written is told, and undoes nothing."""
    import os

    from loopyard.audit import files
    from loopyard.audit.log import FOLDER
    from loopyard.audit.record import of_command_line
    from loopyard.config import load

    settings = load(data_dir=data_dir)
    if not settings.audit.enabled:
        return
    try:
        files.append(settings.data_dir / FOLDER, [of_command_line(operation, os.getuid(), account=account, made=made)])
    except OSError as error:
        typer.echo(f"The audit log could not be written: {error}", err=True)

"""`loopyard gc` and `loopyard status`: what a server has, and what of it nothing refers to any more."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from loopyard.config import Settings

DataDir = Annotated[Path | None, typer.Option(help="The data folder of the server.", envvar="LOOPYARD_DATA_DIR")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="The server's PostgreSQL URL, if it has one.", envvar="LOOPYARD_DATABASE_URL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def gc(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Free what nothing refers to any more: layers and images of deleted blueprints, caches of builds and of
    scorers, what snapshots, objects and devboxes that are gone have left.

    Nothing in use is touched. A server that runs does it itself, and goes on meanwhile; it also does so by itself once
    an hour, but keeps caches for a week.
    """
    from sqlalchemy.exc import DBAPIError

    from loopyard.config import InvalidSettings, load
    from loopyard.data_folder import StartFailed
    from loopyard.runtime.errors import RuntimeFault, RuntimeUnavailable
    from loopyard.upkeep.control import ask

    try:
        settings = load(data_dir=data_dir, database_url=database_url)
        settings.data_dir.stat()
        answer = ask(settings.data_dir, act="gc", dry_run=dry_run)
        found = answer["leftovers"] if answer is not None else asyncio.run(_without_server(settings, dry_run=dry_run))
    except (InvalidSettings, StartFailed, RuntimeUnavailable, RuntimeFault, DBAPIError, OSError) as error:
        _fail("Nothing was freed.", error)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "leftovers": found}, indent=2))
        return
    for one in found:
        typer.echo(f"{one['kind']}\t{one['name']}")
    counted = ", ".join(f"{count} of {kind}" for kind, count in sorted(Counter(one["kind"] for one in found).items()))
    typer.echo(f"{'Would free' if dry_run else 'Freed'}: {counted or 'nothing'}.")


async def _without_server(settings: "Settings", *, dry_run: bool) -> list[dict[str, Any]]:
    """Do what a server would, in its place."""
    from dataclasses import asdict

    from loopyard.app import sweep_of
    from loopyard.data_folder import hold_data_folder
    from loopyard.kit.db.database import Database
    from loopyard.runtime.config import CrunConfig
    from loopyard.runtime.factory import open_runtime
    from loopyard.store import migrate
    from loopyard.upkeep.provider import claim

    runtime_config = settings.runtime
    if isinstance(runtime_config, CrunConfig):
        runtime_config = runtime_config.model_copy(update={"spare_slots": 0})
    if settings.database_url is None:
        (settings.data_dir / "loopyard.db").stat()  # SQLite would make the file
    with hold_data_folder(settings.data_dir):
        database = Database(settings.store_url)
        try:
            await migrate.upgrade(database)
            await claim(settings.data_dir, database, runtime_config.type)
            runtime = await open_runtime(runtime_config, settings.data_dir)
            try:
                sweep = sweep_of(runtime, database, settings)
                return [asdict(one) for one in await (sweep.look() if dry_run else sweep.free())]
            finally:
                await runtime.close()
        finally:
            await database.close()


def status(data_dir: DataDir = None, database_url: DatabaseUrl = None, *, as_json: AsJson = False) -> None:
    """Show whether a server runs, how much of the disk each kind of thing takes, and how many there are."""
    from sqlalchemy.exc import DBAPIError

    from loopyard.config import InvalidSettings, load
    from loopyard.runtime.errors import RuntimeFault, RuntimeUnavailable
    from loopyard.upkeep.status import status as look

    try:
        found = asyncio.run(look(load(data_dir=data_dir, database_url=database_url)))
    except (InvalidSettings, RuntimeUnavailable, RuntimeFault, DBAPIError, OSError) as error:
        _fail("The status cannot be shown.", error)
    if as_json:
        shown = {
            "data_dir": str(found.data_dir),
            "server_pid": found.server,
            "disk_bytes": found.disk,
            "shared": {
                kind: {"apparent_bytes": one.apparent, "disk_bytes": one.on_disk, "complete": one.complete}
                for kind, one in found.shared.items()
            },
            "counts": found.counts,
        }
        typer.echo(json.dumps(shown, indent=2))
        return
    runs = "no server runs" if found.server is None else f"a server runs (process {found.server})"
    typer.echo(f"{found.data_dir}: {runs}")
    typer.echo("\nDisk")
    for kind, size in found.disk.items():
        typer.echo(f"  {kind:<14} {'?' if size is None else f'{size / 1024**2:,.1f} MiB'}")
    if found.shared:
        typer.echo("\nShared by links and reflinks")
    for kind, one in found.shared.items():
        saved, whole = one.apparent - one.on_disk, "" if one.complete else " (as far as looked in 10 s)"
        typer.echo(f"  {kind:<14} {saved / 1024**2:,.1f} MiB of {one.apparent / 1024**2:,.1f} MiB{whole}")
    typer.echo("\nThere are")
    for kind, states in found.counts.items():
        each = ", ".join(f"{count} {state}" for state, count in states.items())
        typer.echo(f"  {kind:<14} {sum(states.values())}{f' ({each})' if each else ''}")


def _fail(what: str, error: Exception) -> NoReturn:
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]{what}[/]", escape(str(error)))
    raise typer.Exit(1) from error

"""`loopyard image`: the images that devboxes are made of, without a running server."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="image", help="Images that devboxes are made of.", no_args_is_help=True)


@app.callback()
def image() -> None:
    """Images that devboxes are made of."""


@app.command()
def base(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The data folder of the server that will use it.", envvar="LOOPYARD_DATA_DIR"),
    ] = None,
) -> None:
    """Make the base image now instead of at the server's first start. Prints its folder.

    Does nothing if it is there. It is made of the host's own packages (`apt`), which takes about half a minute.
    """
    from rich.console import Console
    from rich.markup import escape

    from loopyard.config import InvalidSettings, load
    from loopyard.runtime.crun import host
    from loopyard.runtime.crun.image import ensure_base
    from loopyard.runtime.errors import RuntimeUnavailable

    err = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        settings = load(data_dir=data_dir)
        images = settings.runtime.images_of(settings.data_dir)
        host.check()
        with err.status("base image") as status:
            shown = status.update if err.is_terminal else err.print
            made = asyncio.run(ensure_base(images, settings.runtime.ca_bundle, lambda step: shown(escape(step))))
    except (InvalidSettings, RuntimeUnavailable, OSError) as error:
        err.print("[bold red]The base image cannot be made.[/]", escape(str(error)))
        raise typer.Exit(1) from error
    typer.echo(made)

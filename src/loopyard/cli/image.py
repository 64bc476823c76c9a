"""`loopyard image`: the images that devboxes are made of, without a running server."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from loopyard.runtime.crun.building.buildah import Storage

app = typer.Typer(name="image", help="Images that devboxes are made of.", no_args_is_help=True)


DataDir = Annotated[
    Path | None,
    typer.Option(help="The data folder of the server that uses it.", envvar="LOOPYARD_DATA_DIR"),
]


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
    from loopyard.runtime.base_image.making import ensure_base
    from loopyard.runtime.crun.host import requirements
    from loopyard.runtime.errors import RuntimeUnavailable

    err = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        settings = load(data_dir=data_dir)
        images = settings.runtime.images_of(settings.data_dir)
        requirements.check()
        with err.status("base image") as status:
            shown = status.update if err.is_terminal else err.print
            made = asyncio.run(ensure_base(images, settings.runtime.ca_bundle, lambda step: shown(escape(step))))
    except (InvalidSettings, RuntimeUnavailable, OSError) as error:
        err.print("[bold red]The base image cannot be made.[/]", escape(str(error)))
        raise typer.Exit(1) from error
    typer.echo(made)


@app.command("import")
def import_image(
    rootfs: Annotated[
        Path,
        typer.Argument(
            help="A tar archive of a root file system, compressed or not; or of an image, as `docker save` or "
            "`skopeo copy IMAGE oci-archive:FILE` writes it.",
            exists=True,
            dir_okay=False,
        ),
    ],
    name: Annotated[str, typer.Argument(help="What a Dockerfile calls it, such as ubuntu:22.04.")],
    data_dir: DataDir = None,
    *,
    change: Annotated[
        list[str] | None,
        typer.Option(
            help="How it is used: an instruction such as 'CMD [\"nginx\"]'; ENTRYPOINT, ENV, WORKDIR, USER too."
        ),
    ] = None,
) -> None:
    """Take in an image, so that `FROM NAME` finds it on a machine that reaches no registry. Prints its whole name."""
    from loopyard.runtime.crun.building.buildah import full_name
    from loopyard.runtime.crun.building.changes import options
    from loopyard.runtime.crun.building.importing import import_archive
    from loopyard.runtime.errors import RuntimeFault

    storage = _storage(data_dir)

    async def work() -> None:
        async with storage.in_use():
            await import_archive(storage, rootfs.absolute(), full_name(name), options(change or []))

    try:
        asyncio.run(work())
    except (RuntimeFault, ValueError) as fault:
        _fail("The image cannot be imported.", fault)
    typer.echo(full_name(name))


@app.command("list")
def list_images(data_dir: DataDir = None) -> None:
    """Show the images that a Dockerfile can name: imported ones, and those that builds have pulled."""
    from loopyard.runtime.errors import RuntimeFault

    storage = _storage(data_dir)
    try:
        found = asyncio.run(storage.list())
    except RuntimeFault as fault:
        _fail("The images cannot be listed.", fault)
    for image in found:
        typer.echo("\t".join((image.id, image.size, image.created, " ".join(image.names))))


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The name it was imported by.")], data_dir: DataDir = None) -> None:
    """Remove an image. Blueprints that were built on it keep what they have of it."""
    from loopyard.runtime.crun.building.bases import unused
    from loopyard.runtime.crun.building.buildah import full_name
    from loopyard.runtime.errors import RuntimeFault

    storage = _storage(data_dir)

    async def work() -> None:
        if (image_id := storage.local_id(name)) is None:
            raise RuntimeFault("there is none of this name")
        async with unused(storage.images, image_id) as free:
            if not free:
                raise RuntimeFault("it is in use by a build")
            await storage.remove(full_name(name))

    try:
        asyncio.run(work())
    except RuntimeFault as fault:
        _fail("The image cannot be removed.", fault)


def _storage(data_dir: Path | None) -> "Storage":
    """Where the server over this data folder keeps images' layers."""
    from loopyard.config import InvalidSettings, load
    from loopyard.runtime.crun.building.buildah import Storage
    from loopyard.runtime.errors import RuntimeUnavailable

    try:
        settings = load(data_dir=data_dir)
        storage = Storage(settings.runtime.images_of(settings.data_dir))
        storage.open()
    except (InvalidSettings, RuntimeUnavailable, OSError) as error:
        _fail("There are no images here.", error)
    return storage


def _fail(what: str, error: Exception) -> NoReturn:
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]{what}[/]", escape(str(error)))
    raise typer.Exit(1) from error

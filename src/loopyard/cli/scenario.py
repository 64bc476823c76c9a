"""`loopyard scenario`: scenarios as such, apart from the agents that try them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from loopyard.bench.importing.draft import Draft

app = typer.Typer(name="scenario", help="Bring scenarios in, and check them.", no_args_is_help=True)

_MISUSED = 2


@app.callback()
def scenario() -> None:
    """Bring scenarios in, and check them."""


@app.command("import")
def import_tasks(
    harbor: Annotated[
        Path | None, typer.Option(help="A Harbor task's folder, or one of several tasks' folders.", metavar="DIR")
    ] = None,
    swebench: Annotated[
        Path | None, typer.Option(help="A file with one SWE-bench row a line, as JSON.", metavar="FILE.jsonl")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="Write scenario folders into this one, instead of to a server.", metavar="FOLDER"),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="SWE-bench: a task's image, with {instance}, {repo} and {version}; `base` is the server's own. "
            "Default: what the row names, else SWE-bench's published one.",
            metavar="TEMPLATE",
        ),
    ] = None,
    clone: Annotated[
        str | None,
        typer.Option(
            help="SWE-bench: clone the repository from here, with {repo} in it; for images that do not have it.",
            metavar="TEMPLATE",
        ),
    ] = None,
    setup: Annotated[
        Path | None,
        typer.Option(help="SWE-bench: a Bash script that makes the environment, in /testbed.", metavar="FILE"),
    ] = None,
    test_command: Annotated[
        str | None,
        typer.Option(help="SWE-bench: what runs the tests; {tests} stands for them.", metavar="COMMAND"),
    ] = None,
) -> None:
    """Turn tasks of Harbor or SWE-bench into scenarios.

    They go to the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name, with a blueprint for each environment, and
    their names and ids are printed. With `--to` they become folders that `loopyard bench run` takes.

    Nothing is written unless all tasks can be imported; each fault is told with its file, line and field.
    docs/scenario-folders.md says what becomes of what.
    """
    from loopyard.bench.importing import session
    from loopyard.bench.loader import FolderFault
    from loopyard.bench.local_server import ServerFailed

    if (harbor is None) == (swebench is None):
        typer.echo("Name what to import: either --harbor DIR or --swebench FILE.jsonl.", err=True)
        raise typer.Exit(_MISUSED)
    try:
        drafts = _drafts(harbor, swebench, image, clone, setup, test_command)
        if to is not None:
            for place in session.to_folder(drafts, to):
                typer.echo(place)
            return
        for name, scenario_id in session.to_server(drafts).items():
            typer.echo(f"{scenario_id}\t{name}")
    except FolderFault as fault:
        typer.echo("These tasks cannot be imported:", err=True)
        for line in fault.faults:
            typer.echo(f"  {line}", err=True)
        raise typer.Exit(_MISUSED) from fault
    except ServerFailed as failure:
        typer.echo(f"There is no server to import to: {failure}", err=True)
        raise typer.Exit(1) from failure


def _drafts(
    harbor: Path | None,
    swebench: Path | None,
    image: str | None,
    clone: str | None,
    setup: Path | None,
    test_command: str | None,
) -> "list[Draft]":
    from loopyard.bench.importing.harbor.convert import drafts as of_harbor
    from loopyard.bench.importing.swebench.convert import Options
    from loopyard.bench.importing.swebench.convert import drafts as of_swebench
    from loopyard.bench.loader import FolderFault

    if harbor is not None:
        return of_harbor(harbor)
    assert swebench is not None  # noqa: S101
    try:
        script = None if setup is None else setup.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FolderFault([f"{setup}: cannot be read: {error}"]) from error
    return of_swebench(swebench, Options(image, clone, script, test_command))

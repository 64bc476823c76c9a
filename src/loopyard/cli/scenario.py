"""`loopyard scenario`: scenarios as such, apart from the agents that try them."""

from pathlib import Path
from typing import Annotated

import typer

from loopyard.cli.operator import DatabaseUrl, DataDir, Withdraw, change, note

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
        typer.Option(help="SWE-bench: what runs the tests; {tests} stands for them. Any Bash.", metavar="COMMAND"),
    ] = None,
    results: Annotated[
        str,
        typer.Option(
            help="SWE-bench: what the test command tells results by, if it runs neither pytest nor unittest: lines, "
            "junit-xml, tap, go-json, jest-json or cargo, with :FILE if it writes them to a file.",
            metavar="FORMAT[:FILE]",
        ),
    ] = "lines",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the tasks that can be, and list the faults of the others.")
    ] = False,
) -> None:
    """Turn tasks of Harbor or SWE-bench into scenarios.

    They go to the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name, with a blueprint for each environment, and
    their names and ids are printed. With `--to` they become folders that `loopyard bench run` takes.

    Nothing is written unless all tasks can be imported, or `--skip-bad` is given; each fault is told with its file,
    line and field.
    docs/scenario-folders.md says what becomes of what.
    """
    from loopyard.bench.importing import session
    from loopyard.bench.importing.draft import Drafts
    from loopyard.bench.importing.harbor.convert import drafts as of_harbor
    from loopyard.bench.importing.swebench.convert import Options
    from loopyard.bench.importing.swebench.convert import drafts as of_swebench
    from loopyard.bench.loader import FolderFault
    from loopyard.bench.local_server import ServerFailed

    if (harbor is None) == (swebench is None):
        typer.echo("Name what to import: either --harbor DIR or --swebench FILE.jsonl.", err=True)
        raise typer.Exit(_MISUSED)
    try:
        if harbor is not None:
            faults: list[str] = []
            found = Drafts(of_harbor(harbor, left_out=faults if skip_bad else None), faults)
        else:
            assert swebench is not None  # noqa: S101
            found = of_swebench(swebench, Options(image, clone, _script(setup), test_command, results))
        drafts = session.chosen(found, skip_bad=skip_bad)
        for line in found.faults:
            typer.echo(f"skipped: {line}", err=True)
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


@app.command()
def validate(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Folders of scenario folders, or ids of scenarios on the server.",
            metavar="FOLDER|ID...",
            show_default=False,
        ),
    ],
    times: Annotated[int, typer.Option(help="How often each is tried.", min=1, max=100, metavar="N")] = 2,
    concurrency: Annotated[int, typer.Option(help="How many boxes at once.", min=1, max=1000, metavar="N")] = 4,
    agent_timeout: Annotated[
        float, typer.Option(help="For applying the reference output.", min=1, metavar="SECONDS")
    ] = 1800,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file too.", metavar="FILE")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The data folder for a server of its own.", envvar="LOOPYARD_DATA_DIR", metavar="DIR"),
    ] = None,
) -> None:
    """Tell sound scenarios from broken and flaky ones.

    Each scenario is tried twice by doing nothing, which must score less than 1, and twice by its reference output,
    which must score 1; no scorer may end in an error, and both times must come out the same.

    **Where it runs:** on the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name. Without RUNLOOP_BASE_URL a server
    is started for the time of it, which knows folders only.

    **Exit status:** 0 when all are sound; 1 when one is broken or flaky, or the infrastructure failed; 2 when a folder,
    an id or the call is wrong; 130 after Ctrl-C, which shuts the boxes down first.
    """
    from loopyard.bench.runner import Pace
    from loopyard.bench.validation.session import Options, run

    if data_dir is None:
        from loopyard.config import default_data_dir

        data_dir = default_data_dir()
    place = data_dir.expanduser().absolute()
    raise typer.Exit(run(Options(what, times, Pace(concurrency, agent_timeout), place, json_file)))


@app.command()
def publish(
    scenario_id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="The scenario.")],
    withdraw: Withdraw = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Open a scenario to every account: it is in the public list, and can be run by all.

    For the operator, on the server's own machine; a running server knows of it at once.
    """
    from loopyard.scenario import service

    change(data_dir, database_url, lambda session: service.publish(session, scenario_id, public=not withdraw))
    note(data_dir, f"scenario {'withdraw' if withdraw else 'publish'}", made=scenario_id)


def _script(path: Path | None) -> str | None:
    """The text of a script.

    Raises:
        FolderFault: It cannot be read.
    """
    from loopyard.bench.loader import FolderFault
    from loopyard.bench.texts import NotText, as_script, read_exact

    try:
        return None if path is None else as_script(read_exact(path))
    except (OSError, NotText) as error:
        raise FolderFault([f"{path}: cannot be read: {error}"]) from error

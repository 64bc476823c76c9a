"""`loopyard trajectory`: recorded calls of models as a trajectory."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def trajectory(
    source: Annotated[
        str,
        typer.Argument(
            help="The id of a scenario run (scr_…), its logs as a zip file, or their model_calls.jsonl.",
            metavar="RUN",
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.", metavar="FILE")] = None,
    agent: Annotated[
        str | None, typer.Option(help="The agent's name; else what the run's metadata say.", metavar="NAME")
    ] = None,
    agent_version: Annotated[str | None, typer.Option(help="The agent's version.", metavar="VERSION")] = None,
) -> None:
    """Make a trajectory in Harbor's format (ATIF) of the calls of models that a run made through the gateway.

    The run's calls must have been recorded: by `loopyard.record_model_calls` in its metadata, or by the server's
    setting LOOPYARD_GATEWAY__RECORD. Runs are read from the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name.
    """
    from dataclasses import replace

    from loopyard.model_usage.trajectory.atif import NothingRecorded
    from loopyard.model_usage.trajectory.atif import trajectory as make
    from loopyard.model_usage.trajectory.source import Unreadable, load

    try:
        lines, names = load(source)
        names = replace(names, agent=agent or names.agent, version=agent_version or names.version)
        text = json.dumps(make(lines, names), indent=2, ensure_ascii=False) + "\n"
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8")
    except Unreadable as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(2) from error
    except NothingRecorded as error:
        typer.echo(f"{source}: {error}.", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"{out} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(2) from error

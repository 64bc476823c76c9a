"""`loopyard bench`: runs scenarios and scores agents."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from loopyard.cli import results

app = typer.Typer(
    name="bench",
    help="Run folders of scenarios and see how agents score.",
    no_args_is_help=True,
)


class AgentName(StrEnum):
    """The agents that need no description."""

    oracle = "oracle"
    nop = "nop"
    cheat = "cheat"


@app.callback()
def bench() -> None:
    """Run folders of scenarios and see how agents score."""


app.command("report")(results.report)
app.command("compare")(results.compare)


@app.command()
def run(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of scenario folders, or one scenario's own.", show_default=False, metavar="FOLDER"
        ),
    ],
    agent: Annotated[
        list[AgentName] | None,
        typer.Option(
            help="oracle applies the reference output, nop does nothing, cheat tries to fool the scorers. Can be "
            "given several times.",
            metavar="oracle|nop|cheat",
        ),
    ] = None,
    agent_command: Annotated[
        list[str] | None,
        typer.Option(
            help="A Bash command of yours as an agent; runs in the box. Can be given several times.", metavar="COMMAND"
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Run only the scenario of this name. Can be given several times.", metavar="NAME"),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="How many boxes at once.", min=1, max=1000, metavar="N")] = 4,
    agent_timeout: Annotated[
        float,
        typer.Option(help="For an agent's turn; what it has done by then is scored.", min=1, metavar="SECONDS"),
    ] = 1800,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file too.", metavar="FILE")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the last run of the same folder and agents; keep what is scored."),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where results are kept, and the data folder for a server of the bench's own.",
            envvar="LOOPYARD_DATA_DIR",
            metavar="DIR",
        ),
    ] = None,
) -> None:
    """Let agents try scenarios in sandboxes of their own, score their work, and print a table.

    **Where it runs:** on the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name. Without RUNLOOP_BASE_URL a server
    is started for the time of the run.

    **Your own agent:** the command of `--agent-command` runs in the scenario's working directory. The problem is in the
    file `$PROBLEM_STATEMENT_FILE` and in `$PROBLEM_STATEMENT` (which only points to the file when the text is longer
    than 120,000 bytes):

        loopyard bench run FOLDER --agent-command 'my-agent "$PROBLEM_STATEMENT"'

    **Checking scenarios:** with `--agent oracle --agent nop --agent cheat` a sound scenario scores 1.0, 0.0 and 0.0.
    Any other score means that the scenario is broken.

    **After an interruption,** even a kill, the same command with `--resume` goes on: scored attempts are not run again,
    work that was done is scored, and the rest is begun anew. A scenario or agent that was changed is begun anew, too.
    Where nothing was begun, it starts.

    **Exit status:** 0 when every attempt was scored and no scenario is broken, whatever your own agent scored; 1 when
    the infrastructure failed somewhere or a scenario is broken; 2 when the folder or the call is wrong; 130 after
    Ctrl-C, which shuts the boxes down first.
    """
    from loopyard.bench.agents import BUILT_IN, command_agents
    from loopyard.bench.runner import Pace
    from loopyard.bench.session import MISUSED, Options
    from loopyard.bench.session import run as run_session

    if data_dir is None:
        from loopyard.config import default_data_dir

        data_dir = default_data_dir()
    agents = [BUILT_IN[name] for name in dict.fromkeys(agent or [])] + command_agents(agent_command or [])
    if not agents:
        typer.echo("Name an agent: --agent oracle, --agent nop, --agent cheat or --agent-command COMMAND.", err=True)
        raise typer.Exit(MISUSED)
    options = Options(
        folder=folder,
        agents=agents,
        scenarios=scenario or [],
        pace=Pace(concurrency, agent_timeout),
        data_dir=data_dir.expanduser().absolute(),
        json_file=json_file,
        resume=resume,
    )
    raise typer.Exit(run_session(options))

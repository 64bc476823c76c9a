"""The `loopyard` command."""

import typer

from loopyard.cli import (
    account,
    audit,
    bench,
    benchmark,
    evict,
    image,
    key,
    openapi,
    scenario,
    secret,
    serve,
    trajectory,
    upkeep,
)

app = typer.Typer(
    name="loopyard",
    help="Agent sandboxes and agent evaluation on your own machine, behind the Runloop API.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("evict")(evict.evict)
app.command("gc")(upkeep.gc)
app.command("status")(upkeep.status)
app.command("audit")(audit.audit)
app.add_typer(account.app)
app.command("trajectory")(trajectory.trajectory)
app.add_typer(bench.app)
app.add_typer(benchmark.app)
app.add_typer(image.app)
app.add_typer(key.app)
app.add_typer(scenario.app)
app.add_typer(secret.app)
app.command("openapi")(openapi.print_openapi)

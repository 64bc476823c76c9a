"""A whole bench: from a folder and some agents to a report and an exit status."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from runloop_api_client import APIError, AsyncRunloop

from loopyard.bench import report
from loopyard.bench.agents import Agent
from loopyard.bench.catalog import publish
from loopyard.bench.journal import Journal, JournalFault, journal, place
from loopyard.bench.loader import FolderFault, Suite, load
from loopyard.bench.local_server import ServerFailed, check_usable, local_server
from loopyard.bench.plan import PlannedTrial, plan
from loopyard.bench.progress import shown, waiting
from loopyard.bench.results import Result, State, exit_status
from loopyard.bench.runner import Pace, run_trials
from loopyard.bench.wire_errors import describe

FAILED = 1
MISUSED = 2
_PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


class Misuse(Exception):
    """The command was called in a way that cannot work; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one `loopyard bench run`."""

    folder: Path
    agents: Sequence[Agent]
    scenarios: Sequence[str]
    pace: Pace
    data_dir: Path
    json_file: Path | None = None
    resume: bool = False


def run(options: Options) -> int:
    """Run the bench and print its report. The report goes to standard output, all else to standard error.

    Returns:
        0 if every attempt was scored and no scenario is broken; 1 if not, or if there is no server; 2 for a folder or
        a call that cannot be run; 128 and the signal's number after an interruption.
    """
    err = console(stderr=True)
    try:
        suite = load(options.folder).only(options.scenarios)
        trials = plan(suite, options.agents)
        _check(options)
        with _journal(options, err) as kept:
            return asyncio.run(_run(options, suite, trials, kept, err))
    except FolderFault as fault:
        err.print("[bold red]These scenarios cannot be run:[/]")
        for line in fault.faults:
            err.print(f"  {escape(line)}", soft_wrap=True)
        return MISUSED
    except Misuse as misuse:
        err.print(f"[bold red]{escape(str(misuse))}[/]")
        return MISUSED
    except ServerFailed as failure:
        err.print("[bold red]There is no server to run on:[/]", escape(str(failure)), soft_wrap=True)
        return FAILED


async def _run(options: Options, suite: Suite, trials: list[PlannedTrial], kept: Journal, err: Console) -> int:
    results: list[Result] = []
    with interruptible(err) as received:
        try:
            async with server(options.data_dir, err) as client:
                results = await _on_server(client, options, suite, trials, kept, err)
        except asyncio.CancelledError:
            if not received:
                raise
    status = 128 + received[0] if received else exit_status(results)
    if kept.fault is not None:
        err.print(f"[bold red]The results could not be kept[/] for --resume: {escape(str(kept.fault))}")
    elif received or any(result.state != State.SCORED for result in results):
        err.print("The same command with --resume goes on from here: what is scored is not run again.")
    if results:
        out = console()
        report.show(out, results)
        if options.json_file is not None:
            report.write_json(options.json_file, report.document(suite.benchmark.name, results, options.pace, status))
    return status


async def _on_server(
    client: AsyncRunloop, options: Options, suite: Suite, trials: list[PlannedTrial], kept: Journal, err: Console
) -> list[Result]:
    try:
        await check_usable(client)
        ids = await publish(client, suite.scenarios)
    except APIError as error:
        raise ServerFailed(f"{client.base_url} cannot be used: {describe(error)}") from error
    with shown(err, len(trials)) as watcher:
        return await run_trials(
            client, ids, trials, benchmark=suite.benchmark.name, pace=options.pace, journal=kept, watcher=watcher
        )


@asynccontextmanager
async def server(data_dir: Path, err: Console) -> AsyncGenerator[AsyncRunloop]:
    """The server that the environment names, else one of the bench's own."""
    if url := os.environ.get("RUNLOOP_BASE_URL"):
        async with AsyncRunloop(base_url=url, bearer_token=os.environ["RUNLOOP_API_KEY"]) as client:
            yield client
        return
    with waiting(err) as (notice, done):
        async with local_server(data_dir, notice) as client:
            done()
            yield client


@contextmanager
def _journal(options: Options, err: Console) -> Generator[Journal]:
    """The journal of the bench that is called so: of this folder, these scenarios and agents, on this server."""
    server = os.environ.get("RUNLOOP_BASE_URL", "")
    called = (str(options.folder.resolve()), server, *sorted(options.scenarios), *map(repr, options.agents))
    path = place(options.data_dir, *called)
    if options.resume and not path.exists():
        err.print("No bench of this folder with these agents was begun here: this one starts from the beginning.")
    try:
        with journal(path, resume=options.resume) as kept:
            yield kept
    except JournalFault as fault:
        raise Misuse(str(fault)) from fault


def _check(options: Options) -> None:
    """Tell now what would otherwise fail after all the work."""
    if os.environ.get("RUNLOOP_BASE_URL") and not os.environ.get("RUNLOOP_API_KEY"):
        raise Misuse("RUNLOOP_BASE_URL names a server; set RUNLOOP_API_KEY to its key too, or unset both.")
    target = options.json_file
    if target is not None and (target.is_dir() or not os.access(target.parent, os.W_OK)):
        raise Misuse(f"--json {target} cannot be written; name a file in a folder that exists and is yours.")


@contextmanager
def interruptible(err: Console) -> Generator[list[signal.Signals]]:
    """The first SIGINT or SIGTERM cancels this task, which then shuts its boxes down; a second one ends the process."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    signals = (signal.SIGINT, signal.SIGTERM)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) > 1:
            err.show_cursor()
            err.print(
                "[bold red]Given up.[/] Boxes may still be running; a server shuts them down when their time is up."
            )
            os._exit(128 + number)
        err.print("[bold]Interrupted: shutting the boxes down.[/] Once more gives up at once.")
        if task is not None:
            task.cancel()

    for one in signals:
        loop.add_signal_handler(one, stop, one)
    try:
        yield received
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def console(*, stderr: bool = False) -> Console:
    """A console on one of this process's streams, of a fixed width where that is no terminal."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console

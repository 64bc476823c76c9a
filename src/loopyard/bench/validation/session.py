"""A whole validation: from folders or ids to a table and an exit status."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from runloop_api_client import APIError, AsyncRunloop

from loopyard.bench.agents import Agent, Nop, Oracle
from loopyard.bench.catalog import publish
from loopyard.bench.definition import BenchmarkDefinition, ScenarioDefinition
from loopyard.bench.journal import journal
from loopyard.bench.loader import FolderFault, Suite, load
from loopyard.bench.local_server import ServerFailed, check_usable
from loopyard.bench.plan import PlannedTrial, plan
from loopyard.bench.progress import shown
from loopyard.bench.report import write_json
from loopyard.bench.results import Result
from loopyard.bench.runner import Pace, run_trials
from loopyard.bench.session import FAILED, MISUSED, console, interruptible, server
from loopyard.bench.validation import show
from loopyard.bench.validation.from_server import scenarios_of
from loopyard.bench.validation.notes import notes
from loopyard.bench.validation.verdicts import Judgement, Verdict, judge
from loopyard.bench.wire_errors import describe

_NAME = "validation"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one `loopyard scenario validate`. `what` are folders, or ids of scenarios on the server."""

    what: Sequence[str]
    times: int
    pace: Pace
    data_dir: Path
    json_file: Path | None = None


def run(options: Options) -> int:
    """Validate, and print the table to standard output, all else to standard error.

    Returns:
        0 if every scenario is sound; 1 if not, or if there is no server; 2 for a call or a folder that cannot be used;
        128 and the signal's number after an interruption.
    """
    err = console(stderr=True)
    try:
        folders = [Path(one) for one in options.what if Path(one).is_dir()]
        ids = [one for one in options.what if not Path(one).is_dir()]
        _check(options, ids)
        suites = [load(folder) for folder in folders]
        return asyncio.run(_run(options, [one for suite in suites for one in suite.scenarios], ids, err))
    except FolderFault as fault:
        err.print("[bold red]These scenarios cannot be validated:[/]")
        for line in fault.faults:
            err.print(f"  {escape(line)}", soft_wrap=True)
        return MISUSED
    except ServerFailed as failure:
        err.print("[bold red]There is no server to run on:[/]", escape(str(failure)), soft_wrap=True)
        return FAILED


def _check(options: Options, ids: Sequence[str]) -> None:
    url, key = os.environ.get("RUNLOOP_BASE_URL"), os.environ.get("RUNLOOP_API_KEY")
    faults = [
        f"{one} is neither a folder nor an id of a scenario (scn_...)" for one in ids if not one.startswith("scn_")
    ]
    if url and not key:
        faults.append("RUNLOOP_BASE_URL names a server; set RUNLOOP_API_KEY to its key too, or unset both")
    if ids and not url:
        faults.append("ids are of a server; set RUNLOOP_BASE_URL and RUNLOOP_API_KEY to name it")
    target = options.json_file
    if target is not None and (target.is_dir() or not os.access(target.parent, os.W_OK)):
        faults.append(f"--json {target} cannot be written; name a file in a folder that exists and is yours")
    if faults:
        raise FolderFault(faults)


async def _run(options: Options, scenarios: list[ScenarioDefinition], ids: Sequence[str], err: Console) -> int:
    judgements: list[Judgement] = []
    with interruptible(err) as received:
        try:
            async with server(options.data_dir, err) as client:
                judgements = await _judgements(client, options, scenarios, ids, err)
        except asyncio.CancelledError:
            if not received:
                raise
    sound = judgements and all(judgement.verdict == Verdict.SOUND for judgement in judgements)
    status = 128 + received[0] if received else 0 if sound else FAILED
    if judgements:
        show.table(console(), judgements)
        if options.json_file is not None:
            write_json(options.json_file, show.document(judgements, options.times, status))
    return status


async def _judgements(
    client: AsyncRunloop, options: Options, scenarios: list[ScenarioDefinition], ids: Sequence[str], err: Console
) -> list[Judgement]:
    try:
        await check_usable(client)
        held = await scenarios_of(client, ids)
        published = await publish(client, scenarios)
    except APIError as error:
        raise ServerFailed(f"{client.base_url} cannot be used: {describe(error)}") from error
    everything = [*scenarios, *held.values()]
    known = {**published, **{scenario.name: scenario_id for scenario_id, scenario in held.items()}}
    trials = _trials(everything, options.times)
    with (
        tempfile.TemporaryDirectory(prefix="loopyard-validate-") as folder,
        journal(Path(folder, "journal"), resume=False) as kept,
        shown(err, len(trials)) as watcher,
    ):
        results = await run_trials(
            client, known, trials, benchmark=_NAME, pace=options.pace, journal=kept, watcher=watcher
        )
    return [_judgement(scenario, trials, results) for scenario in everything]


def _trials(scenarios: Sequence[ScenarioDefinition], times: int) -> list[PlannedTrial]:
    """Nothing and the reference output, each so many times, at every scenario."""
    trials: list[PlannedTrial] = []
    for scenario in scenarios:
        agents: list[Agent] = []
        for number in range(1, times + 1):
            suffix = "" if number == 1 else f" again ({number})"
            agents.append(replace(Nop(), name=Nop().name + suffix))
            if scenario.reference_output is not None:
                agents.append(replace(Oracle(), name=Oracle().name + suffix))
        trials += plan(Suite(BenchmarkDefinition(name=_NAME), [scenario]), agents)
    return trials


def _judgement(scenario: ScenarioDefinition, trials: Sequence[PlannedTrial], results: Sequence[Result]) -> Judgement:
    own: dict[str, list[Result]] = {}
    for trial, result in zip(trials, results, strict=True):
        if trial.scenario is scenario:
            own.setdefault(trial.agent.name.partition(" ")[0], []).append(result)
    judgement = judge(scenario.name, own, has_reference=scenario.reference_output is not None)
    return replace(judgement, notes=notes(scenario))

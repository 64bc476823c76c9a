"""Carries out all trials of a bench, a few at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runloop_api_client import AsyncRunloop

from loopyard.bench.journal import Entry, Journal
from loopyard.bench.plan import PlannedTrial
from loopyard.bench.results import Result, State, with_broken_scenarios
from loopyard.bench.trial import cancel, carry_out


class Watcher(Protocol):
    """Is told how a bench goes on."""

    def doing(self, trial: PlannedTrial, what: str) -> None:
        """A trial that is under way has come to something else."""
        ...

    def finished(self, trial: PlannedTrial, result: Result) -> None:
        """A trial has ended, or will never start."""
        ...

    def kept(self, trial: PlannedTrial, result: Result) -> None:
        """A trial was scored by the bench that is continued."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How many trials at once, and how many seconds an agent has for each."""

    concurrency: int
    agent_timeout: float


async def run_trials(
    client: AsyncRunloop,
    scenario_ids: Mapping[str, str],
    trials: Sequence[PlannedTrial],
    *,
    benchmark: str,
    pace: Pace,
    journal: Journal,
    watcher: Watcher,
) -> list[Result]:
    """Carry out the trials, but those that the journal has a score of. Returns a result for each, in their order;
    those of a scenario whose box could be set up in no attempt say that it is broken.

    When this task is cancelled, the trials under way are cancelled on the server, so that no box is left running, and
    all that are not scored by then are `canceled`.

    Args:
        client: The server.
        scenario_ids: The scenarios' ids there, by name.
        trials: What to do.
        benchmark: The name that the runs' metadata gets.
        pace: How many at once, and for how long.
        journal: What was done before, and where what is done now is kept.
        watcher: Told how it goes on.
    """
    slots = asyncio.Semaphore(pace.concurrency)

    async def one(trial: PlannedTrial, entry: Entry) -> Result:
        if entry.result is not None:
            watcher.kept(trial, entry.result)
            return entry.result
        try:
            async with slots:
                result = await carry_out(
                    client,
                    scenario_ids[trial.scenario.name],
                    trial,
                    entry,
                    benchmark=benchmark,
                    agent_timeout=pace.agent_timeout,
                    phase=lambda what: watcher.doing(trial, what),
                )
        except asyncio.CancelledError:
            result = Result(trial.scenario.name, trial.agent.name, State.CANCELED, 0.0, reason="never started")
        watcher.finished(trial, result)
        return result

    entries = [journal.entry(trial, pace.agent_timeout) for trial in trials]
    for run_id in journal.abandoned():
        await cancel(client, run_id)
    tasks = [asyncio.create_task(one(trial, entry)) for trial, entry in zip(trials, entries, strict=True)]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        # A task that was never begun would end without a result.
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return with_broken_scenarios([task.result() for task in tasks])

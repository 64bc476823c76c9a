"""Starts the trials of all jobs in turn, a few at a time, and takes those up again that a crash cut off."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from loopyard.benchmark.run.states import State as BenchmarkRunState
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.finalizer import JobFinalizer
from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.trial.repository import TrialRepository
from loopyard.benchmark_job.trial.runner import TrialRunner
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database

log = logging.getLogger("loopyard.benchmark_job")

_LOOK_SECONDS = 1.0
"""How often it looks by itself while there are jobs: for canceled runs, pauses that are over, and jobs out of time."""
_TRIES = 3
"""How often the server may fail at a trial by a fault of its own before that ends the trial."""


class Scheduler:
    """The trials under way in this server."""

    def __init__(
        self, database: Database, trial_runner: TrialRunner, finalizer: JobFinalizer, tasks: Tasks, config: JobConfig
    ) -> None:
        self._database = database
        self._trial_runner = trial_runner
        self._finalizer = finalizer
        self._tasks = tasks
        self._config = config
        self._sweeps = Periodic("looking after jobs", self.sweep, every=_LOOK_SECONDS)
        self._under_way: dict[str, str] = {}
        """Trials to their jobs."""
        self._stirred: set[str] | None = None
        """Jobs in which something has ended; None before the first look, when all have to be looked at."""
        self._faults: Counter[str] = Counter()

    def wake(self) -> None:
        """There may be something to do."""
        self._sweeps.wake()

    async def run(self) -> None:
        """Look for what is to be done, for ever."""
        await self._sweeps.run()

    async def sweep(self) -> bool:
        """Do what is to be done now. False if there are no jobs."""
        async with self._database.read() as session:
            jobs = await BenchmarkJobRepository(session).list_unfinished()
        if not jobs:
            return False
        for job in jobs:
            if job.deadline_ms <= now_ms() and not job.out_of_time:
                await self._finalizer.expire(job.id)
        await self._drop(jobs)
        await self._take_up()
        await self._fill(jobs)
        await self._close({job.id for job in jobs})
        return True

    async def _drop(self, jobs: Sequence[BenchmarkJob]) -> None:
        """End the waiting trials of benchmark runs that are over: somebody has canceled them."""
        run_ids = [run_id for job in jobs for run_id in job.run_ids]
        async with self._database.read() as session:
            runs = await BenchmarkJobRepository(session).runs_by_id(run_ids)
            known = await BenchmarkJobRepository(session).outcomes([job.id for job in jobs])
        for job in jobs:
            over = [
                run_id
                for position, run_id in enumerate(job.run_ids)
                if position not in known.get(job.id, {})
                and (run_id not in runs or runs[run_id].state != BenchmarkRunState.RUNNING)
            ]
            if over:
                await self._finalizer.drop(job.id, over)
                self._stir(job.id)

    async def _take_up(self) -> None:
        """Go on with trials that were begun and that no task runs: those of before a crash, or before a fault."""
        async with self._database.read() as session:
            begun = await TrialRepository(session).ids_under_way()
        for trial_id, job_id in begun:
            self._start(trial_id, job_id)

    async def _fill(self, jobs: Sequence[BenchmarkJob]) -> None:
        """Start trials, always of the job that has the fewest under way."""
        waiting: dict[str, list[str]] = {}
        for job in jobs:
            room = min(job.n_concurrent_trials - self._count(job.id), self._free)
            if room > 0:
                async with self._database.read() as session:
                    due = await TrialRepository(session).ids_due(job.id, room + len(self._under_way))
                waiting[job.id] = [trial_id for trial_id in due if trial_id not in self._under_way][:room]
        while self._free > 0:
            ready = [job_id for job_id, line in waiting.items() if line]
            if not ready:
                return
            job_id = min(ready, key=self._count)
            self._start(waiting[job_id].pop(0), job_id)

    async def _close(self, unfinished: set[str]) -> None:
        stirred = unfinished if self._stirred is None else self._stirred
        self._stirred = set()
        for job_id in stirred:
            if not await self._finalizer.close(job_id):
                self._stirred.add(job_id)

    def _start(self, trial_id: str, job_id: str) -> None:
        if trial_id not in self._under_way:
            self._under_way[trial_id] = job_id
            self._tasks.start(f"trial {trial_id}", self._run_trial(trial_id, job_id))

    async def _run_trial(self, trial_id: str, job_id: str) -> None:
        try:
            await self._trial_runner.run(trial_id)
            self._faults.pop(trial_id, None)
        except Exception:
            self._faults[trial_id] += 1
            log.exception("trial %s: the server failed at running it", trial_id)
            await asyncio.sleep(_LOOK_SECONDS)
            if self._faults[trial_id] >= _TRIES:
                del self._faults[trial_id]
                await self._trial_runner.give_up(trial_id, "The server failed; its log says why.")
        finally:
            del self._under_way[trial_id]
            self._stir(job_id)
            self.wake()

    @property
    def _free(self) -> int:
        return self._config.at_once - len(self._under_way)

    def _count(self, job_id: str) -> int:
        return sum(of == job_id for of in self._under_way.values())

    def _stir(self, job_id: str) -> None:
        if self._stirred is not None:
            self._stirred.add(job_id)

"""Cancellation of the scenario runs of ended benchmark runs, one by one. It resumes after a crash."""

from contextlib import suppress

from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.kit.background.retry import retry
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.database import Database
from loopyard.kit.errors import WrongState
from loopyard.kit.host.failpoint import failpoint
from loopyard.scenario.run.service import RunService

_BATCH = 100
_PAUSE_SECONDS = 1.0


class RunCanceler:
    """Canceler of scenario runs, in the background. Each method opens its own transactions."""

    def __init__(self, database: Database, runs: RunService, tasks: Tasks) -> None:
        self._database = database
        self._runs = runs
        self._tasks = tasks

    def begin(self, run_id: str) -> None:
        """Start to cancel what still goes on in a benchmark run that is written down as ending."""
        self._tasks.start(f"cancel {run_id}", self._cancel_all(run_id))

    async def settle(self, run_id: str, timeout: float) -> None:
        """Wait until it is done for this run, at most `timeout` seconds."""
        await self._tasks.settle(f"cancel {run_id}", timeout)

    async def reconcile(self) -> None:
        """At start: take up every run that is written down as ending."""
        async with self._database.read() as session:
            runs = await BenchmarkRunRepository(session).ids_ending()
        for run_id in runs:
            self.begin(run_id)

    async def _cancel_all(self, run_id: str) -> None:
        what = f"canceling the scenario runs of {run_id}"
        while not await retry(
            lambda: self._cancel_some(run_id),
            Exception,
            what=what,
            first_pause=_PAUSE_SECONDS,
            longest_pause=_PAUSE_SECONDS,
            with_traceback=True,
        ):
            pass

    async def _cancel_some(self, run_id: str) -> bool:
        """Cancel a batch; true when none is left. No new one comes, for the run is over."""
        async with self._database.read() as session:
            run = await BenchmarkRunRepository(session).get_by_id(run_id)
            if run is None or not run.ending:
                return True
            batch = await BenchmarkRunRepository(session).live(run, _BATCH)
        for scenario_run_id, _ in batch:
            with suppress(WrongState):  # it came to an end by itself at this moment
                async with self._database.write() as session:
                    await self._runs.cancel(session, run.account_id, scenario_run_id)
            failpoint("benchmark_run.one_canceled")
        if batch:
            return False
        async with self._database.write() as session:
            await BenchmarkRunRepository(session).mark_ended(run_id)
        return True

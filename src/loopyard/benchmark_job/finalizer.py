"""Finalizer of benchmark jobs: cancels unwanted trials, and ends benchmark runs and jobs whose trials have ended."""

import logging
import math
from collections.abc import Collection
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.states import State as BenchmarkRunState
from loopyard.benchmark_job.models import BenchmarkJob, BenchmarkJobOutcome
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import BenchmarkOutcomeView, FailureReasonView, ScenarioOutcomeView, dump
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.benchmark_job.states import JobState
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.repository import TrialRepository
from loopyard.benchmark_job.trial.states import Fault, Result
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import Busy, WrongState
from loopyard.kit.host.failpoint import failpoint

log = logging.getLogger("loopyard.benchmark_job")

OUT_OF_TIME = "The job took longer than this server lets jobs take."
ALL_BROKEN = "The infrastructure failed in every trial."
ALL_SETUPS_FAILED = "The scenarios' own setup failed in every trial; the outcomes tell which command, and its output."


class JobFinalizer:
    """Finalizer of jobs. Each method opens its own transactions and can be repeated."""

    def __init__(self, database: Database, runs: BenchmarkRunService, changes: Changes) -> None:
        self._database = database
        self._runs = runs
        self._changes = changes

    async def drop(self, job_id: str, run_ids: Collection[str]) -> None:
        """End the trials that have not begun, of benchmark runs of the job that are over."""
        async with self._database.write() as session:
            await TrialRepository(session).cancel_waiting(job_id, run_ids)
            after_commit(session, lambda: self._changes.publish(job_id))

    async def expire(self, job_id: str) -> None:
        """End the trials of a job whose time is over."""
        async with self._database.write() as session:
            job = await BenchmarkJobRepository(session).get_by_id_for_update(job_id)
            if job is None or job.end_time_ms is not None or job.out_of_time:
                return
            job.out_of_time = True
            for run_id in job.run_ids:
                with suppress(WrongState):  # it is over
                    await self._runs.cancel(session, job.account_id, run_id)
            after_commit(session, lambda: failpoint("job.expired"))

    async def close(self, job_id: str) -> bool:
        """End the benchmark runs of a job whose trials have all ended, and with the last of them the job. False if one
        has to be looked at again, since something else goes on in it."""
        async with self._database.read() as session:
            job = await BenchmarkJobRepository(session).get_by_id(job_id)
            going_on = await TrialRepository(session).open_positions(job_id)
            known = (await BenchmarkJobRepository(session).outcomes([job_id])).get(job_id, {})
        if job is None or job.end_time_ms is not None:
            return True
        for position in range(len(job.run_ids)):
            if position in known or position in going_on:
                continue
            try:
                await self._close_run(job_id, position)
            except (Busy, WrongState) as error:  # somebody runs a scenario of their own in it
                log.info("job %s waits: %s", job_id, error)
                return False
            failpoint("job.run_closed")
        await self._close_job(job_id)
        return True

    async def _close_run(self, job_id: str, position: int) -> None:
        async with self._database.write() as session:
            jobs = BenchmarkJobRepository(session)
            job = await jobs.get_by_id_for_update(job_id)
            if job is None or position in (await jobs.outcomes([job_id])).get(job_id, {}):
                return
            run = await BenchmarkRunRepository(session).get_by_id(job.run_ids[position])
            if run is None:
                return
            if run.state == BenchmarkRunState.RUNNING:
                run = await self._runs.complete(session, job.account_id, run.id)
            attempts = await TrialRepository(session).list_final(job_id, position)
            config = AgentConfig.model_validate((job.spec or {})["agent_configs"][position])
            outcome = dump(outcome_of(config, run, attempts))
            await jobs.create_outcome(BenchmarkJobOutcome(job_id=job_id, position=position, outcome=outcome))
            after_commit(session, lambda: self._changes.publish(job_id))

    async def _close_job(self, job_id: str) -> None:
        async with self._database.write() as session:
            job = await BenchmarkJobRepository(session).get_by_id_for_update(job_id)
            if job is None or job.end_time_ms is not None:
                return
            outcomes = (await BenchmarkJobRepository(session).outcomes([job_id])).get(job_id, {})
            if len(outcomes) < len(job.run_ids):
                return
            await self._end(session, job)
            after_commit(session, lambda: failpoint("job.closed"))
            after_commit(session, lambda: self._changes.publish(job_id))
        log.info("job %s is over", job_id)

    async def _end(self, session: AsyncSession, job: BenchmarkJob) -> None:
        runs = (await BenchmarkJobRepository(session).runs_by_id(job.run_ids)).values()
        job.state, job.failure_reason = JobState.COMPLETED, None
        if job.out_of_time:
            job.state, job.failure_reason = JobState.TIMEOUT, OUT_OF_TIME
        elif all(run.state == BenchmarkRunState.CANCELED for run in runs):
            job.state = JobState.CANCELLED
        elif (reason := await self._all_broken(session, job)) is not None:
            job.state, job.failure_reason = JobState.FAILED, reason
        job.end_time_ms = now_ms()

    async def _all_broken(self, session: AsyncSession, job: BenchmarkJob) -> str | None:
        """The reason why no agent could be tried; None if one was."""
        faults = {
            trial.fault
            for position in range(len(job.run_ids))
            for trial in await TrialRepository(session).list_final(job.id, position)
        }
        if not faults <= {Fault.INFRASTRUCTURE, Fault.SCENARIO}:
            return None
        return ALL_SETUPS_FAILED if faults == {Fault.SCENARIO} else ALL_BROKEN


def outcome_of(config: AgentConfig, run: BenchmarkRun, attempts: Collection[Trial]) -> BenchmarkOutcomeView:
    """Outcome of one agent configuration, from the last attempts at each scenario. `average_score` is the mean over the
    completed ones; one that was completed without a score counts as 0."""
    results = [attempt.result for attempt in attempts]
    completed = [attempt.score or 0.0 for attempt in attempts if attempt.result == Result.COMPLETED]
    return BenchmarkOutcomeView(
        agent_name=config.name,
        benchmark_run_id=run.id,
        n_completed=len(completed),
        n_failed=results.count(Result.FAILED),
        n_timeout=results.count(Result.TIMEOUT),
        scenario_outcomes=[_scenario(attempt) for attempt in attempts],
        average_score=math.fsum(completed) / len(completed) if completed else None,
        duration_ms=run.duration_ms,
        model_name=config.model_name,
    )


def _scenario(attempt: Trial) -> ScenarioOutcomeView:
    reason = None
    if attempt.exception_type is not None:
        reason = FailureReasonView(
            exception_type=attempt.exception_type,
            exception_message=attempt.exception_message or "",
            fault=None if attempt.fault is None else Fault(attempt.fault).value,
        )
    duration = None
    if attempt.start_time_ms is not None and attempt.end_time_ms is not None:
        duration = max(0, attempt.end_time_ms - attempt.start_time_ms)
    return ScenarioOutcomeView(
        scenario_definition_id=attempt.scenario_id,
        scenario_name=attempt.scenario_name,
        state=(attempt.result or Result.CANCELED).value,
        duration_ms=duration,
        failure_reason=reason,
        scenario_run_id=attempt.scenario_run_id,
        score=attempt.score if attempt.result == Result.COMPLETED else None,
    )

"""Shows jobs: what goes on in them, and what has come of them."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.states import StateName
from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import BenchmarkJobView, BenchmarkOutcomeView, InProgressRunView, JobSpecView
from loopyard.kit.clock import now_ms


async def view(session: AsyncSession, job: BenchmarkJob) -> BenchmarkJobView:
    """View of a job."""
    return (await views(session, [job]))[0]


def head(job: BenchmarkJob) -> BenchmarkJobView:
    """A job without what goes on in it and what has come of it, which may be much."""
    shown = _view(job, {}, {})
    return shown.model_copy(update={"benchmark_outcomes": None, "in_progress_runs": None})


async def views(session: AsyncSession, jobs: Sequence[BenchmarkJob]) -> list[BenchmarkJobView]:
    """Several jobs, in their order."""
    outcomes = await BenchmarkJobRepository(session).outcomes([job.id for job in jobs])
    open_runs = {
        run_id
        for job in jobs
        for position, run_id in enumerate(job.run_ids)
        if position not in outcomes.get(job.id, {})
    }
    runs = await BenchmarkJobRepository(session).runs_by_id(open_runs) if open_runs else {}
    return [_view(job, outcomes.get(job.id, {}), runs) for job in jobs]


def _view(job: BenchmarkJob, outcomes: dict[int, dict[str, Any]], runs: dict[str, BenchmarkRun]) -> BenchmarkJobView:
    spec = None if job.spec is None else JobSpecView.model_validate(job.spec)
    going_on: list[InProgressRunView] = []
    for position, run_id in enumerate(job.run_ids):
        run = runs.get(run_id)
        if run is None:
            continue
        duration = max(0, now_ms() - run.start_time_ms) if run.duration_ms is None else run.duration_ms
        going_on.append(
            InProgressRunView(
                benchmark_run_id=run.id,
                start_time_ms=run.start_time_ms,
                state=cast("StateName", run.state),
                agent_config=None if spec is None else spec.agent_configs[position],
                duration_ms=duration,
            )
        )
    return BenchmarkJobView(
        id=job.id,
        create_time_ms=job.create_time_ms,
        name=job.name,
        state=cast("Any", job.state),
        benchmark_outcomes=[BenchmarkOutcomeView.model_validate(outcomes[key]) for key in sorted(outcomes)],
        failure_reason=job.failure_reason,
        in_progress_runs=going_on,
        job_source=cast("Any", job.source),
        job_spec=spec,
    )

"""SQL for jobs and their outcomes."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark_job.models import BenchmarkJob, BenchmarkJobOutcome
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.scenario.models import Scenario


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None


async def get(session: AsyncSession, job_id: str, account_id: str) -> BenchmarkJob | None:
    """A job of the account."""
    statement = select(BenchmarkJob).where(BenchmarkJob.id == job_id, BenchmarkJob.account_id == account_id)
    return await session.scalar(statement)


async def count_unfinished(session: AsyncSession, account_id: str) -> int:
    """How many jobs of the account are not over."""
    conditions = (BenchmarkJob.account_id == account_id, BenchmarkJob.end_time_ms.is_(None))
    return await session.scalar(select(func.count()).select_from(BenchmarkJob).where(*conditions)) or 0


async def find(session: AsyncSession, job_id: str) -> BenchmarkJob | None:
    """A job of whatever account."""
    return await session.get(BenchmarkJob, job_id)


async def lock(session: AsyncSession, job_id: str) -> BenchmarkJob | None:
    """A job, kept from others' changes until the transaction ends. Lock it before anything else."""
    return await session.get(BenchmarkJob, job_id, with_for_update=True, populate_existing=True)


async def page(session: AsyncSession, account_id: str, filters: JobFilters, query: PageQuery) -> Page[BenchmarkJob]:
    """A page of the account's jobs, newest first."""
    conditions = [BenchmarkJob.account_id == account_id, *_conditions(filters)]
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(BenchmarkJob).where(*conditions))
    rows, more = await fetch_page(session, select(BenchmarkJob).where(*conditions), BenchmarkJob.id, query)
    return Page(rows, more, total)


def _conditions(filters: JobFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        exact = and_(BenchmarkJob.name_digest == names.digest(filters.name), BenchmarkJob.name == filters.name)
        conditions.append(exact)
    if filters.search:
        by_id = BenchmarkJob.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(BenchmarkJob.name_folded, filters.search)))
    return conditions


async def unfinished(session: AsyncSession) -> Sequence[BenchmarkJob]:
    """All jobs that are made of scenarios and are not over, oldest first, without their specs."""
    job = BenchmarkJob
    columns = load_only(
        job.account_id, job.state, job.run_ids, job.n_concurrent_trials, job.out_of_time, job.deadline_ms
    )
    statement = select(job).where(job.end_time_ms.is_(None), job.spec.is_not(None)).options(columns).order_by(job.id)
    return (await session.scalars(statement)).all()


async def outcomes(session: AsyncSession, job_ids: Collection[str]) -> dict[str, dict[int, dict[str, Any]]]:
    """Outcomes of the finished benchmark runs of the jobs, by job and by agent configuration."""
    found: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    statement = select(BenchmarkJobOutcome).where(BenchmarkJobOutcome.job_id.in_(job_ids))
    for row in await session.scalars(statement.order_by(BenchmarkJobOutcome.job_id, BenchmarkJobOutcome.position)):
        found[row.job_id][row.position] = row.outcome
    return found


async def runs(session: AsyncSession, run_ids: Collection[str]) -> dict[str, BenchmarkRun]:
    """Benchmark runs by id: when they were started, and their states."""
    run = BenchmarkRun
    columns = load_only(run.state, run.start_time_ms, run.duration_ms)
    statement = select(run).where(run.id.in_(run_ids)).options(columns)
    return {row.id: row for row in await session.scalars(statement)}


async def scenarios(session: AsyncSession, scenario_ids: Collection[str], account_id: str) -> dict[str, Scenario]:
    """Scenarios, of those named, that the account may see, by id, without the fields that only their runs need."""
    scenario = Scenario
    columns = load_only(
        scenario.name,
        scenario.status,
        scenario.required_environment_variables,
        scenario.required_secret_names,
        scenario.reference_output,
    )
    owned = or_(scenario.account_id == account_id, scenario.is_public)
    statement = select(scenario).where(scenario.id.in_(scenario_ids), owned).options(columns)
    return {row.id: row for row in await session.scalars(statement)}

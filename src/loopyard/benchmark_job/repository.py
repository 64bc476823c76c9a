"""SQL for jobs and their outcomes."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, null, or_, select
from sqlalchemy.orm import load_only

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark_job.models import BenchmarkJob, BenchmarkJobOutcome
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.scenario.models import Scenario


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None


def _conditions(filters: JobFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        conditions.append(names.equals(BenchmarkJob.name_digest, BenchmarkJob.name, filters.name))
    if filters.search:
        conditions.append(names.matches(BenchmarkJob.id, BenchmarkJob.name_folded, filters.search))
    return conditions


class BenchmarkJobRepository(OwnedRepository[BenchmarkJob]):
    model = BenchmarkJob
    kind = "benchmark job"

    async def count_unfinished(self, account_id: str) -> int:
        """How many jobs of the account are not over."""
        return await self._count(BenchmarkJob.account_id == account_id, BenchmarkJob.end_time_ms.is_(None))

    async def list_page(self, account_id: str, filters: JobFilters, query: PageQuery) -> Page[BenchmarkJob]:
        """A page of the account's jobs, newest first."""
        return await self._page(query, BenchmarkJob.account_id == account_id, *_conditions(filters))

    async def list_unfinished(self) -> Sequence[BenchmarkJob]:
        """All jobs that are made of scenarios and are not over, oldest first, without their specs."""
        job = BenchmarkJob
        columns = load_only(
            job.account_id, job.state, job.run_ids, job.n_concurrent_trials, job.out_of_time, job.deadline_ms
        )
        statement = select(job).where(job.end_time_ms.is_(None), job.spec.is_not(None)).options(columns)
        return (await self._session.scalars(statement.order_by(job.id))).all()

    async def ids_unfinished_of_harbor(self) -> Sequence[str]:
        """The ids of the jobs that Harbor carries out and are not over, oldest first. These have no `job_spec`, and no
        trials of the server's own."""
        job = BenchmarkJob
        statement = select(job.id).where(job.end_time_ms.is_(None), job.spec.is_(null())).order_by(job.id)
        return (await self._session.scalars(statement)).all()

    async def create_outcome(self, outcome: BenchmarkJobOutcome) -> None:
        """Write the outcome of a finished benchmark run of a job."""
        self._session.add(outcome)
        await self._session.flush()

    async def outcomes(self, job_ids: Collection[str]) -> dict[str, dict[int, dict[str, Any]]]:
        """Outcomes of the finished benchmark runs of the jobs, by job and by agent configuration."""
        found: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        statement = select(BenchmarkJobOutcome).where(BenchmarkJobOutcome.job_id.in_(job_ids))
        statement = statement.order_by(BenchmarkJobOutcome.job_id, BenchmarkJobOutcome.position)
        for row in await self._session.scalars(statement):
            found[row.job_id][row.position] = row.outcome
        return found

    async def runs_by_id(self, run_ids: Collection[str]) -> dict[str, BenchmarkRun]:
        """Benchmark runs by id: when they were started, and their states."""
        run = BenchmarkRun
        columns = load_only(run.state, run.start_time_ms, run.duration_ms)
        statement = select(run).where(run.id.in_(run_ids)).options(columns)
        return {row.id: row for row in await self._session.scalars(statement)}

    async def scenarios_by_id(self, scenario_ids: Collection[str], account_id: str) -> dict[str, Scenario]:
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
        return {row.id: row for row in await self._session.scalars(statement)}

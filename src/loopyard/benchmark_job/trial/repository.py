"""SQL for trials."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.states import UNDER_WAY, Result, Step
from loopyard.kit.clock import now_ms
from loopyard.kit.db.repository import OwnedRepository

_OUTCOME = (Trial.position, Trial.step, Trial.result, Trial.fault)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many attempts of one agent configuration are at a step, or ended in a way. `final` counts those that
    count."""

    position: int
    step: str
    result: str | None
    fault: str | None
    n: int
    final: int
    score: float
    """The sum of their scores."""


class TrialRepository(OwnedRepository[Trial]):
    """Trials. Whoever reads one for an update does so before reading any run for an update."""

    model = Trial
    kind = "trial"

    async def create_from(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new trials by one statement."""
        await self._session.execute(insert(Trial), rows)

    async def ids_due(self, job_id: str, limit: int) -> Sequence[str]:
        """The job's trials that may be started now, in order."""
        statement = select(Trial.id).where(
            Trial.job_id == job_id, Trial.step == Step.WAITING, Trial.not_before_ms <= now_ms()
        )
        return (await self._session.scalars(statement.order_by(Trial.id).limit(limit))).all()

    async def ids_under_way(self) -> Sequence[tuple[str, str]]:
        """All trials that were begun and have not ended: their ids and their jobs'."""
        statement = select(Trial.id, Trial.job_id).where(Trial.step.in_(UNDER_WAY)).order_by(Trial.id)
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    async def cancel_waiting(self, job_id: str, run_ids: Collection[str]) -> None:
        """End the trials of these benchmark runs that have not begun."""
        statement = update(Trial).where(
            Trial.job_id == job_id, Trial.step == Step.WAITING, Trial.benchmark_run_id.in_(run_ids)
        )
        values: dict[str, Any] = {"step": Step.ENDED, "result": Result.CANCELED, "final": True, "end_time_ms": now_ms()}
        await self._session.execute(statement.values(values).execution_options(synchronize_session=False))

    async def open_positions(self, job_id: str) -> set[int]:
        """The agent configurations of the job of which a trial has not ended."""
        unended = Trial.step.in_([Step.WAITING, *UNDER_WAY])
        statement = select(Trial.position).where(Trial.job_id == job_id, unended)
        return set(await self._session.scalars(statement.distinct()))

    async def list_final(self, job_id: str, position: int) -> Sequence[Trial]:
        """The last attempts of one agent configuration, in the order of the scenarios."""
        statement = select(Trial).where(Trial.job_id == job_id, Trial.position == position, Trial.final)
        return (await self._session.scalars(statement.order_by(Trial.scenario_position))).all()

    async def list_of_run(self, benchmark_run_id: str, job_id: str) -> Sequence[Trial]:
        """All attempts of a benchmark run of the job, oldest first."""
        statement = select(Trial).where(Trial.job_id == job_id, Trial.benchmark_run_id == benchmark_run_id)
        return (await self._session.scalars(statement.order_by(Trial.id))).all()

    async def tallies(self, job_id: str) -> list[Tally]:
        """The attempts of a job by agent configuration, step and result."""
        counted = func.count().filter(Trial.final)
        statement = select(*_OUTCOME, func.count(), counted, func.coalesce(func.sum(Trial.score), 0.0))
        statement = statement.where(Trial.job_id == job_id).group_by(*_OUTCOME).order_by(*_OUTCOME)
        return [Tally(*row) for row in await self._session.execute(statement)]

    async def list_of_scenarios(
        self, job_id: str, positions: Collection[int], scenario_positions: Collection[int]
    ) -> Sequence[Trial]:
        """All attempts of these agent configurations of the job at these of its scenarios, in the order of the agent
        configurations, scenarios and attempts."""
        statement = select(Trial).where(
            Trial.job_id == job_id,
            Trial.position.in_(positions),
            Trial.scenario_position.in_(scenario_positions),
        )
        statement = statement.order_by(Trial.position, Trial.scenario_position, Trial.number)
        return (await self._session.scalars(statement)).all()

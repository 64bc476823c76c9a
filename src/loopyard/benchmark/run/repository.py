"""SQL for benchmark runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import defer

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.score import CountedRun
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.states import FINAL, State

_LIVE = [state for state in State if state not in FINAL]


@dataclass(frozen=True, slots=True)
class BenchmarkRunFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    benchmark_id: str | None = None
    name: str | None = None
    search: str | None = None
    state: str | None = None


def _conditions(filters: BenchmarkRunFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.benchmark_id is not None:
        conditions.append(BenchmarkRun.benchmark_id == filters.benchmark_id)
    if filters.name is not None:
        conditions.append(names.equals(BenchmarkRun.name_digest, BenchmarkRun.name, filters.name))
    if filters.search:
        conditions.append(names.matches(BenchmarkRun.id, BenchmarkRun.name_folded, filters.search))
    if filters.state is not None:
        conditions.append(BenchmarkRun.state == filters.state)
    return conditions


def _of(run: BenchmarkRun) -> tuple[ColumnElement[bool], ...]:
    return ScenarioRun.account_id == run.account_id, ScenarioRun.benchmark_run_id == run.id


class BenchmarkRunRepository(OwnedRepository[BenchmarkRun]):
    model = BenchmarkRun
    kind = "benchmark run"

    async def get_owned_for_share(self, run_id: str, account_id: str) -> BenchmarkRun | None:
        """A run of the account that cannot end until the transaction ends; others may hold it too."""
        statement = select(BenchmarkRun).where(BenchmarkRun.id == run_id, BenchmarkRun.account_id == account_id)
        statement = statement.with_for_update(read=True).execution_options(populate_existing=True)
        return await self._session.scalar(statement)

    async def list_page(self, account_id: str, filters: BenchmarkRunFilters, query: PageQuery) -> Page[BenchmarkRun]:
        """A page of the account's runs, newest first, without what only a run's own work needs."""
        listed = select(BenchmarkRun).options(defer(BenchmarkRun.scenario_ids), defer(BenchmarkRun.run_profile))
        return await self._page_of(listed, query, BenchmarkRun.account_id == account_id, *_conditions(filters))

    async def ids_ending(self) -> Sequence[str]:
        """All runs that are over, of which scenario runs may still have to be canceled."""
        return (await self._session.scalars(select(BenchmarkRun.id).where(BenchmarkRun.ending))).all()

    async def mark_ended(self, run_id: str) -> None:
        """Write down that none of its scenario runs goes on any more."""
        await self._session.execute(update(BenchmarkRun).where(BenchmarkRun.id == run_id).values(ending=False))

    async def live(self, run: BenchmarkRun, limit: int | None = None) -> Sequence[tuple[str, str]]:
        """Its scenario runs that are not over, ids and states, oldest first."""
        statement = select(ScenarioRun.id, ScenarioRun.state).where(*_of(run), ScenarioRun.state.in_(_LIVE))
        rows = (await self._session.execute(statement.order_by(ScenarioRun.id).limit(limit))).all()
        return [(row[0], row[1]) for row in rows]

    async def list_attempts(self, run: BenchmarkRun) -> list[CountedRun]:
        """All its scenario runs, oldest first."""
        score = ScenarioRun.scoring_contract_result["score"].as_float()
        statement = select(ScenarioRun.scenario_id, ScenarioRun.state, score).where(*_of(run)).order_by(ScenarioRun.id)
        return [CountedRun(*row) for row in await self._session.execute(statement)]

    async def completed_scenarios(self, run: BenchmarkRun) -> set[str]:
        """The scenarios of which it has a completed run."""
        statement = select(ScenarioRun.scenario_id).where(*_of(run), ScenarioRun.state == State.COMPLETED)
        return set(await self._session.scalars(statement.distinct()))

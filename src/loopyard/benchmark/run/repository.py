"""SQL for benchmark runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.score import CountedRun
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
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


async def get(session: AsyncSession, run_id: str, account_id: str) -> BenchmarkRun | None:
    """A run of the account."""
    statement = select(BenchmarkRun).where(BenchmarkRun.id == run_id, BenchmarkRun.account_id == account_id)
    return await session.scalar(statement)


async def find(session: AsyncSession, run_id: str) -> BenchmarkRun | None:
    """A run of whatever account."""
    return await session.get(BenchmarkRun, run_id)


async def hold(session: AsyncSession, run_id: str, account_id: str) -> BenchmarkRun | None:
    """A run of the account that cannot end until the transaction ends; others may hold it too."""
    statement = select(BenchmarkRun).where(BenchmarkRun.id == run_id, BenchmarkRun.account_id == account_id)
    return await session.scalar(statement.with_for_update(read=True).execution_options(populate_existing=True))


async def lock(session: AsyncSession, run_id: str) -> BenchmarkRun | None:
    """A run, kept from others' changes, and from new scenario runs, until the transaction ends. Lock it before any
    devbox or scenario run."""
    return await session.get(BenchmarkRun, run_id, with_for_update=True, populate_existing=True)


async def page(
    session: AsyncSession, account_id: str, filters: BenchmarkRunFilters, query: PageQuery
) -> Page[BenchmarkRun]:
    """A page of the account's runs, newest first, without what only a run's own work needs."""
    conditions = [BenchmarkRun.account_id == account_id, *_conditions(filters)]
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(BenchmarkRun).where(*conditions))
    listed = select(BenchmarkRun).options(defer(BenchmarkRun.scenario_ids), defer(BenchmarkRun.run_profile))
    rows, more = await fetch_page(session, listed.where(*conditions), BenchmarkRun.id, query)
    return Page(rows, more, total)


def _conditions(filters: BenchmarkRunFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.benchmark_id is not None:
        conditions.append(BenchmarkRun.benchmark_id == filters.benchmark_id)
    if filters.name is not None:
        exact = and_(BenchmarkRun.name_digest == names.digest(filters.name), BenchmarkRun.name == filters.name)
        conditions.append(exact)
    if filters.search:
        by_id = BenchmarkRun.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(BenchmarkRun.name_folded, filters.search)))
    if filters.state is not None:
        conditions.append(BenchmarkRun.state == filters.state)
    return conditions


async def ids_ending(session: AsyncSession) -> Sequence[str]:
    """All runs that are over, of which scenario runs may still have to be canceled."""
    return (await session.scalars(select(BenchmarkRun.id).where(BenchmarkRun.ending))).all()


async def mark_ended(session: AsyncSession, run_id: str) -> None:
    """Write down that none of its scenario runs goes on any more."""
    await session.execute(update(BenchmarkRun).where(BenchmarkRun.id == run_id).values(ending=False))


async def live(session: AsyncSession, run: BenchmarkRun, limit: int | None = None) -> Sequence[tuple[str, str]]:
    """Its scenario runs that are not over, ids and states, oldest first."""
    statement = select(ScenarioRun.id, ScenarioRun.state).where(*_of(run), ScenarioRun.state.in_(_LIVE))
    rows = (await session.execute(statement.order_by(ScenarioRun.id).limit(limit))).all()
    return [(row[0], row[1]) for row in rows]


async def attempts(session: AsyncSession, run: BenchmarkRun) -> list[CountedRun]:
    """All its scenario runs, oldest first."""
    score = ScenarioRun.scoring_contract_result["score"].as_float()
    statement = select(ScenarioRun.scenario_id, ScenarioRun.state, score).where(*_of(run)).order_by(ScenarioRun.id)
    return [CountedRun(*row) for row in await session.execute(statement)]


async def completed_scenarios(session: AsyncSession, run: BenchmarkRun) -> set[str]:
    """The scenarios of which it has a completed run."""
    statement = select(ScenarioRun.scenario_id).where(*_of(run), ScenarioRun.state == State.COMPLETED)
    return set(await session.scalars(statement.distinct()))


def _of(run: BenchmarkRun) -> tuple[ColumnElement[bool], ...]:
    return ScenarioRun.account_id == run.account_id, ScenarioRun.benchmark_run_id == run.id

"""SQL for scenarios."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.db import upsert_into
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.scenario.models import BenchmarkScenario, Scenario, ScoringContract


@dataclass(frozen=True, slots=True)
class ScenarioFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None
    benchmark_id: str | None = None
    validation_type: str | None = None


async def visible(session: AsyncSession, scenario_id: str, account_id: str) -> Scenario | None:
    """A scenario by id, of the account or public."""
    owned = or_(Scenario.account_id == account_id, Scenario.is_public)
    return await session.scalar(select(Scenario).where(Scenario.id == scenario_id, owned))


async def find_for_update(session: AsyncSession, scenario_id: str) -> Scenario | None:
    """A scenario of whatever account, kept from others' changes until the transaction ends."""
    statement = select(Scenario).where(Scenario.id == scenario_id)
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


async def statuses(session: AsyncSession, scenario_ids: Collection[str], account_id: str) -> dict[str, str]:
    """The statuses of those of the scenarios that the account may see."""
    owned = or_(Scenario.account_id == account_id, Scenario.is_public)
    statement = select(Scenario.id, Scenario.status).where(Scenario.id.in_(scenario_ids), owned)
    return {row[0]: row[1] for row in await session.execute(statement)}


async def names_of(session: AsyncSession, scenario_ids: Collection[str], account_id: str) -> dict[str, str]:
    """The names of those of the scenarios that the account may see."""
    owned = or_(Scenario.account_id == account_id, Scenario.is_public)
    statement = select(Scenario.id, Scenario.name).where(Scenario.id.in_(scenario_ids), owned)
    return {row[0]: row[1] for row in await session.execute(statement)}


async def lock(session: AsyncSession, scenario_id: str, account_id: str) -> Scenario | None:
    """A scenario of the account, kept from others' changes until the transaction ends."""
    statement = select(Scenario).where(Scenario.id == scenario_id, Scenario.account_id == account_id)
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


async def page(
    session: AsyncSession, account_id: str | None, filters: ScenarioFilters, query: PageQuery
) -> Page[Scenario]:
    """A page of the account's active scenarios, or of the public ones if `account_id` is None."""
    conditions = [
        Scenario.is_public if account_id is None else Scenario.account_id == account_id,
        Scenario.status == "active",
        *_conditions(filters),
    ]
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Scenario).where(*conditions))
    rows, more = await fetch_page(session, select(Scenario).where(*conditions), Scenario.id, query)
    return Page(rows, more, total)


def _conditions(filters: ScenarioFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        exact = and_(Scenario.name_digest == names.digest(filters.name), Scenario.name == filters.name)
        conditions.append(exact)
    if filters.search:
        by_id = Scenario.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(Scenario.name_folded, filters.search)))
    if filters.validation_type is not None:
        conditions.append(Scenario.validation_type == filters.validation_type)
    if filters.benchmark_id is not None:
        part = BenchmarkScenario
        conditions.append(Scenario.id.in_(select(part.scenario_id).where(part.benchmark_id == filters.benchmark_id)))
    return conditions


async def keep_contract(session: AsyncSession, digest: str, functions: Sequence[Any]) -> None:
    """Keep the scoring functions under their digest, unless they are kept already."""
    known = select(ScoringContract.digest).where(ScoringContract.digest == digest)
    if await session.scalar(known) is None:
        values = upsert_into(session, ScoringContract).values(digest=digest, functions=functions)
        await session.execute(values.on_conflict_do_nothing())


async def contract(session: AsyncSession, digest: str) -> Sequence[Any]:
    """The scoring functions kept under a digest."""
    return (await session.scalars(select(ScoringContract.functions).where(ScoringContract.digest == digest))).one()

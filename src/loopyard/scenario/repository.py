"""SQL for scenarios."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select

from loopyard.kit.db.database import upsert_into
from loopyard.kit.db.repository import SharedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.scenario.models import BenchmarkScenario, Scenario, ScoringContract


@dataclass(frozen=True, slots=True)
class ScenarioFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None
    benchmark_id: str | None = None
    validation_type: str | None = None


def _conditions(filters: ScenarioFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        conditions.append(names.equals(Scenario.name_digest, Scenario.name, filters.name))
    if filters.search:
        conditions.append(names.matches(Scenario.id, Scenario.name_folded, filters.search))
    if filters.validation_type is not None:
        conditions.append(Scenario.validation_type == filters.validation_type)
    if filters.benchmark_id is not None:
        part = BenchmarkScenario
        conditions.append(Scenario.id.in_(select(part.scenario_id).where(part.benchmark_id == filters.benchmark_id)))
    return conditions


class ScenarioRepository(SharedRepository[Scenario]):
    model = Scenario
    kind = "scenario"

    async def statuses(self, scenario_ids: Collection[str], account_id: str) -> dict[str, str]:
        """The statuses of those of the scenarios that the account may see."""
        statement = select(Scenario.id, Scenario.status).where(Scenario.id.in_(scenario_ids), self._visible(account_id))
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def names_of(self, scenario_ids: Collection[str], account_id: str) -> dict[str, str]:
        """The names of those of the scenarios that the account may see."""
        statement = select(Scenario.id, Scenario.name).where(Scenario.id.in_(scenario_ids), self._visible(account_id))
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def list_page(self, account_id: str | None, filters: ScenarioFilters, query: PageQuery) -> Page[Scenario]:
        """A page of the account's active scenarios, or of the public ones if `account_id` is None."""
        conditions = [
            Scenario.is_public if account_id is None else Scenario.account_id == account_id,
            Scenario.status == "active",
            *_conditions(filters),
        ]
        return await self._page(query, *conditions)

    async def keep_contract(self, digest: str, functions: Sequence[Any]) -> None:
        """Keep the scoring functions under their digest, unless they are kept already."""
        known = select(ScoringContract.digest).where(ScoringContract.digest == digest)
        if await self._session.scalar(known) is None:
            values = upsert_into(self._session, ScoringContract).values(digest=digest, functions=functions)
            await self._session.execute(values.on_conflict_do_nothing())

    async def contract(self, digest: str) -> Sequence[Any]:
        """The scoring functions kept under a digest."""
        statement = select(ScoringContract.functions).where(ScoringContract.digest == digest)
        return (await self._session.scalars(statement)).one()

"""SQL for benchmarks and the scenarios they are made of."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, insert, select

from loopyard.benchmark.models import Benchmark
from loopyard.kit.db.repository import SharedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery, fetch_page
from loopyard.scenario.models import BenchmarkScenario, Scenario


@dataclass(frozen=True, slots=True)
class BenchmarkFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None


def _conditions(filters: BenchmarkFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        conditions.append(names.equals(Benchmark.name_digest, Benchmark.name, filters.name))
    if filters.search:
        conditions.append(names.matches(Benchmark.id, Benchmark.name_folded, filters.search))
    return conditions


class BenchmarkRepository(SharedRepository[Benchmark]):
    model = Benchmark
    kind = "benchmark"

    async def names_of(self, benchmark_ids: Collection[str], account_id: str) -> dict[str, str]:
        """The names of those of the benchmarks that the account may see."""
        statement = select(Benchmark.id, Benchmark.name).where(
            Benchmark.id.in_(benchmark_ids), self._visible(account_id)
        )
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def list_page(self, account_id: str | None, filters: BenchmarkFilters, query: PageQuery) -> Page[Benchmark]:
        """A page of the account's active benchmarks, or of the public ones if `account_id` is None."""
        conditions = [
            Benchmark.is_public if account_id is None else Benchmark.account_id == account_id,
            Benchmark.status == "active",
            *_conditions(filters),
        ]
        return await self._page(query, *conditions)

    async def scenario_ids(self, benchmark_ids: Iterable[str]) -> dict[str, list[str]]:
        """The scenarios of each benchmark, in the order in which they were named."""
        part = BenchmarkScenario
        found: dict[str, list[str]] = defaultdict(list)
        statement = select(part.benchmark_id, part.scenario_id).where(part.benchmark_id.in_(list(benchmark_ids)))
        statement = statement.order_by(part.benchmark_id, part.position)
        for benchmark_id, scenario_id in await self._session.execute(statement):
            found[benchmark_id].append(scenario_id)
        return found

    async def scenario_counts(self, benchmark_ids: Collection[str]) -> dict[str, int]:
        """How many scenarios each of the benchmarks has that has any."""
        part = BenchmarkScenario
        statement = select(part.benchmark_id, func.count()).where(part.benchmark_id.in_(benchmark_ids))
        return {row[0]: row[1] for row in await self._session.execute(statement.group_by(part.benchmark_id))}

    async def runnable_ids(self, benchmark_id: str) -> Sequence[str]:
        """Ids of its scenarios that are not archived, in order."""
        part = BenchmarkScenario
        statement = select(part.scenario_id).join(Scenario, Scenario.id == part.scenario_id)
        statement = statement.where(part.benchmark_id == benchmark_id, Scenario.status == "active")
        return (await self._session.scalars(statement.order_by(part.position))).all()

    async def list_scenarios(self, benchmark_id: str, query: PageQuery) -> Page[Scenario]:
        """A page of its scenarios, newest first, the archived ones too."""
        part = BenchmarkScenario
        total = None
        if query.include_total_count:
            counting = select(func.count()).select_from(part).where(part.benchmark_id == benchmark_id)
            total = await self._session.scalar(counting)
        statement = select(Scenario).join(part, part.scenario_id == Scenario.id)
        statement = statement.where(part.benchmark_id == benchmark_id)
        rows, more = await fetch_page(self._session, statement, Scenario.id, query)
        return Page(rows, more, total)

    async def add_scenarios(self, benchmark_id: str, ids: Sequence[str]) -> None:
        """Put scenarios that are not in it yet at the end. The benchmark is new, or locked."""
        part = BenchmarkScenario
        last = await self._session.scalar(select(func.max(part.position)).where(part.benchmark_id == benchmark_id))
        start = 0 if last is None else last + 1
        rows = [
            {"benchmark_id": benchmark_id, "scenario_id": scenario_id, "position": position}
            for position, scenario_id in enumerate(ids, start)
        ]
        if rows:
            await self._session.execute(insert(part), rows)

    async def remove_scenarios(self, benchmark_id: str, ids: Iterable[str] | None) -> None:
        """Take scenarios out, or all if `ids` is None. The benchmark is locked."""
        part = BenchmarkScenario
        statement = delete(part).where(part.benchmark_id == benchmark_id)
        await self._session.execute(statement if ids is None else statement.where(part.scenario_id.in_(list(ids))))

"""SQL for benchmarks and the scenarios they are made of."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.models import Benchmark
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.scenario.models import BenchmarkScenario, Scenario


@dataclass(frozen=True, slots=True)
class BenchmarkFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    search: str | None = None


async def visible(session: AsyncSession, benchmark_id: str, account_id: str) -> Benchmark | None:
    """A benchmark by id, of the account or public."""
    owned = or_(Benchmark.account_id == account_id, Benchmark.is_public)
    return await session.scalar(select(Benchmark).where(Benchmark.id == benchmark_id, owned))


async def names_of(session: AsyncSession, benchmark_ids: Collection[str], account_id: str) -> dict[str, str]:
    """The names of those of the benchmarks that the account may see."""
    owned = or_(Benchmark.account_id == account_id, Benchmark.is_public)
    statement = select(Benchmark.id, Benchmark.name).where(Benchmark.id.in_(benchmark_ids), owned)
    return {row[0]: row[1] for row in await session.execute(statement)}


async def find_for_update(session: AsyncSession, benchmark_id: str) -> Benchmark | None:
    """A benchmark of whatever account, with its scenarios kept from others' changes until the transaction ends."""
    return await session.get(Benchmark, benchmark_id, with_for_update=True)


async def lock(session: AsyncSession, benchmark_id: str, account_id: str) -> Benchmark | None:
    """A benchmark of the account, with its scenarios kept from others' changes until the transaction ends."""
    statement = select(Benchmark).where(Benchmark.id == benchmark_id, Benchmark.account_id == account_id)
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


async def page(
    session: AsyncSession, account_id: str | None, filters: BenchmarkFilters, query: PageQuery
) -> Page[Benchmark]:
    """A page of the account's active benchmarks, or of the public ones if `account_id` is None."""
    conditions = [
        Benchmark.is_public if account_id is None else Benchmark.account_id == account_id,
        Benchmark.status == "active",
        *_conditions(filters),
    ]
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Benchmark).where(*conditions))
    rows, more = await fetch_page(session, select(Benchmark).where(*conditions), Benchmark.id, query)
    return Page(rows, more, total)


def _conditions(filters: BenchmarkFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.name is not None:
        exact = and_(Benchmark.name_digest == names.digest(filters.name), Benchmark.name == filters.name)
        conditions.append(exact)
    if filters.search:
        by_id = Benchmark.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(Benchmark.name_folded, filters.search)))
    return conditions


async def scenario_ids(session: AsyncSession, benchmark_ids: Iterable[str]) -> dict[str, list[str]]:
    """The scenarios of each benchmark, in the order in which they were named."""
    part = BenchmarkScenario
    found: dict[str, list[str]] = defaultdict(list)
    statement = select(part.benchmark_id, part.scenario_id).where(part.benchmark_id.in_(list(benchmark_ids)))
    for benchmark_id, scenario_id in await session.execute(statement.order_by(part.benchmark_id, part.position)):
        found[benchmark_id].append(scenario_id)
    return found


async def scenario_counts(session: AsyncSession, benchmark_ids: Collection[str]) -> dict[str, int]:
    """How many scenarios each of the benchmarks has that has any."""
    part = BenchmarkScenario
    statement = select(part.benchmark_id, func.count()).where(part.benchmark_id.in_(benchmark_ids))
    return {row[0]: row[1] for row in await session.execute(statement.group_by(part.benchmark_id))}


async def runnable_ids(session: AsyncSession, benchmark_id: str) -> Sequence[str]:
    """Ids of its scenarios that are not archived, in order."""
    part = BenchmarkScenario
    statement = select(part.scenario_id).join(Scenario, Scenario.id == part.scenario_id)
    statement = statement.where(part.benchmark_id == benchmark_id, Scenario.status == "active")
    return (await session.scalars(statement.order_by(part.position))).all()


async def definitions(session: AsyncSession, benchmark_id: str, query: PageQuery) -> Page[Scenario]:
    """A page of its scenarios, newest first, the archived ones too."""
    part = BenchmarkScenario
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(part).where(part.benchmark_id == benchmark_id))
    statement = select(Scenario).join(part, part.scenario_id == Scenario.id).where(part.benchmark_id == benchmark_id)
    rows, more = await fetch_page(session, statement, Scenario.id, query)
    return Page(rows, more, total)


async def add_scenarios(session: AsyncSession, benchmark_id: str, ids: Sequence[str]) -> None:
    """Put scenarios that are not in it yet at the end. The benchmark is new, or locked."""
    part = BenchmarkScenario
    last = await session.scalar(select(func.max(part.position)).where(part.benchmark_id == benchmark_id))
    start = 0 if last is None else last + 1
    rows = [
        {"benchmark_id": benchmark_id, "scenario_id": scenario_id, "position": position}
        for position, scenario_id in enumerate(ids, start)
    ]
    if rows:
        await session.execute(insert(part), rows)


async def remove_scenarios(session: AsyncSession, benchmark_id: str, ids: Iterable[str] | None) -> None:
    """Take scenarios out, or all if `ids` is None. The benchmark is locked."""
    part = BenchmarkScenario
    statement = delete(part).where(part.benchmark_id == benchmark_id)
    await session.execute(statement if ids is None else statement.where(part.scenario_id.in_(list(ids))))

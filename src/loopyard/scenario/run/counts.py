"""Exact numbers of runs, without counting them and without making writers wait for each other.

For each account, scenario, benchmark run and name, and each state, the number of runs is the sum of a few rows. The
transaction that makes or moves a run adds rows of +1 and -1, so that the sums are exact in every snapshot and after
every crash. Folding replaces the rows of a key by their sum in one transaction, which changes no sum; two processes may
fold at the same time, for each takes away only the rows it counted.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.db.database import Database
from loopyard.scenario.run.models import ScenarioRun, ScenarioRunCount, ScenarioRunName

FOLD_AT = 200
"""How many loose rows there may be before they are folded."""

FOLD_BATCH = 400
INTERVAL_SECONDS = 1.0

_Count = ScenarioRunCount


class CountKey(NamedTuple):
    """Key of a count: the runs of an account that share one property."""

    account_id: str
    dimension: str
    key: str


def keys_of(run: ScenarioRun) -> list[CountKey]:
    """Everything that a run counts for."""
    keys = [CountKey(run.account_id, "account", ""), CountKey(run.account_id, "scenario", run.scenario_id)]
    if run.benchmark_run_id is not None:
        keys.append(CountKey(run.account_id, "benchmark_run", run.benchmark_run_id))
    if run.name_digest is not None:
        keys.append(CountKey(run.account_id, "name", run.name_digest))
    return keys


async def record(session: AsyncSession, run: ScenarioRun, before: str | None, state: str) -> None:
    """Count a run that went from one state to another; `before` None is a new run."""
    changes = [(state, 1)] if before is None else [(before, -1), (state, 1)]
    await _add(session, ((key, of_state, n) for key in keys_of(run) for of_state, n in changes), folded=False)


async def _add(session: AsyncSession, sums: Iterable[tuple[CountKey, str, int]], *, folded: bool) -> None:
    rows = [{**key._asdict(), "state": state, "n": n, "folded": folded} for key, state, n in sums]
    if rows:
        await session.execute(insert(_Count), rows)


async def total(session: AsyncSession, key: CountKey, state: str | None) -> int:
    """How many runs the key stands for, in one state or in all."""
    statement = select(func.coalesce(func.sum(_Count.n), 0)).where(
        _Count.account_id == key.account_id, _Count.dimension == key.dimension, _Count.key == key.key
    )
    if state is not None:
        statement = statement.where(_Count.state == state)
    return int(await session.scalar(statement) or 0)


async def by_state(session: AsyncSession, key: CountKey) -> dict[str, int]:
    """How many runs the key stands for in each state that has any."""
    n = func.sum(_Count.n)
    statement = select(_Count.state, n).where(
        _Count.account_id == key.account_id, _Count.dimension == key.dimension, _Count.key == key.key
    )
    return {row[0]: int(row[1]) for row in await session.execute(statement.group_by(_Count.state)) if row[1]}


_LOOSE = select(func.count()).select_from(select(_Count.id).where(~_Count.folded).limit(FOLD_AT).subquery())


async def loose(session: AsyncSession) -> int:
    """How many rows are not folded, up to `FOLD_AT`."""
    return await session.scalar(_LOOSE) or 0


async def fold(session: AsyncSession) -> None:
    """Replace a batch of loose rows, and the folded ones of the same keys, by one row for each sum that is not 0."""
    sums: Counter[tuple[CountKey, str]] = Counter()
    batch = select(_Count.id).where(~_Count.folded).order_by(_Count.id).limit(FOLD_BATCH).with_for_update()
    ids = (await session.scalars(batch)).all()
    if not ids:
        return
    # Not by a list: each length makes a statement of its own, of 50 KiB, which connections to SQLite keep.
    await _take(session, sums, ~_Count.folded, _Count.id <= ids[-1])
    for key, state in list(sums):
        matches = (_Count.account_id == key.account_id, _Count.dimension == key.dimension, _Count.key == key.key)
        await _take(session, sums, *matches, _Count.state == state, _Count.folded)
    await _add(session, ((key, state, n) for (key, state), n in sums.items() if n != 0), folded=True)


async def _take(session: AsyncSession, sums: Counter[tuple[CountKey, str]], *conditions: object) -> None:
    """Delete rows and add up what they held. Rows that another process takes meanwhile are not counted here."""
    columns = (_Count.account_id, _Count.dimension, _Count.key, _Count.state, _Count.n)
    statement = delete(_Count).where(*conditions).returning(*columns)  # pyright: ignore[reportArgumentType]
    result = await session.execute(statement.execution_options(synchronize_session=False))
    for account_id, dimension, key, state, n in result:
        sums[CountKey(account_id, dimension, key), state] += n


class CountCompactor:
    """Compactor of count rows, in the background."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sweep(self) -> None:
        """Fold if there is enough to fold."""
        while True:
            async with self._database.read() as session:
                if await loose(session) < FOLD_AT:
                    return
            async with self._database.write() as session:
                await fold(session)


async def rebuild_counters(database: Database) -> None:
    """Count all runs anew, and gather their names, for rows that were written past `repository`. Nobody may change runs
    meanwhile."""
    run = ScenarioRun
    dimensions = (
        ("account", literal(""), literal(value=True)),
        ("scenario", run.scenario_id, literal(value=True)),
        ("benchmark_run", run.benchmark_run_id, run.benchmark_run_id.is_not(None)),
        ("name", run.name_digest, run.name_digest.is_not(None)),
    )
    async with database.write() as session:
        await session.execute(delete(_Count))
        for dimension, key, condition in dimensions:
            sums = (
                select(run.account_id, literal(dimension), key, run.state, func.count(), literal(value=True))
                .where(condition)
                .group_by(run.account_id, key, run.state)
            )
            names = ["account_id", "dimension", "key", "state", "n", "folded"]
            await session.execute(insert(_Count).from_select(names, sums))
        await session.execute(delete(ScenarioRunName))
        found = select(run.account_id, run.name_digest, func.min(run.name_folded))
        found = found.where(run.name_digest.is_not(None)).group_by(run.account_id, run.name_digest)
        await session.execute(insert(ScenarioRunName).from_select(["account_id", "digest", "folded"], found))

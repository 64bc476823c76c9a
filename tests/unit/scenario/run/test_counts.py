"""The counts of runs stay exact while many change them and fold them at the same time."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, func, select

from loopyard.kit.db.database import Database
from loopyard.scenario.run import counts
from loopyard.scenario.run.counts import CountCompactor, CountKey
from loopyard.scenario.run.models import ScenarioRun, ScenarioRunCount
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.states import State, can_become
from tests.unit.scenario.run.making import new_run

pytestmark = pytest.mark.anyio

ACCOUNT = CountKey("acc_1", "account", "")


async def _counted(database: Database, state: str | None = None) -> int:
    async with database.read() as session:
        return await counts.total(session, ACCOUNT, state)


async def _rows(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(ScenarioRunCount)) or 0


async def _work(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    mine: list[str] = []
    for _ in range(40):
        async with database.write() as session:
            if not mine or chance.random() < 0.4:
                run = new_run(scenario_id=f"scn_{chance.randrange(3)}", name=chance.choice((None, "a", "b")))
                await ScenarioRunRepository(session).create(run)
                mine.append(run.id)
                continue
            run = await ScenarioRunRepository(session).get_by_id_for_update(chance.choice(mine))
            assert run is not None
            states = [state for state in State if can_become(run.state, state)]
            if states:
                await ScenarioRunRepository(session).move(run, chance.choice(states))


async def _fold(database: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        async with database.write() as session:
            await counts.fold(session)
        await asyncio.sleep(0.005)


async def test_counts_are_exact_while_runs_change_and_two_fold(database: Database) -> None:
    stop = asyncio.Event()
    folders = [asyncio.create_task(_fold(database, stop)) for _ in range(2)]
    await asyncio.gather(*(_work(database, seed) for seed in range(6)))
    stop.set()
    await asyncio.gather(*folders)
    async with database.read() as session:
        runs = (await session.scalars(select(ScenarioRun))).all()
        expected: Counter[tuple[CountKey, str]] = Counter(
            (key, run.state) for run in runs for key in counts.keys_of(run)
        )
        keys = {key for key, _ in expected}
        for key in keys:
            of_key = {state: n for (other, state), n in expected.items() if other == key}
            assert {s: n for s in State if (n := await counts.total(session, key, s))} == of_key
            assert await counts.total(session, key, None) == sum(of_key.values())


async def test_folding_leaves_one_row_for_each_number(database: Database) -> None:
    for _ in range(counts.FOLD_AT):
        async with database.write() as session:
            run = new_run()
            await ScenarioRunRepository(session).create(run)
            await ScenarioRunRepository(session).move(run, State.CANCELED)
    assert await _rows(database) == counts.FOLD_AT * 6
    await CountCompactor(database).sweep()
    for _ in range(4):  # the sweep leaves what is too little to be worth it
        async with database.write() as session:
            await counts.fold(session)
    assert await _rows(database) == 2
    assert await _counted(database) == await _counted(database, "canceled") == counts.FOLD_AT


async def test_folding_any_number_of_rows_asks_the_same_of_the_store(database: Database) -> None:
    """Connections keep what they are asked: statements that differ with the number would pile up there."""
    asked: set[str] = set()
    by_number: list[set[str]] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.add(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    for number in (2, 3, 7):
        async with database.write() as session:
            for _ in range(number):
                await ScenarioRunRepository(session).create(new_run())
        asked.clear()
        async with database.write() as session:
            await counts.fold(session)
        by_number.append(set(asked))
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert by_number[0]
    assert by_number[0] == by_number[1] == by_number[2]


async def test_a_transaction_that_is_rolled_back_counts_nothing(database: Database) -> None:
    class Undone(Exception):
        pass

    async def fail() -> None:
        async with database.write() as session:
            await ScenarioRunRepository(session).create(new_run())
            raise Undone

    with pytest.raises(Undone):
        await fail()
    assert await _counted(database) == 0

"""Transactions."""

import asyncio

import pytest
from sqlalchemy import func, select

from loopyard.identity.models import Account
from loopyard.kit.db.database import Database, after_commit

pytestmark = pytest.mark.anyio


def _account(number: int) -> Account:
    return Account(id=f"acc_{number:04}", name="n", create_time_ms=number)


async def _count(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(Account)) or 0


async def test_a_transaction_is_committed_and_then_acted_on(database: Database) -> None:
    seen: list[int] = []
    async with database.write() as session:
        session.add(_account(1))
        after_commit(session, lambda: seen.append(1))
        assert seen == []
    assert seen == [1]
    assert await _count(database) == 1


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    seen: list[int] = []

    async def fail() -> None:
        async with database.write() as session:
            session.add(_account(1))
            await session.flush()
            after_commit(session, lambda: seen.append(1))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert seen == []
    assert await _count(database) == 0


async def test_many_writers_and_readers_at_once(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as session:
            before = await session.scalar(select(func.count()).select_from(Account))
            assert before is not None
            session.add(_account(number))

    await asyncio.gather(*(write(n) for n in range(100)), *(_count(database) for _ in range(100)))
    assert await _count(database) == 100


async def test_all_is_done_after_a_commit_whatever_one_act_raises(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def fail() -> None:
        raise LookupError("the second of three")

    async with database.write() as session:
        session.add(_account(1))
        after_commit(session, lambda: seen.append(1))
        after_commit(session, fail)
        after_commit(session, lambda: seen.append(3))
    assert seen == [1, 3]
    assert "the second of three" in caplog.text
    assert await _count(database) == 1


async def test_a_transaction_inside_of_another_is_refused_and_not_waited_for(database: Database) -> None:
    async with database.write() as session:
        session.add(_account(1))
        with pytest.raises(RuntimeError, match="inside of another"):
            async with database.write():
                pass
        with pytest.raises(RuntimeError, match="inside of another"):
            await database.write_at_once(select(1), {})
    assert await _count(database) == 1
    async with database.write() as session:  # one after the other is fine
        session.add(_account(2))
    assert await _count(database) == 2


async def test_what_follows_a_commit_may_write(database: Database) -> None:
    begun: list[asyncio.Task[None]] = []

    async def write() -> None:
        async with database.write() as session:
            session.add(_account(2))

    async with database.write() as session:
        session.add(_account(1))
        after_commit(session, lambda: begun.append(asyncio.ensure_future(write())))
    await asyncio.gather(*begun)
    assert await _count(database) == 2

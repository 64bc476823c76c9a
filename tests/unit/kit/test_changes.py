"""Waiting for a row to change."""

import asyncio

import pytest

from loopyard.kit.db.changes import Changes
from loopyard.kit.errors import WaitTimeout

pytestmark = pytest.mark.anyio


async def test_a_match_at_once_does_not_wait() -> None:
    async def read() -> int:
        return 1

    assert await Changes().wait_until("k", read, lambda value: value == 1, timeout=0) == 1


async def test_a_published_change_wakes_every_waiter() -> None:
    changes, value = Changes(), [0]

    async def read() -> int:
        return value[0]

    waiters = [asyncio.create_task(changes.wait_until("k", read, lambda v: v == 2, timeout=10)) for _ in range(5)]
    await asyncio.sleep(0)
    for step in (1, 2):
        value[0] = step
        changes.publish("k")
    assert await asyncio.gather(*waiters) == [2] * 5


async def test_a_change_during_the_read_is_not_missed() -> None:
    changes = Changes()
    reads = 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        if reads == 1:
            changes.publish("k")  # it happens after the row was read and before the wait begins
        return reads

    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await changes.wait_until("k", read, lambda value: value == 2, timeout=10) == 2
    assert loop.time() - started < 0.9, "the wake-up was missed and only the periodic look found the change"


async def test_the_time_passes() -> None:
    async def read() -> int:
        return 0

    with pytest.raises(WaitTimeout):
        await Changes().wait_until("k", read, lambda value: value == 1, timeout=0.05)

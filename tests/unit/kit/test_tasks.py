"""Background tasks: one by each name, and none that is wanted is forgotten."""

import asyncio

import pytest

from loopyard.kit.background.tasks import Tasks

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


async def test_there_is_one_by_each_name() -> None:
    tasks, begun, release = Tasks(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        await release.wait()

    for _ in range(3):
        tasks.start("one", work())
    await asyncio.sleep(0)
    assert (begun, tasks.running("one")) == (1, True)
    release.set()
    await tasks.settle("one", None)
    assert not tasks.running("one")
    tasks.start("one", work())
    await asyncio.sleep(0)
    assert begun == 2
    await tasks.close()
    tasks.start("one", work())
    assert not tasks.running("one")


async def test_what_is_started_just_as_one_of_its_name_ends_is_done() -> None:
    """The end is told to whoever waits for it before the task itself hears of it."""
    tasks, told, done = Tasks(), asyncio.get_running_loop().create_future(), asyncio.Event()

    async def first() -> None:
        told.set_result(None)

    async def second() -> None:
        done.set()

    tasks.start("one", first())
    await told
    tasks.start("one", second())
    async with asyncio.timeout(60):
        await done.wait()
    await tasks.settle("one", None)
    assert not tasks.running("one")

"""Periodic work, its wakes, and retries."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from loopyard.kit.background import periodic
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.background.retry import retry

pytestmark = pytest.mark.anyio

SOON = 0.01
LONG = 3600.0


class _Step:
    """A step that counts its calls; `fails` of them raise, and it answers `answer`."""

    def __init__(self, answer: bool | None = None, fails: int = 0) -> None:
        self.calls = 0
        self.answer = answer
        self.fails = fails
        self._called = asyncio.Condition()

    async def __call__(self) -> bool | None:
        async with self._called:
            self.calls += 1
            self._called.notify_all()
        if self.calls <= self.fails:
            raise RuntimeError("not yet")
        return self.answer

    async def until(self, reached: Callable[[int], bool]) -> None:
        async with asyncio.timeout(60), self._called:
            await self._called.wait_for(lambda: reached(self.calls))


@asynccontextmanager
async def running(work: Periodic) -> AsyncGenerator[None]:
    task = asyncio.create_task(work.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_step_is_repeated() -> None:
    step = _Step()
    async with running(Periodic("looking", step, every=SOON)):
        await step.until(lambda calls: calls >= 3)


async def test_the_first_step_can_wait() -> None:
    step = _Step()
    work = Periodic("looking", step, every=LONG, at_once=False)
    async with running(work):
        await asyncio.sleep(SOON)
        assert step.calls == 0
        work.wake()
        await step.until(lambda calls: calls == 1)


async def test_a_wake_comes_before_the_time() -> None:
    step = _Step()
    work = Periodic("looking", step, every=LONG)
    async with running(work):
        await step.until(lambda calls: calls == 1)
        work.wake()
        await step.until(lambda calls: calls == 2)


async def test_a_wake_during_a_step_leads_to_another() -> None:
    calls = 0
    done = asyncio.Event()

    async def step() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            work.wake()
        else:
            done.set()

    work = Periodic("looking", step, every=LONG)
    async with running(work), asyncio.timeout(60):
        await done.wait()
    assert calls == 2


async def test_a_step_with_nothing_to_do_waits_for_a_wake() -> None:
    step = _Step(answer=False)
    work = Periodic("looking", step, every=SOON)
    async with running(work):
        await step.until(lambda calls: calls == 1)
        await asyncio.sleep(5 * SOON)
        assert step.calls == 1
        work.wake()
        await step.until(lambda calls: calls == 2)


async def test_wakes_are_gathered() -> None:
    step = _Step()
    work = Periodic("looking", step, every=None, at_once=False, gather=0.1)
    async with running(work):
        for _ in range(3):
            work.wake()
            await asyncio.sleep(SOON)
        assert step.calls == 0
        await step.until(lambda calls: calls == 1)
        await asyncio.sleep(0.2)
        assert step.calls == 1


async def test_a_step_is_no_sooner_than_its_pause() -> None:
    step = _Step()
    work = Periodic("looking", step, every=LONG, pause=0.1)
    async with running(work):
        await step.until(lambda calls: calls == 1)
        begin = asyncio.get_running_loop().time()
        work.wake()
        await step.until(lambda calls: calls == 2)
        assert asyncio.get_running_loop().time() - begin >= 0.09


async def test_a_failed_step_is_logged_and_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(periodic, "_RETRY_SECONDS", SOON)
    step = _Step(fails=2)
    with caplog.at_level(logging.ERROR, "loopyard.tasks"):
        async with running(Periodic("looking for devboxes", step, every=None)):
            await step.until(lambda calls: calls == 3)  # without a wake
    assert [record.message for record in caplog.records] == ["looking for devboxes failed; trying again"] * 2


async def test_a_call_is_repeated_until_it_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    step = _Step(answer=True, fails=2)
    assert await retry(step, RuntimeError, what="the call", first_pause=SOON)
    assert step.calls == 3
    assert [record.message for record in caplog.records] == [
        "the call failed, trying again in 0.01 s: not yet",
        "the call failed, trying again in 0.02 s: not yet",
    ]


async def test_pauses_end_to_grow(caplog: pytest.LogCaptureFixture) -> None:
    await retry(_Step(fails=3), RuntimeError, what="the call", first_pause=SOON, longest_pause=SOON)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the call failed, trying again in 0.01 s"
    ] * 3


async def test_the_last_attempt_raises() -> None:
    step = _Step(fails=9)
    with pytest.raises(RuntimeError, match="not yet"):
        await retry(step, RuntimeError, what="the call", attempts=3, first_pause=SOON)
    assert step.calls == 3


async def test_another_error_is_raised_at_once() -> None:
    step = _Step(fails=9)
    with pytest.raises(RuntimeError):
        await retry(step, (ValueError, OSError), what="the call", first_pause=SOON)
    assert step.calls == 1

"""Memory of idle boxes, as the whole machine has less of it: processes, kernel, and the server that keeps them."""

import asyncio
from collections.abc import Awaitable, Callable

import psutil

from benchmarks.context import Context
from benchmarks.result import Measure, Series, Subject

_AT_ONCE = 8
_SETTLE_SECONDS = 3


async def idle_memory(context: Context) -> list[Measure]:
    """What the machine's available memory falls by, for each of many idle boxes. One sample: their mean."""
    count = context.counts.idle
    series = [await _fill("loopyard", count, context.loopyard.create)]
    await context.loopyard.shut_down_all()
    for engine in context.engines:
        series.append(await _fill(engine.subject, count, engine.create))
        await engine.remove_all()
    title = f"memory of each of {count} idle boxes"
    return [Measure("memory", title, series, unit="MiB", note="The fall of the machine's available memory, divided.")]


async def _fill(subject: Subject, count: int, create: Callable[[], Awaitable[object]]) -> Series:
    await create()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one() -> object:
        async with gate:
            return await create()

    before = await _available()
    results = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    errors = [str(result)[:300] for result in results if isinstance(result, BaseException)]
    used = before - await _available()
    made = count - len(errors)
    samples = [used / made / 1024**2] if made else []
    return Series(subject, "HTTP", samples, failed=len(errors), errors=sorted(set(errors)))


async def _available() -> int:
    """Bytes available once what has ended is gone."""
    await asyncio.sleep(_SETTLE_SECONDS)
    return psutil.virtual_memory().available

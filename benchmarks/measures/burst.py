"""Many creates at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.context import Context
from benchmarks.result import Measure, Series, Subject
from benchmarks.settling import settled

_AIM = "The aim on two cores: 100 of 100, and 1.5 s for the 95th."


async def burst(context: Context) -> list[Measure]:
    """All creates are sent at once; each is timed to the end of its first command."""
    count = context.counts.burst
    series = [await _burst("loopyard", count, context.loopyard.create_to_first_command)]
    await context.loopyard.shut_down_all()
    await settled()
    series.append(await _burst("loopyard", count, context.plain.create_to_first_command, "HTTP, none ready"))
    await context.plain.shut_down_all()
    for engine in context.engines:
        series.append(await _burst(engine.subject, count, engine.create_to_first_command))
        await engine.remove_all()
    return [
        Measure(
            "burst", f"{count} creates at once, each to its first command", series, facts={"asked": count}, note=_AIM
        )
    ]


async def _burst(subject: Subject, count: int, create: Callable[[], Awaitable[object]], how: str = "HTTP") -> Series:
    await create()
    await settled()
    begun = time.perf_counter()

    async def one() -> float:
        await create()
        return (time.perf_counter() - begun) * 1000

    results = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    samples = [result for result in results if isinstance(result, float)]
    errors = sorted({str(result)[:300] for result in results if isinstance(result, BaseException)})
    return Series(subject, how, samples, failed=count - len(samples), errors=errors)

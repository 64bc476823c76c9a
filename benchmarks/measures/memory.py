"""Memory of idle boxes, counted in two ways that know nothing of each other."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import psutil

from benchmarks.context import Context
from benchmarks.held import Held, held
from benchmarks.result import Measure, Series, Subject

AT_ONCE = 8
_SETTLE_SECONDS = 3
_HOW = (
    "Proportional set size of the boxes' processes and of all that keeps them (server, daemons, shims, monitors), and "
    "kernel memory of the boxes' control groups: what both have grown by, divided by the number of boxes."
)
_CHECK = "The fall of the machine's available memory, divided: it also has networks, mounts and file caches."


async def idle_memory(context: Context) -> list[Measure]:
    """What each of many idle boxes takes. One sample: their mean."""
    count = context.counts.idle
    filled = [await _fill("loopyard", count, context.plain.create, context.plain_server.pid)]
    await context.plain.shut_down_all()
    for engine in context.engines:
        filled.append(await _fill(engine.subject, count, engine.create, engine.holder))
        await engine.remove_all()
    title = f"memory of each of {count} idle boxes"
    parts = {subject: part for subject, _, _, part in filled}
    told = "; ".join(f"{subject} {part}" for subject, part in parts.items())
    return [
        Measure(
            "memory", title, [series for _, series, _, _ in filled], unit="MiB", note=f"{_HOW} {told}.", facts=parts
        ),
        Measure("memory-available", f"{title}, by what is left", [s for _, _, s, _ in filled], unit="MiB", note=_CHECK),
    ]


async def _fill(
    subject: Subject, count: int, create: Callable[[], Awaitable[str]], keeper: int
) -> tuple[Subject, Series, Series, str]:
    """Both counts for each box, and in words how the first is made up."""
    first = await create()
    before, left_before = await _now(keeper, {first})
    made, errors = await crowd(count, create)
    after, left_after = await _now(keeper, {first, *made})
    boxes = max(len(made), 1)
    processes, kernel = (after.processes - before.processes) / boxes, (after.kernel - before.kernel) / boxes
    failed = count - len(made)
    held_by_each = [(processes + kernel) / 1024**2] if made else []
    fallen = [(left_before - left_after) / boxes / 1024**2] if made else []
    part = f"{processes / 1024**2:.2f} MiB processes, {kernel / 1024**2:.2f} MiB kernel"
    by_parts, by_fall = (Series(subject, "HTTP", samples, failed, errors) for samples in (held_by_each, fallen))
    return subject, by_parts, by_fall, part


async def crowd(count: int, create: Callable[[], Awaitable[str]]) -> tuple[list[str], list[str]]:
    """Make many boxes, some at once. Returns their ids, and why others could not be made."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with gate:
            return await create()

    results = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    errors = {str(result)[:300] for result in results if isinstance(result, BaseException)}
    return [result for result in results if isinstance(result, str)], sorted(errors)


async def _now(keeper: int, boxes: set[str]) -> tuple[Held, int]:
    """What is held, and the bytes available, once what has ended is gone."""
    await asyncio.sleep(_SETTLE_SECONDS)
    return await asyncio.to_thread(partial(held, keeper, boxes)), psutil.virtual_memory().available

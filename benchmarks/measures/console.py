"""Pages of the console: how soon they come however long the lists are, and what open ones cost."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import psutil

from benchmarks.context import Context
from benchmarks.loopyard import Loopyard
from benchmarks.measures.run_lists import empty_server, grow
from benchmarks.measures.scenario_runs import make_scenario, run_once
from benchmarks.result import Measure, Series, timed
from tests.console import Console
from tests.serving import ServerProcess

PAGES = 50
_LISTS = ("/", "/runs", "/devboxes", "/scenarios", "/benchmarks", "/jobs", "/blueprints", "/snapshots", "/audit")
_LIVE = ("", "/devboxes", "/devboxes/{box}", "/devboxes/{box}/log", "/devboxes/{box}/commands")
_FIRST_BYTE_AIM, _IDLE_AIM = 50.0, 5.0
_IDLE_SECONDS = 5.0
_NEVER = httpx.Timeout(30, read=None)


async def console(context: Context) -> list[Measure]:
    """Measures lists with as many runs as there are to be, and open pages on a server that makes nothing in advance."""
    return [*await _lists(context), *await _open_pages(context)]


async def _lists(context: Context) -> list[Measure]:
    rows = context.counts.rows[-1]
    async with empty_server(None) as (loopyard, database, server):
        made = await run_once(loopyard, await make_scenario(loopyard))
        await grow(database, made, rows - 1)
        async with httpx.AsyncClient(base_url=server.base_url, cookies=_log_in(server), timeout=60) as pages:
            series = [await _first_byte(pages, path, context.counts.pages) for path in _LISTS]
    title = f"console: first byte of a page, {rows:,} runs"
    return [Measure("console-first-byte", title, series, aim=_FIRST_BYTE_AIM, reference=len(series) - 1)]


def _log_in(server: ServerProcess) -> dict[str, str]:
    """The cookies of a new login."""
    with Console(server.base_url) as made:
        made.log_in(server.api_key)
        return dict(made.cookies)


async def _first_byte(pages: httpx.AsyncClient, path: str, count: int) -> Series:
    async def ask() -> None:
        nonlocal took
        begun = time.perf_counter()
        async with pages.stream("GET", f"/console{path}") as answer:
            answer.raise_for_status()
            took.append((time.perf_counter() - begun) * 1000)
            await answer.aread()
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")

    took: list[float] = []
    for _ in range(count + 1):
        await ask()
    return Series("loopyard", path, took[1:])


async def _open_pages(context: Context) -> list[Measure]:
    loopyard, server = context.plain, context.plain_server
    box = await loopyard.create()
    counts = context.counts
    quiet = [await _busy(server), await _busy(server)]
    execute = await timed(counts.execute, lambda: loopyard.execute(box))
    create = await timed(counts.create, loopyard.create)
    await _end_all_but(loopyard, box)
    async with _looking(server, box):
        idle = [await _busy(server), await _busy(server)]
        execute_beside = await timed(counts.execute, lambda: loopyard.execute(box))
        create_beside = await timed(counts.create, loopyard.create)
    await loopyard.shut_down_all()
    beside, alone = f"{PAGES} pages open", "no page open"

    def pair(before: list[float], after: list[float]) -> list[Series]:
        return [Series("loopyard", beside, after), Series("loopyard", alone, before)]

    return [
        Measure("console-idle", "console: of one core", pair(quiet, idle), "%", reference=1, aim=_IDLE_AIM),
        Measure("console-execute", "console: execute_sync", pair(execute, execute_beside), reference=1),
        Measure("console-create", "console: create", pair(create, create_beside), reference=1),
    ]


async def _end_all_but(loopyard: Loopyard, kept: str) -> None:
    for devbox in (await loopyard.get("/v1/devboxes", limit=5000, status="running"))["devboxes"]:
        if devbox["id"] != kept:
            await loopyard.post(f"/v1/devboxes/{devbox['id']}/shutdown")


async def _busy(server: ServerProcess) -> float:
    """How much of one core the server takes meanwhile."""
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    begun = time.monotonic()
    await asyncio.sleep(_IDLE_SECONDS)
    after = process.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / (time.monotonic() - begun)


@asynccontextmanager
async def _looking(server: ServerProcess, box: str) -> AsyncGenerator[None]:
    """Have pages of several kinds open meanwhile."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=server.base_url, cookies=_log_in(server), timeout=_NEVER, limits=limits
    ) as pages:
        opened = [asyncio.create_task(_look(pages, _LIVE[each % len(_LIVE)].format(box=box))) for each in range(PAGES)]
        await asyncio.sleep(2)
        if failed := [task for task in opened if task.done()]:
            raise RuntimeError(f"{len(failed)} pages could not be opened: {failed[0].exception()}")
        try:
            yield
        finally:
            for task in opened:
                task.cancel()
            await asyncio.gather(*opened, return_exceptions=True)


async def _look(pages: httpx.AsyncClient, path: str) -> None:
    async with pages.stream("GET", f"/console{path}/live") as answer:
        answer.raise_for_status()
        async for _ in answer.aiter_raw():
            pass

"""Axons: how quick events are, how many there can be, and what idle ones hold."""

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from sqlalchemy import text

from benchmarks.context import Context, Counts
from benchmarks.http_client import HttpClient
from benchmarks.result import Measure, Series, Unit, timed
from loopyard.config import Settings
from loopyard.kit.db.database import Database
from tests.postgres import postgres_cluster
from tests.serving import ServerProcess, serving

_PUBLISHERS = 16
_AT_ONCE = 16
_EVENT = {"event_type": "bench", "origin": "USER_EVENT", "payload": '{"text": "' + "x" * 100 + '"}', "source": "bench"}
_SQL = "SELECT payload FROM rl_axon_events WHERE sequence = ?"
_RATE_HOW = (
    "Each answer means that the event is durable (synchronous=FULL; PostgreSQL as it comes). The publishers share one "
    "processor with their own HTTP client."
)
_FILL = """
WITH RECURSIVE n(n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < :last)
INSERT INTO axon_event (axon_id, sequence, timestamp_ms, origin, size, event_type, source, payload)
SELECT CAST(:axon AS VARCHAR), n, 1, 3, 2, 'bench', 'bench', '{}' FROM n
"""


@dataclass(frozen=True, slots=True)
class _Server:
    process: ServerProcess
    http: HttpClient
    database: Database

    async def new_axon(self) -> str:
        return (await self.http.ask("POST", "/v1/axons", {}))["id"]

    async def publish(self, axon: str) -> None:
        await self.http.ask("POST", f"/v1/axons/{axon}/publish", _EVENT)


async def axons(context: Context) -> list[Measure]:
    """All of it on each engine, on servers of their own."""
    with postgres_cluster(settings=()) as cluster:
        engines = {"SQLite": None, f"PostgreSQL {cluster.version}": cluster.new_database()}
        return [measure for name, url in engines.items() for measure in await _on(name, url, context.counts)]


async def _on(engine: str, url: str | None, counts: Counts) -> list[Measure]:
    async with _server(url) as server:

        def measure(name: str, title: str, samples: list[float], unit: Unit, aim: float, note: str = "") -> Measure:
            series = [Series("loopyard", "HTTP", samples)]
            return Measure(f"axon {name} {engine}", f"{engine}: {title}", series, unit=unit, aim=aim, note=note)

        idle = await _idle(server, counts.axons)
        latency = await _reach(server, 1, counts.execute)
        last = await _reach(server, counts.subscribers, max(5, counts.execute // 10))
        rate = await _rate(server, counts.events)
        return [
            measure("latency", "publish to subscriber", latency, "ms", 5),
            measure("fan-out", f"publish to the last of {counts.subscribers} subscribers", last, "ms", 100),
            measure("rate", f"events of {_PUBLISHERS} publishers on one axon", [rate], "/s", 2000, _RATE_HOW),
            measure("idle", f"what the server grows by with {counts.axons:,} idle axons", [idle], "MiB", 50),
            *await _sizes(engine, server, counts),
        ]


async def _rate(server: _Server, events: int) -> float:
    """Events in a second."""
    axon = await server.new_axon()
    numbers = iter(range(events))

    async def publisher() -> None:
        for _ in numbers:
            await server.publish(axon)

    begun = time.perf_counter()
    await asyncio.gather(*(publisher() for _ in range(_PUBLISHERS)))
    return events / (time.perf_counter() - begun)


async def _reach(server: _Server, subscribers: int, samples: int) -> list[float]:
    """Milliseconds from a publish call to when the last subscriber has the event."""
    axon = await server.new_axon()
    await server.publish(axon)
    arrived = asyncio.Semaphore(0)
    reading = [asyncio.create_task(_read(server, axon, arrived)) for _ in range(subscribers)]

    async def once() -> None:
        publishing = asyncio.create_task(server.publish(axon))
        for _ in range(subscribers):
            await arrived.acquire()
        await publishing

    for _ in range(subscribers):
        await arrived.acquire()
    try:
        return await timed(samples, once)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read(server: _Server, axon: str, arrived: asyncio.Semaphore) -> None:
    async for piece in server.http.read("GET", f"/v1/axons/{axon}/subscribe/sse"):
        for _ in range(piece.count(b"data: ")):
            arrived.release()


async def _idle(server: _Server, count: int) -> float:
    """MiB that the server's processes grow by."""
    await server.publish(await server.new_axon())
    before = _held(server)
    turns = itertools.repeat(None, count)

    async def make() -> None:
        for _ in turns:
            await server.publish(await server.new_axon())

    await asyncio.gather(*(make() for _ in range(_AT_ONCE)))
    return max(0.0, (_held(server) - before) / 1024**2)


def _held(server: _Server) -> int:
    process = psutil.Process(server.process.pid)
    held = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            held += one.memory_full_info().pss
    return held


async def _sizes(engine: str, server: _Server, counts: Counts) -> list[Measure]:
    """A page and a statement by primary key, on one axon that grows."""
    axon = await server.new_axon()
    pages: list[Series] = []
    statements: list[Series] = []
    held = 0
    for rows in counts.rows:
        await _fill(server.database, axon, held + 1, rows)
        held = rows
        pages.append(await _series(rows, counts.pages, lambda: server.http.ask("GET", f"/v1/axons/{axon}/events")))
        statements.append(await _series(rows, counts.pages, partial(_select, server, axon, rows // 2)))
    return [
        Measure(f"axon page {engine}", f"{engine}: page of 20 events, with total", pages),
        Measure(f"axon sql {engine}", f"{engine}: SQL on rl_axon_events by primary key", statements),
    ]


async def _select(server: _Server, axon: str, sequence: int) -> None:
    answer = await server.http.ask("POST", f"/v1/axons/{axon}/sql/query", {"sql": _SQL, "params": [sequence]})
    if answer["rows"] != [["{}"]]:
        raise RuntimeError(f"event {sequence} was not found: {answer}")


async def _series(rows: int, count: int, action: Callable[[], Awaitable[object]]) -> Series:
    return Series("loopyard", f"{rows:,} events", await timed(count, action))


async def _fill(database: Database, axon: str, first: int, last: int) -> None:
    """Add events past the API, as if they had been published."""
    async with database.write() as session:
        await session.execute(text(_FILL), {"axon": axon, "first": first, "last": last})
        await session.execute(
            text("UPDATE axon SET last_sequence = :last WHERE id = :axon"), {"axon": axon, "last": last}
        )
    if database.engine.dialect.name == "postgresql":
        async with database.engine.connect() as connection:  # autovacuum would do it a minute later
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("ANALYZE axon_event")


@asynccontextmanager
async def _server(url: str | None) -> AsyncGenerator[_Server]:
    """A server on an empty store, and the store behind its back."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="loopyard-bench-"))
        data = Path(folder) / "data"
        process = stack.enter_context(serving(data, database_url=url))
        database = Database(Settings(data_dir=data, database_url=url).store_url)
        stack.push_async_callback(database.close)
        http = HttpClient(process.base_url, {"Authorization": f"Bearer {process.api_key}"})
        stack.push_async_callback(http.close)
        yield _Server(process, http, database)

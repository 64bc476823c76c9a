"""Pages of the list of scenario runs, as the list grows, on both engines."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import cast

from sqlalchemy import Table

from benchmarks.bulk import copy_row
from benchmarks.context import Context, Counts
from benchmarks.loopyard import Loopyard, connected
from benchmarks.measures.scenario_runs import make_scenario, run_once
from benchmarks.result import Measure, Series, timed
from loopyard.config import Settings
from loopyard.kit.db.database import Database
from loopyard.scenario.run.counts import rebuild_counters
from loopyard.scenario.run.models import ScenarioRun
from tests.postgres import postgres_cluster
from tests.serving import ServerProcess, serving

_LIST = "/v1/scenarios/runs"
_TABLE = cast("Table", ScenarioRun.__table__)
_FRESH = {"id": "scr", "devbox_id": "dbx"}
_LARGE = 5_000
_DEEP = 0.9
"""How much of the list lies before a deep page."""


@dataclass(frozen=True, slots=True)
class Page:
    """A way to ask for a page."""

    limit: int
    deep: bool
    total: bool

    def before(self, rows: int) -> int:
        """How many of so many rows lie before it."""
        return int(rows * _DEEP) if self.deep else 0

    def fills(self, rows: int) -> bool:
        """Whether a list of so many rows has a whole page there."""
        return rows - self.before(rows) >= self.limit

    @property
    def title(self) -> str:
        place = f"{_DEEP:.0%} down" if self.deep else "first page"
        return f"limit {self.limit:,}, {place}, {'with' if self.total else 'without'} total"


PAGES = [Page(*asked) for asked in product((20, _LARGE), (False, True), (True, False))]


async def run_lists(context: Context) -> list[Measure]:
    """The same pages of longer and longer lists; each compared with the shortest list that fills the page."""
    return [*await _on("SQLite", None, context.counts), *await _on_postgresql(context.counts)]


async def _on_postgresql(counts: Counts) -> list[Measure]:
    # With the settings that it comes with: durable, unlike the tests'.
    with postgres_cluster(settings=()) as cluster:
        return await _on(f"PostgreSQL {cluster.version}", cluster.new_database(), counts)


async def _on(engine: str, database_url: str | None, counts: Counts) -> list[Measure]:
    series: dict[Page, list[Series]] = {page: [] for page in PAGES}
    async with empty_server(database_url) as (loopyard, database, _):
        scenario_id = await make_scenario(loopyard)
        made = [await run_once(loopyard, scenario_id)]
        for rows in counts.rows:
            made += await grow(database, made[0], rows - len(made))
            for page in PAGES:
                count = counts.large_pages if page.limit == _LARGE else counts.pages
                samples = await _time_page(loopyard, page, made, count)
                series[page].append(Series("loopyard", f"{rows:,} rows", samples))
    return [
        Measure(
            f"list {engine} {page.title}",
            f"{engine}: {page.title}",
            series[page],
            # A list shorter than the page would flatter the page.
            reference=next((i for i, rows in enumerate(counts.rows) if page.fills(rows)), 0),
        )
        for page in PAGES
    ]


async def _time_page(loopyard: Loopyard, page: Page, made: list[str], count: int) -> list[float]:
    query: dict[str, str | int | bool] = {"limit": page.limit, "include_total_count": page.total}
    if page.deep:
        query["starting_after"] = made[len(made) - page.before(len(made))]
    answer = await loopyard.get(_LIST, **query)
    expected = min(page.limit, len(made) - page.before(len(made)))
    if len(answer["runs"]) != expected or (page.total and answer["total_count"] != len(made)):
        raise RuntimeError(f"{page.title}: {len(answer['runs'])} runs of {answer['total_count']}, not {expected}")
    return await timed(count, lambda: loopyard.get(_LIST, **query))


async def grow(database: Database, run_id: str, copies: int) -> list[str]:
    """Add completed runs past the API, as if they had been made."""
    made = await copy_row(database, _TABLE, run_id, copies, _FRESH)
    await rebuild_counters(database)
    if database.engine.dialect.name == "postgresql":
        async with database.engine.connect() as connection:  # autovacuum would do it a minute later
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("ANALYZE")
    return made


@asynccontextmanager
async def empty_server(database_url: str | None) -> AsyncGenerator[tuple[Loopyard, Database, ServerProcess]]:
    """A client of a server on an empty store, the store behind its back, and the server."""
    with tempfile.TemporaryDirectory(prefix="loopyard-bench-") as folder:
        data = Path(folder) / "data"
        with serving(data, database_url=database_url) as server:
            database = Database(Settings(data_dir=data, database_url=database_url).store_url)
            try:
                async with connected(server) as loopyard:
                    yield loopyard, database, server
            finally:
                await database.close()

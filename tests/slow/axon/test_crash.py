"""SIGKILL of the server while a hundred publish: nothing answered is lost, nothing is there twice."""

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.integration.axon.publishing import assert_contiguous, publish_many
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store

EVENTS = 3000


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("failpoint", ["axon.publishing", "axon.published"])
def test_a_crash_at_a_commit_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, failpoint: str
) -> None:
    with serving(tmp_path / "data", database_url=_url(request, engine)) as server:
        axon = server.client().axons.create().id
        server.port = int(server.base_url.rpartition(":")[2])
        server.stop()
        server.start({"LOOPYARD_FAILPOINT": failpoint})

        async def crash() -> None:
            await asyncio.to_thread(server.wait_dead)
            await asyncio.to_thread(server.start)

        asyncio.run(_publish_through(server, axon, 500, crash()))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_kills_at_any_moment_lose_and_double_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    with serving(tmp_path / "data", database_url=_url(request, engine)) as server:
        axon = server.client().axons.create().id
        server.port = int(server.base_url.rpartition(":")[2])

        async def crashes() -> None:
            for _ in range(4):
                await asyncio.sleep(0.1 + secrets.randbelow(500) / 1000)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)

        asyncio.run(_publish_through(server, axon, EVENTS, crashes()))


def _url(request: pytest.FixtureRequest, engine: str) -> str | None:
    if engine == "sqlite":
        return None
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return new_store(cluster)


async def _publish_through(server: ServerProcess, axon: str, count: int, crashes: Coroutine[Any, Any, None]) -> None:
    crashing = asyncio.ensure_future(crashes)
    answered = await publish_many(server, axon, count, 100)
    await crashing
    assert_contiguous(list(answered.values()), count)
    async with server.async_client() as client:
        page = await client.axons.events.list(axon, limit=5000)
        assert page.total_count == count
        assert {int(one.payload): one.sequence for one in page.events} == answered
        seen: list[int] = []
        with contextlib.suppress(StopAsyncIteration):
            async with await client.axons.subscribe_sse(axon, after_sequence=count - 20) as stream:
                async for one in stream:
                    seen.append(one.sequence)
                    if one.sequence == count:
                        break
        assert seen == list(range(count - 19, count + 1))

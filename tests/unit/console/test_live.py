"""Live parts: rendered once for all who look, when something changed, and no more once nobody looks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from loopyard.auth.acting import Caller, acting
from loopyard.console.live import LEAST_SECONDS, Fragment, Live, message
from loopyard.console.login.sessions import Sessions
from loopyard.kit.db.changes import Changes

CALLER = Caller("acc_1", "key_1")


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(60):
        return await anext(stream)


@pytest.mark.anyio
async def test_a_change_is_rendered_once_for_all() -> None:
    changes, sessions = Changes(), Sessions(12)
    live = Live(changes)
    _, session = sessions.open("key_1")
    rendered = 0

    async def render() -> str:
        nonlocal rendered
        assert acting() == CALLER
        rendered += 1
        return f"<p>{rendered}</p>"

    fragment = Fragment("part", "it", render, concerns=lambda key: key == "mine")
    streams = [live.stream(CALLER, session, [fragment]) for _ in range(50)]
    for stream in streams:
        assert (await _next(stream)).startswith(b"retry")
    assert {await _next(stream) for stream in streams} == {b"event: part\ndata: <p>1</p>\n\n"}
    assert live.running == 1
    for _ in range(100):
        changes.publish("other")
    await asyncio.sleep(LEAST_SECONDS * 1.7)
    assert rendered == 1
    for _ in range(100):
        changes.publish("mine")
    assert {await _next(stream) for stream in streams} == {b"event: part\ndata: <p>2</p>\n\n"}
    await asyncio.sleep(LEAST_SECONDS * 1.7)
    assert rendered == 2
    sessions.close(session)
    for stream in streams:
        with pytest.raises(StopAsyncIteration):
            await _next(stream)
    assert live.running == 0


@pytest.mark.anyio
async def test_what_stays_the_same_is_not_sent() -> None:
    live = Live(Changes())
    _, session = Sessions(12).open("key_1")
    rendered = 0

    async def render() -> str:
        nonlocal rendered
        rendered += 1
        return "same"

    stream = live.stream(CALLER, session, [Fragment("part", "it", render, every_seconds=0.01)])
    await _next(stream)
    await _next(stream)
    waiting = asyncio.ensure_future(_next(stream))
    await asyncio.sleep(LEAST_SECONDS * 3)
    assert rendered >= 2
    assert not waiting.done()
    session.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


def test_html_cannot_end_its_message() -> None:
    lines = message("part", "a\r\n\nevent: x\rb").decode().split("\n")
    assert lines[0] == "event: part"
    assert all(line.startswith("data: ") for line in lines[1:-2])

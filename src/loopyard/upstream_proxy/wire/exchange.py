"""Request and its answer, passed on both ways at the same time and in constant memory."""

import asyncio
import contextlib
import logging
from typing import Protocol

import h11

from loopyard.upstream_proxy.hop import Field
from loopyard.upstream_proxy.wire.caller import Request
from loopyard.upstream_proxy.wire.errors import CallerGone, UpstreamFault
from loopyard.upstream_proxy.wire.message import RequestHead, UpstreamConnection

log = logging.getLogger("loopyard.gateway")


class Watcher(Protocol):
    """Sees what passes, as it passes."""

    def request_body(self, chunk: bytes) -> None: ...

    def response(self, status: int, fields: list[Field]) -> None: ...

    def body(self, chunk: bytes) -> None: ...


class _Nobody:
    def request_body(self, chunk: bytes) -> None: ...

    def response(self, status: int, fields: list[Field]) -> None: ...

    def body(self, chunk: bytes) -> None: ...


NOBODY: Watcher = _Nobody()


async def pass_on(request: Request, head: RequestHead, upstream: UpstreamConnection, watcher: Watcher = NOBODY) -> None:
    """Pass a request on, and its answer back.

    Raises:
        UpstreamFault: The upstream's fault; `request.answered` tells whether its answer has begun.
        CallerGone, OSError: The devbox is gone.
    """
    asking = asyncio.create_task(_ask(request, head, upstream, watcher))
    answering = asyncio.create_task(_answer(request, upstream, watcher))
    try:
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            asking.result()  # the devbox is gone: `_ask` ends by itself for nothing else
            raise CallerGone
        answering.result()
    finally:
        for task in (asking, answering):
            task.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)


async def _ask(request: Request, head: RequestHead, upstream: UpstreamConnection, watcher: Watcher) -> None:
    """Pass the request on, then wait until the devbox hangs up."""
    # An upstream that hangs up on a request that it does not want has said why: `_answer` hears it.
    with contextlib.suppress(ConnectionError, h11.LocalProtocolError):
        await upstream.send_head(head)
    heard = True
    async for chunk in request.body():
        watcher.request_body(chunk)
        if heard:
            try:
                await upstream.send(chunk)
            except (ConnectionError, h11.LocalProtocolError):
                heard = False
    with contextlib.suppress(ConnectionError, h11.LocalProtocolError):
        await upstream.send_end(request.trailers)
    if request.upgrade is None:
        await request.gone()
        return
    await asyncio.Event().wait()


async def _answer(request: Request, upstream: UpstreamConnection, watcher: Watcher) -> None:
    head = await upstream.answer()
    if head.upgraded and request.upgrade is None:
        raise UpstreamFault("The upstream goes on with another protocol, which nobody asked for.")
    watcher.response(head.status, head.fields)
    await request.respond(head)
    if head.upgraded:
        await _relay(request, upstream, watcher)
        return
    async for chunk in upstream.chunks():
        watcher.body(chunk)
        await request.send(chunk)
    await request.finish(upstream.trailers)


async def _relay(request: Request, upstream: UpstreamConnection, watcher: Watcher) -> None:
    """After an upgrade: carry both ways until both sides have said all, or one is gone."""

    async def inwards() -> None:
        async for chunk in request.upgraded():
            watcher.request_body(chunk)
            await upstream.send(chunk)
        await upstream.send_end([])

    async def outwards() -> None:
        async for chunk in upstream.chunks():
            watcher.body(chunk)
            await request.send(chunk)

    ways = [asyncio.create_task(inwards()), asyncio.create_task(outwards())]
    try:
        # A WebSocket's upstream has the last word; a devbox that is gone gets none.
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if ways[1] not in done and ways[0].exception() is None:
            await asyncio.wait(ways[1:], timeout=_LAST_WORD_SECONDS)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


_LAST_WORD_SECONDS = 10.0
"""How long an upstream may go on after the devbox has closed its side."""

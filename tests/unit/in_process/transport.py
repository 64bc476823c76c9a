"""Transports of httpx that call an application on its event loop, from any thread or loop."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import ASGIApp


@dataclass
class Place:
    """Where an application runs."""

    app: ASGIApp
    loop: asyncio.AbstractEventLoop


@dataclass
class _Exchange:
    """One request and its answer, which comes in pieces: the head, then chunks, then None."""

    place: Place
    request: httpx.Request
    body: bytes
    pieces: "queue.Queue[Any]" = field(default_factory=queue.Queue)  # pyright: ignore[reportUnknownVariableType]
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        asyncio.run_coroutine_threadsafe(self._run(), self.place.loop)

    def leave(self) -> None:
        """The client goes away; the application hears of it."""
        if not self.place.loop.is_closed():
            self.place.loop.call_soon_threadsafe(self._left.set)

    async def _run(self) -> None:
        asked = False

        async def receive() -> MutableMapping[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": self.body, "more_body": False}
            await self._left.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.pieces.put((message["status"], message.get("headers", [])))
            elif chunk := message.get("body", b""):
                self.pieces.put(chunk)

        try:
            await self.place.app(self._scope(), receive, send)
            self.pieces.put(None)
        except BaseException as error:
            self.pieces.put(error)
            if not isinstance(error, Exception):
                raise

    def _scope(self) -> dict[str, Any]:
        url = self.request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self.request.headers.raw],
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 1),
        }


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._exchange.pieces.get()) is not None:
            yield _sound(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await asyncio.to_thread(self._exchange.pieces.get)) is not None:
            yield _sound(piece)

    def close(self) -> None:
        self._exchange.leave()

    async def aclose(self) -> None:
        self._exchange.leave()


def _sound(piece: Any) -> Any:
    """A piece of an answer.

    Raises:
        httpx.RemoteProtocolError: The application failed in the middle of it.
    """
    if isinstance(piece, BaseException):
        raise httpx.RemoteProtocolError(f"the application failed: {piece!r}") from piece
    return piece


def _answer(exchange: _Exchange, piece: Any) -> httpx.Response:
    status, headers = _sound(piece)
    return httpx.Response(status, headers=headers, stream=_Body(exchange), request=exchange.request)


class InProcessTransport(httpx.BaseTransport):
    def __init__(self, place: Place) -> None:
        self._place = place

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(self._place, request, request.read())
        exchange.begin()
        return _answer(exchange, exchange.pieces.get(timeout=60))


class AsyncInProcessTransport(httpx.AsyncBaseTransport):
    def __init__(self, place: Place) -> None:
        self._place = place

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(self._place, request, await request.aread())
        exchange.begin()
        return _answer(exchange, await asyncio.to_thread(exchange.pieces.get, timeout=60))

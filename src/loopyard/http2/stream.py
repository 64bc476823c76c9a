"""Request of an HTTP/2 connection and its answer, as ASGI has them."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Scope

from loopyard.http2.trailers import EXTENSION

log = logging.getLogger("loopyard.http2")

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""Headers of an HTTP/1.1 connection, which must not be in an answer here (RFC 9113, 8.2.2)."""

Header = tuple[bytes, bytes]


class Carrier(Protocol):
    """The connection, as its streams see it."""

    async def send_head(self, stream_id: int, head: Iterable[Header]) -> None:
        """Send the answer's head."""
        ...

    async def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        """Send a part of the answer's body, as fast as the client takes it."""
        ...

    async def send_trailers(self, stream_id: int, fields: Iterable[Header]) -> None:
        """Send the fields that end the answer."""
        ...

    def taken(self, stream_id: int, size: int) -> None:
        """The application has taken so many bytes of the body: the client may send as many more."""
        ...

    def reset(self, stream_id: int) -> None:
        """Tell the client that the answer will not be whole."""
        ...


class Stream:
    """Lives from a request's head to the end of its answer."""

    def __init__(self, carrier: Carrier, stream_id: int, scope: Scope) -> None:
        self.scope = scope
        self.started = False
        """True if the answer has begun."""
        self._carrier = carrier
        self._id = stream_id
        self._held = bytearray()
        self._held_size = 0
        """Part of the client's allowance that is taken by what is held."""
        self._body_ended = False
        self._body_told = False
        self._complete = False
        self._trailers_follow = False
        self._gone = False
        self._news = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        """True if nobody waits for the answer any more."""
        return self._gone

    def feed(self, data: bytes, size: int) -> None:
        """A piece of the body has come. `size` is what it takes of the client's allowance."""
        self._held += data
        self._held_size += size
        self._news.set()

    def end_body(self) -> None:
        self._body_ended = True
        self._news.set()

    def lose(self) -> None:
        """The client is gone, or wants no answer any more."""
        self._gone = True
        self._news.set()

    async def run(self, app: ASGIApp) -> None:
        """Have the application answer."""
        if self._gone:  # taken back before it was begun
            return
        try:
            await app(self.scope, self._receive, self._send)
        except Exception:
            log.exception("a request failed")
            await self._fail()
        else:
            if not self._complete and not self._gone:
                log.error("a request was not answered whole")
                await self._fail()
        finally:
            self._take()

    async def _fail(self) -> None:
        if self._gone or self._complete:
            return
        if self.started:
            self._carrier.reset(self._id)
            return
        head = [(b"content-type", b"text/plain; charset=utf-8")]
        await self._send({"type": "http.response.start", "status": 500, "headers": head})
        await self._send({"type": "http.response.body", "body": b"Internal Server Error"})

    async def _receive(self) -> Message:
        while not (self._gone or self._complete):
            if self._held or (self._body_ended and not self._body_told):
                return self._next_piece()
            self._news.clear()
            await self._news.wait()
        return {"type": "http.disconnect"}

    def _next_piece(self) -> Message:
        data = self._take()
        self._body_told = self._body_ended
        return {"type": "http.request", "body": data, "more_body": not self._body_ended}

    def _take(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        size, self._held_size = self._held_size, 0
        self._carrier.taken(self._id, size)
        return data

    async def _send(self, message: Message) -> None:
        if self._gone or self._complete:
            return
        if message["type"] == "http.response.start":
            await self._send_head(message)
        elif message["type"] == EXTENSION:
            await self._send_trailers(message)
        else:
            await self._send_body(message)

    async def _send_head(self, message: Message) -> None:
        self.started = True
        self._trailers_follow = bool(message.get("trailers"))
        given: Iterable[Any] = message.get("headers", ())
        named = [(bytes(name).lower(), bytes(value)) for name, value in given]
        head = [(b":status", str(message["status"]).encode()), *(one for one in named if one[0] not in _HOP_BY_HOP)]
        await self._carrier.send_head(self._id, head)

    async def _send_body(self, message: Message) -> None:
        body = b"" if self.scope["method"] == "HEAD" else bytes(message.get("body", b""))
        end = not message.get("more_body", False) and not self._trailers_follow
        if body or end:
            await self._carrier.send_data(self._id, body, end=end)
        if end:
            self._end()

    async def _send_trailers(self, message: Message) -> None:
        given: Iterable[Any] = message["headers"]
        if fields := [(bytes(name).lower(), bytes(value)) for name, value in given]:
            await self._carrier.send_trailers(self._id, fields)
        else:
            await self._carrier.send_data(self._id, b"", end=True)
        self._end()

    def _end(self) -> None:
        self._complete = True
        self._news.set()

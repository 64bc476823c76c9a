"""HTTP/1.1 exchange through a tunnel. Both directions stream at the same time, in constant memory."""

import asyncio
import contextlib
import socket

import h11
from starlette.types import Receive, Scope, Send

from loopyard.devbox.tunnel import headers
from loopyard.devbox.tunnel.errors import BadGateway, GatewayTimeout
from loopyard.devbox.tunnel.racing import race
from loopyard.kit.errors import BadRequest

_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 1 << 16
_TRAILERS = "http.response.trailers"
_FRAME_BYTES, _SETTINGS = 9, 4
"""The length of the head of an HTTP/2 frame, and the type of the one that a service begins with."""
_BY_HTTP2 = "What is gRPC goes to it by HTTP/2 if it comes by HTTP/2; for all else have it speak HTTP/1.1 too."
_OWN = frozenset({b"date"})
"""Headers that the server's own HTTP sets on every answer."""


class Exchange:
    """Relays one request and its answer over a fresh connection to the devbox."""

    def __init__(self, connection: socket.socket, answer_seconds: float, *, trust_forwarded: bool = False) -> None:
        self._socket = connection
        self._trust_forwarded = trust_forwarded
        self._first = b""
        """The first bytes that the service has sent."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        self._answer_seconds = answer_seconds
        self._deadline: asyncio.Timeout | None = None
        self.started = False
        """True if the answer has begun, so that no other can be given any more."""

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay until the answer is complete or the caller is gone.

        Raises:
            BadRequest: The request cannot be passed on.
            BadGateway: The service does not speak HTTP, or hung up before its answer was complete.
            GatewayTimeout: The service did not begin to answer in time.
        """
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=_CHUNK_BYTES)
        try:
            await self._send_head(scope)
            await race(self._answer(scope, send), self._ask(receive))
        finally:
            self._writer.transport.abort()

    async def _send_head(self, scope: Scope) -> None:
        has_length = headers.get(scope["headers"], b"content-length") is not None
        chunked = not has_length and headers.get(scope["headers"], b"transfer-encoding") is not None
        given = headers.inwards(scope, frozenset({b"expect"}), trust_forwarded=self._trust_forwarded)
        if headers.get(given, b"host") is None:
            raise BadRequest("The request has no Host header.")
        framing = [(b"transfer-encoding", b"chunked")] if chunked else []
        wanted = headers.get(scope["headers"], b"te") or b""
        takes_trailers = b"trailers" in wanted.lower() and _TRAILERS in scope.get("extensions", {})
        framing += [(b"te", b"trailers")] if takes_trailers else []
        connection = b"close, TE" if takes_trailers else b"close"
        try:
            data = self._http.send(
                h11.Request(
                    method=scope["method"],
                    target=headers.target(scope),
                    headers=[*given, *framing, (b"connection", connection)],
                )
            )
        except h11.LocalProtocolError as error:
            raise BadRequest(f"The request cannot be passed on: {error}") from error
        self._writer.write(data or b"")

    async def _ask(self, receive: Receive) -> None:
        """Pass the request's body on, then wait until the caller hangs up."""
        whole = False
        while (message := await receive())["type"] != "http.disconnect":
            if whole:
                continue
            whole = not message.get("more_body", False)
            # A service that has said its last word, or hangs up on a body it does not want, is heard by `_answer`.
            with contextlib.suppress(OSError, h11.LocalProtocolError):
                if body := message.get("body", b""):
                    self._writer.write(self._http.send(h11.Data(data=body)) or b"")
                if whole:
                    self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
                await self._writer.drain()
            if self._deadline is not None and not self.started:
                self._deadline.reschedule(asyncio.get_running_loop().time() + self._answer_seconds)

    async def _answer(self, scope: Scope, send: Send) -> None:
        try:
            async with asyncio.timeout(self._answer_seconds) as self._deadline:
                response = await self._next()
                while isinstance(response, h11.InformationalResponse):
                    response = await self._next()
        except TimeoutError as error:
            raise GatewayTimeout("The service in the devbox did not answer in time.") from error
        if not isinstance(response, h11.Response):
            raise BadGateway("The service in the devbox hung up before it answered.")
        drop = _OWN | {b"content-length"} if response.status_code == 304 else _OWN
        head = headers.end_to_end(list(response.headers), drop)
        chunked = headers.get(response.headers, b"transfer-encoding") is not None and scope["method"] != "HEAD"
        trailers = chunked and _TRAILERS in scope.get("extensions", {})
        if trailers and (announced := headers.get(response.headers, b"trailer")) is not None:
            head.append((b"trailer", announced))
        self.started = True
        start = {"type": "http.response.start", "status": response.status_code, "headers": head}
        await send({**start, "trailers": True} if trailers else start)
        while isinstance(event := await self._next(), h11.Data):
            await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if trailers:
            fields = headers.in_trailers(event.headers) if isinstance(event, h11.EndOfMessage) else []
            await send({"type": _TRAILERS, "headers": fields, "more_trailers": False})

    async def _next(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._reader.read(_CHUNK_BYTES)
                self._first = (self._first + data)[:_FRAME_BYTES]
                if not self.started and _is_settings(self._first):
                    raise BadGateway(f"The service in the devbox speaks HTTP/2 only. {_BY_HTTP2}")
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            if not self._first:
                hint = f"If it speaks HTTP/2 only: {_BY_HTTP2}"
                raise BadGateway(f"The service in the devbox hung up before it answered. {hint}") from error
            raise BadGateway(f"The service in the devbox does not speak HTTP: {error}") from error
        except OSError as error:
            raise BadGateway(f"The service in the devbox hung up: {error.strerror}.") from error
        return event


def _is_settings(first: bytes) -> bool:
    """True if a service's first bytes are those of HTTP/2."""
    return len(first) == _FRAME_BYTES and first[3] == _SETTINGS and first[5:] == bytes(4)

"""One HTTP/1.1 exchange through a tunnel. Both directions stream at the same time, in constant memory."""

import asyncio
import contextlib
import socket

import h11
from starlette.types import Receive, Scope, Send

from loopyard.devbox.tunnel import headers
from loopyard.devbox.tunnel.errors import BadGateway, GatewayTimeout
from loopyard.kit.errors import BadRequest

_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 1 << 16
_OWN = frozenset({b"date"})
"""What the server's own HTTP sets on every answer."""


class Exchange:
    """Relays one request and its answer over a fresh connection to the devbox."""

    def __init__(self, connection: socket.socket, answer_seconds: float) -> None:
        self._socket = connection
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        self._answer_seconds = answer_seconds
        self._deadline: asyncio.Timeout | None = None
        self.started = False
        """Whether the answer has begun, so that no other can be given any more."""

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
            answering = asyncio.ensure_future(self._answer(send))
            asking = asyncio.ensure_future(self._ask(receive))
            try:
                # Either the answer is complete, or the caller hangs up first.
                await asyncio.wait({answering, asking}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    answering.result()
                else:
                    asking.result()
            finally:
                for task in (answering, asking):
                    task.cancel()
                await asyncio.gather(answering, asking, return_exceptions=True)
        finally:
            self._writer.transport.abort()

    async def _send_head(self, scope: Scope) -> None:
        has_length = headers.get(scope["headers"], b"content-length") is not None
        chunked = not has_length and headers.get(scope["headers"], b"transfer-encoding") is not None
        given = headers.inwards(scope, frozenset({b"expect"}))
        if headers.get(given, b"host") is None:
            raise BadRequest("The request has no Host header.")
        framing = [(b"transfer-encoding", b"chunked")] if chunked else []
        try:
            data = self._http.send(
                h11.Request(
                    method=scope["method"],
                    target=headers.target(scope),
                    headers=[*given, *framing, (b"connection", b"close")],
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

    async def _answer(self, send: Send) -> None:
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
        self.started = True
        await send({"type": "http.response.start", "status": response.status_code, "headers": head})
        while isinstance(event := await self._next(), h11.Data):
            await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_CHUNK_BYTES))
        except h11.RemoteProtocolError as error:
            raise BadGateway(f"The service in the devbox does not speak HTTP: {error}") from error
        except OSError as error:
            raise BadGateway(f"The service in the devbox hung up: {error.strerror}.") from error
        return event

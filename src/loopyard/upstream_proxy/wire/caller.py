"""A devbox's side of an exchange: HTTP/1.1, one request after the other on a connection."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import h11

from loopyard.upstream_proxy.hop import Field, answer_fields
from loopyard.upstream_proxy.wire.errors import CallerGone
from loopyard.upstream_proxy.wire.message import CHUNK_BYTES, HEAD_BYTES, AnswerHead

_IDLE_SECONDS = 300.0
_HEAD_SECONDS = 60.0
OWN_ANSWER = ("x-loopyard-gateway", "refused")
"""Marks answers that are the gateway's own and not the upstream's."""


class Request:
    """Request, and the way its answer goes."""

    def __init__(self, connection: "CallerConnection", head: h11.Request) -> None:
        self._connection = connection
        self._http = connection.http
        self.source = connection.source
        self.method = head.method.decode("latin-1")
        self.target = _origin_form(head.target.decode("latin-1"))
        raw = head.headers.raw_items()
        self.fields: list[Field] = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        self.lower: list[Field] = [(name.lower(), value) for name, value in self.fields]
        names = {name for name, _ in self.lower}
        self.has_body = "transfer-encoding" in names or self.get("content-length") not in (None, "0")
        wanted = (self.get("upgrade") or "").lower()
        self.upgrade = "websocket" if wanted == "websocket" and not self.has_body else None
        self.answered = False
        self.trailers: list[Field] = []

    def get(self, name: str) -> str | None:
        """The first field of this name (in lower case)."""
        return next((value for key, value in self.lower if key == name), None)

    async def body(self) -> AsyncIterator[bytes]:
        """The body, piece by piece; after an upgrade whatever comes, until the devbox has said all.

        Raises:
            CallerGone.
        """
        if self._http.they_are_waiting_for_100_continue:
            await self._connection.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        while True:
            event = await self._connection.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                names = event.headers.raw_items()
                self.trailers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in names]
                return
            else:
                raise CallerGone

    async def upgraded(self) -> AsyncIterator[bytes]:
        """Stream after the upgrade."""
        if first := self._http.trailing_data[0]:
            yield first
        while chunk := await self._connection.read():
            yield chunk

    async def gone(self) -> None:
        """Wait until the devbox hangs up. What it sends meanwhile belongs to its next request."""
        await self._connection.hung_up()

    async def respond(self, head: AnswerHead) -> None:
        """Send the head of the answer, without the fields of the upstream's hop."""
        self.answered = True
        fields = answer_fields(head.fields)
        reason = head.reason.encode("latin-1")
        if head.upgraded:
            protocol = self.upgrade or "websocket"
            fields += [("Connection", "Upgrade"), ("Upgrade", protocol)]
            kind = h11.InformationalResponse
        else:
            kind = h11.Response
            if self._http.their_state is h11.SEND_BODY:
                fields.append(("Connection", "close"))  # the rest of the request is not wanted
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        event = kind(status_code=head.status, headers=encoded, reason=reason)
        await self._connection.write(self._http.send(event))

    async def send(self, chunk: bytes) -> None:
        """Send a piece of the answer; returns when the devbox takes more."""
        if self._http.our_state is h11.SWITCHED_PROTOCOL:
            await self._connection.write(chunk)
        else:
            await self._connection.write(self._http.send(h11.Data(data=chunk)))

    async def finish(self, trailers: list[Field]) -> None:
        """End the answer."""
        if self._http.our_state is h11.SWITCHED_PROTOCOL:
            return
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in trailers]
        try:
            data = self._http.send(h11.EndOfMessage(headers=encoded))
        except h11.LocalProtocolError:
            if not encoded:
                raise  # the answer is shorter than its Content-Length
            data = self._http.send(h11.EndOfMessage())
        await self._connection.write(data)

    async def answer(self, status: int, fields: list[Field], body: bytes) -> None:
        """Send a whole answer of the gateway's own."""
        lengthless = [field for field in fields if field[0].lower() != "content-length"]
        await self.respond(AnswerHead(status, "", [*lengthless, OWN_ANSWER, ("content-length", str(len(body)))]))
        if self.method != "HEAD":
            await self.send(body)
        await self.finish([])

    async def refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error, in a shape that the official clients of models show, too."""
        error = {"type": code, "code": code, "message": message}
        body = {"type": "error", "error": error, "code": code, "message": message}
        fields = [("content-type", "application/json")]
        if status == 401:
            fields.append(("www-authenticate", "Bearer"))
        await self.answer(status, fields, json.dumps(body).encode())


Handler = Callable[[Request], Awaitable[None]]


class CallerConnection:
    """A connection of a devbox. `source` is the address that it comes from."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.source: str = writer.get_extra_info("peername")[0]
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)

    async def serve(self, handler: Handler) -> None:
        """Take requests until either side ends it."""
        try:
            while (head := await self._head()) is not None:
                request = Request(self, head)
                await handler(request)
                if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
                    break
                self.http.start_next_cycle()
            await self._close()
        except (OSError, CallerGone, TimeoutError, h11.ProtocolError):
            self._writer.transport.abort()

    async def _head(self) -> h11.Request | None:
        """The next request; None at the end."""
        seconds = _IDLE_SECONDS
        while True:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                await self._refuse_malformed(error)
                return None
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            async with asyncio.timeout(seconds):
                self.http.receive_data(await self.read())
            seconds = _HEAD_SECONDS

    async def _refuse_malformed(self, error: h11.RemoteProtocolError) -> None:
        status = error.error_status_hint
        if self.http.our_state is h11.IDLE:
            head = h11.Response(status_code=status, headers=[(b"connection", b"close"), (b"content-length", b"0")])
            await self.write(self.http.send(head))
            await self.write(self.http.send(h11.EndOfMessage()))

    async def next_event(self) -> object:
        try:
            while (event := self.http.next_event()) is h11.NEED_DATA:
                self.http.receive_data(await self.read())
        except h11.RemoteProtocolError as error:
            raise CallerGone from error
        return event

    async def hung_up(self) -> None:
        if not self.http.trailing_data[0]:
            data = await self.read()
            self.http.receive_data(data)
            if not data:
                return
        await asyncio.Event().wait()  # it has sent more already; writing tells when it is gone

    async def read(self) -> bytes:
        return await self._reader.read(CHUNK_BYTES)

    async def write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def _close(self) -> None:
        """End the connection so that the devbox gets the whole answer, whatever it still sends."""
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(2):
                while await self.read():
                    pass
        self._writer.transport.abort()


def _origin_form(target: str) -> str:
    """The path and query of a target, also where the whole URL was sent."""
    if target.startswith(("http://", "https://")):
        rest = target.partition("://")[2]
        at = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=len(rest))
        target = rest[at:]
        return target if target.startswith("/") else f"/{target}"
    return target

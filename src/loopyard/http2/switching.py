"""HTTP/1.1 and HTTP/2 on one port, told apart by the first bytes, with limits of time and size for a request's head."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from loopyard.connections.fair_turns import PARTING, REQUEST, Client, client_of
from loopyard.connections.limits import HEAD_BYTES, MOST_FIELDS, ConnectionLimits, put_into
from loopyard.connections.pieces import Pieces
from loopyard.http2.connection import Connection
from loopyard.http2.trailers import TrailerApplication

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""First bytes of a client of HTTP/2 (RFC 9113, 3.4)."""

TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 35\r\n\r\nThe head of the request is too long"
)
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 38\r\n\r\nThe head of the request took too long."
)


_PIECE_BYTES = 1 << 10
"""How much is read at a time where heads may stand, of which each begins a request."""
_CHUNKED_BYTES = 1 << 14
"""How much is read at a time of a body in chunks, which may be of one byte each."""
_HEAD = 4
"""Cost of a request's head besides, in units of fair turns."""
_BYTES_FOR_ONE, _CHUNKED_FOR_ONE, _BODY_FOR_ONE = 1 << 6, 1 << 7, 1 << 12
"""How many bytes cost one unit of fair turns, of those pieces and of bodies whose length is known."""


class EitherProtocol(HttpToolsProtocol):
    """HTTP/1.1, unless the client begins with the preface of HTTP/2."""

    limits: ConnectionLimits
    """Of the server that it belongs to, by `limited`."""

    _first: bytes | None = b""
    """Bytes that may still become the preface; None once that is decided."""
    _head_bytes = 0
    """How much of a head has come; 0 where none is under way."""
    _timer: asyncio.TimerHandle | None = None
    _is_known = False
    _body_bytes = 0
    """How much of a body of known length is still to come."""
    _is_chunked = False
    _is_handed_on = False
    """True once the connection is a WebSocket's."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._pieces = Pieces(self.limits.reading, self, transport)
        self.limits.add(self)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.limits.forget(self)
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            super().connection_lost(exc)
            return
        cycle.disconnected = True  # at once: nothing more is written
        self.limits.beginning.do(self.turn_client, PARTING, lambda: super(EitherProtocol, self).connection_lost(exc))

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            self._pieces.add(data)
            return
        first = self._first + data
        if len(first) < len(PREFACE) and PREFACE.startswith(first):
            self._first = first
            return
        self._first = None
        if first.startswith(PREFACE):
            self._switch(first)
        else:
            self._pieces.add(first)

    def turn_client(self) -> Client:
        return client_of(self.client, self.headers)

    def may_resume(self) -> bool:
        return not self.flow.read_paused

    def next_piece(self, held: bytes, at: int) -> tuple[int, int]:
        if self.pipeline or self._is_handed_on:
            return 0, 0  # each request in its time
        rest = len(held) - at
        if self._body_bytes:
            size = min(rest, self._body_bytes)
            return size, 1 + size // _BODY_FOR_ONE
        if self._is_chunked:
            size = min(rest, _CHUNKED_BYTES)
            return size, 1 + size // _CHUNKED_FOR_ONE
        size = min(rest, _PIECE_BYTES)
        return size, _HEAD + size // _BYTES_FOR_ONE

    def drop(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def let_in(self) -> None:
        """A request on it was let in."""
        if not self._is_known:
            self._is_known = True
            self.limits.forget(self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        put_into(cast("dict[str, object]", self.scope), self)
        self._head_bytes = 1
        if self._timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        self._stop_timer()
        for name, value in self.headers:
            if name == b"content-length":
                self._body_bytes = int(value)
            elif name == b"transfer-encoding":
                self._is_chunked = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._body_bytes:
            self._body_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_bytes, self._is_chunked = 0, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._pieces.go_on()

    def handle_websocket_upgrade(self) -> None:
        self._is_handed_on = True
        self._stop_timer()
        self.limits.forget(self)  # the application lets it in or closes it
        super().handle_websocket_upgrade()

    def read_piece(self, piece: bytes) -> None:
        super().data_received(piece)
        if self._head_bytes and not self.transport.is_closing():
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES or len(self.headers) > MOST_FIELDS:
                self._refuse(TOO_LONG)

    def _await_head(self) -> None:
        seconds = self.limits.settings.head_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._refuse, TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        self._stop_timer()
        if self._head_bytes and not self.transport.is_closing():
            self.transport.write(answer)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.limits.beginning.do(self.turn_client, REQUEST, lambda: self._start(cycle, app))

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not cycle.disconnected:
            super()._start_asgi_task(cycle, cast("Any", TrailerApplication(app, cycle)))

    def _switch(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._stop_timer()
        self.connections.discard(self)
        self.limits.forget(self)
        connection = Connection(self.config, self.server_state, self.app_state, self.limits)
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        connection.data_received(data)


def limited(limits: ConnectionLimits) -> type[EitherProtocol]:
    """The protocol of a server with these limits."""
    return type("LimitedProtocol", (EitherProtocol,), {"limits": limits})

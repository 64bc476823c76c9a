"""Tells HTTP/2 from HTTP/1.1 by the first bytes of a connection."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from loopyard.http2.connection import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client of HTTP/2 says first (RFC 9113, 3.4)."""


class EitherProtocol(HttpToolsProtocol):
    """HTTP/1.1, unless the client begins with the preface of HTTP/2."""

    _first: bytes | None = b""
    """What has come while it may still become the preface; None once that is decided."""

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            super().data_received(data)
            return
        first = self._first + data
        if len(first) < len(PREFACE) and PREFACE.startswith(first):
            self._first = first
            return
        self._first = None
        if first.startswith(PREFACE):
            self._switch(first)
        else:
            super().data_received(first)

    def _switch(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        connection = Connection(self.config, self.server_state, self.app_state)
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        connection.data_received(data)

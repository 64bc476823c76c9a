"""A client of HTTP/2 that does what no good client would: `h2` over a plain socket."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import httpx
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from tests.serving import ServerProcess

SECONDS = 120
"""How long the server is given for anything."""

E = TypeVar("E", bound=Event)


def http2(server: ServerProcess, **options: object) -> httpx.Client:
    """httpx that speaks nothing but HTTP/2, with the API key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.Client(base_url=server.base_url, headers=headers, http1=False, http2=True, timeout=60, **options)  # type: ignore[arg-type]


class Talk:
    """One connection. `heard` is all that the server has said."""

    def __init__(self, address: tuple[str, int], headers: dict[str, str]) -> None:
        self.socket = socket.create_connection(address, SECONDS)
        self.h2 = H2Connection(H2Configuration(client_side=True, validate_outbound_headers=False))
        self.heard: list[Event] = []
        self.closed = False
        self._authority = f"{address[0]}:{address[1]}"
        self._headers = headers

    def begin(self) -> None:
        """Say the preface."""
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def head(self, path: str, method: str = "GET") -> list[tuple[str, str]]:
        named = {":method": method, ":scheme": "http", ":authority": self._authority, ":path": path}
        return list({**named, **self._headers}.items())

    def ask(self, path: str = "/healthz", method: str = "GET", *, end: bool = True) -> int:
        """Send a request's head; returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, self.head(path, method), end_stream=end)
        self.flush()
        return stream

    def listen(self, until: Callable[[], bool], *, take: bool = True) -> None:
        """Read until that is so, or the server has closed. `take` allows the server to send more."""
        deadline = time.monotonic() + SECONDS
        while not self.closed and not until():
            assert time.monotonic() < deadline, self.heard
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                return
            for event in self.h2.receive_data(data):
                self.heard.append(event)
                if take and isinstance(event, DataReceived) and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
            try:
                self.flush()
            except (BrokenPipeError, ConnectionResetError):
                self.closed = True

    def listen_to_end(self) -> None:
        """Read until the server closes."""
        self.listen(lambda: False)
        assert self.closed

    def all(self, kind: type[E], stream: int | None = None) -> list[E]:
        """The events of a kind."""
        return [one for one in self.heard if isinstance(one, kind) and stream in (None, getattr(one, "stream_id", 0))]

    def answer(self, stream: int) -> tuple[int, bytes]:
        """Read on until this stream is answered: its status and body."""
        self.listen(lambda: bool(self.all(StreamEnded, stream) or self.all(StreamReset, stream)))
        assert self.all(StreamEnded, stream), self.heard
        headers = dict(self.all(ResponseReceived, stream)[0].headers or [])
        status = headers.get(b":status") or headers[":status"]  # type: ignore[call-overload]
        return int(status), b"".join(one.data or b"" for one in self.all(DataReceived, stream))

    def reset_of(self, stream: int) -> int:
        """Read on until the server resets this stream: the error code."""
        self.listen(lambda: bool(self.all(StreamReset, stream)))
        return int(self.all(StreamReset, stream)[0].error_code or 0)

    def goodbye(self) -> int:
        """Read on until the server closes: the error code it gave."""
        self.listen_to_end()
        return int(self.all(ConnectionTerminated)[-1].error_code or 0)


@contextmanager
def talking(server: ServerProcess, *, begun: bool = True) -> Generator[Talk]:
    """A connection to a server, with its API key."""
    url = httpx.URL(server.base_url)
    talk = Talk((url.host, url.port or 80), {"authorization": f"Bearer {server.api_key}"})
    try:
        if begun:
            talk.begin()
        yield talk
    finally:
        talk.socket.close()

"""A server's port without a network: connections over transports that keep what is written."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from h2.config import H2Configuration
from h2.connection import H2Connection
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from loopyard.connections.config import ConnectionSettings
from loopyard.connections.limits import ConnectionLimits
from loopyard.http2.switching import EitherProtocol, limited


class FakeTransport(asyncio.Transport):
    """What a connection does to its socket."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 5000), "sockname": ("192.0.2.254", 80)})
        self.written = b""
        self.reads = True
        self.protocol: asyncio.Protocol
        self._closing = False

    def write(self, data: Any) -> None:
        if not self._closing:
            self.written += bytes(data)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol


class Port:
    """Connections to one port. Its application answers `begun` paths in order, and bodies with their length."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.told_gone: list[str] = []
        self.may_answer = asyncio.Event()
        self._config = uvicorn.Config(self._answer, interface="asgi3", lifespan="off", ws="none", log_config=None)
        self._config.load()
        self._protocol: type[EitherProtocol] = limited(ConnectionLimits(ConnectionSettings()))
        self.state = ServerState()

    def connect(self, address: str = "192.0.2.1") -> FakeTransport:
        transport = FakeTransport(address)
        transport.protocol = protocol = self._protocol(self._config, self.state, {})
        protocol.connection_made(transport)
        return transport

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(scope["path"])
        size, message = 0, await receive()
        while message["type"] == "http.request":
            size += len(message["body"])
            if not message.get("more_body"):
                break
            message = await receive()
        waits = asyncio.ensure_future(self.may_answer.wait())
        gone: asyncio.Future[Message] = asyncio.ensure_future(receive())  # type: ignore[arg-type]
        await asyncio.wait([waits, gone], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.told_gone.append(scope["path"])
        waits.cancel()
        gone.cancel()
        head = [(b"content-length", str(len(str(size))).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": str(size).encode()})


async def pass_turns(until: Callable[[], bool], most: int = 5000) -> int:
    """Let the loop turn until that is so; returns how many turns it took."""
    for count in range(most):
        if until():
            return count
        await asyncio.sleep(0)
    raise AssertionError("it does not become so")


def get(path: str, key: str = "") -> bytes:
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\n" + (f"authorization: Bearer {key}\r\n" if key else "")
    return f"{head}\r\n".encode()


def http2() -> H2Connection:
    """A client of HTTP/2 that has said the preface."""
    client = H2Connection(H2Configuration())
    client.initiate_connection()
    return client


def ask(client: H2Connection, path: str) -> int:
    """Ask for a path; returns the stream."""
    stream = client.get_next_available_stream_id()
    head = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", path)]
    client.send_headers(stream, head, end_stream=True)
    return stream

"""One connection of HTTP/2: many requests at a time, each with its own flow control."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import unquote

import uvicorn
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from loopyard.http2.stream import Header, Stream

log = logging.getLogger("loopyard.http2")

MOST_STREAMS = 500
"""How many requests a client may have under way on one connection."""

STREAM_BYTES = 1 << 20
CONNECTION_BYTES = 16 << 20
"""How many bytes of one request's body, and of all, may have come and not been taken."""

IDLE_SECONDS = 300
"""How long a connection without a request is kept."""

_HEADER_BYTES = 1 << 16
_FLUSH_BYTES = 1 << 18
_SETTINGS: dict[SettingCodes, int] = {
    SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
    SettingCodes.INITIAL_WINDOW_SIZE: STREAM_BYTES,
    SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_BYTES,
}


class Connection(asyncio.Protocol):
    """What uvicorn's server expects of a connection, over `h2`."""

    def __init__(self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._config = config
        self._app = cast("ASGIApp", config.loaded_app)  # pyright: ignore[reportUnknownMemberType]
        self._server_state = server_state
        self._app_state = app_state
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._streams: dict[int, Stream] = {}
        self._writable = True
        self._moved = asyncio.Event()
        """Set, and made anew, when those who want to send may find room."""
        self._idle: asyncio.TimerHandle | None = None
        self._ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server_state.connections.add(cast("Any", self))
        self._addresses = {"server": get_local_addr(self._transport), "client": get_remote_addr(self._transport)}
        self._h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_BYTES - self._h2.inbound_flow_control_window)
        self._flush()
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server_state.connections.discard(cast("Any", self))
        if self._idle is not None:
            self._idle.cancel()
        for stream in self._streams.values():
            stream.lose()
        self._move()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._move()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            log.warning("a client broke the rules of HTTP/2: %s", error)
            self._flush()
            self._transport.close()
            return
        for event in events:
            self._handle(event)
        self._flush()
        self._move()  # what came may have been room

    def shutdown(self) -> None:
        """Take no more requests, and close once those under way are answered."""
        self._ending = True
        self._close_if_done()

    def cut(self, mark: str) -> None:
        """End the answers of requests whose scope has this key, as they are."""
        for stream_id, stream in list(self._streams.items()):
            if mark in stream.scope:
                self.reset(stream_id)
                stream.lose()

    def abort_if_answering(self) -> None:
        """End the connection at once if an answer is under way: that tells that it is not whole."""
        if any(stream.started for stream in self._streams.values()):
            self._transport.abort()

    async def send_head(self, stream_id: int, head: Iterable[Header]) -> None:
        if self._is_open(stream_id):
            self._h2.send_headers(stream_id, list(head))
            self._flush()

    async def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        rest, unsent = memoryview(data), 0
        while self._is_open(stream_id):
            room = self._room(stream_id) if self._writable else 0
            if len(rest) > 0 and (room == 0 or unsent > _FLUSH_BYTES):
                self._flush()
                unsent = 0
                if room > 0 and self._writable:
                    continue
                await self._moved.wait()
                continue
            piece, rest = rest[:room], rest[room:]
            unsent += len(piece)
            self._h2.send_data(stream_id, bytes(piece), end_stream=end and len(rest) == 0)
            if len(rest) == 0:
                self._flush()
                return

    def taken(self, stream_id: int, size: int) -> None:
        if size > 0 and not self._transport.is_closing():
            self._h2.acknowledge_received_data(size, stream_id)
            self._flush()

    def reset(self, stream_id: int) -> None:
        if self._is_open(stream_id):
            self._h2.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
            self._flush()

    def _room(self, stream_id: int) -> int:
        return min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)

    def _is_open(self, stream_id: int) -> bool:
        return stream_id in self._streams and not self._streams[stream_id].is_gone and not self._transport.is_closing()

    def _handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, ConnectionTerminated):
            self._transport.close()
        elif isinstance(event, DataReceived | StreamEnded | StreamReset):
            stream = self._streams.get(event.stream_id or 0)
            if isinstance(event, DataReceived):
                size = event.flow_controlled_length or 0
                if stream is None:
                    self.taken(event.stream_id or 0, size)
                else:
                    stream.feed(event.data or b"", size)
            elif stream is not None:
                (stream.end_body if isinstance(event, StreamEnded) else stream.lose)()

    def _begin(self, event: RequestReceived) -> None:
        if self._idle is not None:
            self._idle.cancel()
        stream_id = event.stream_id or 0
        if self._ending:
            self._h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)  # it may be sent again, to the next server
            return
        stream = Stream(self, stream_id, self._scope(event.headers or []))
        self._streams[stream_id] = stream
        task = asyncio.get_running_loop().create_task(self._run(stream_id, stream))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    async def _run(self, stream_id: int, stream: Stream) -> None:
        try:
            await stream.run(self._app)
        finally:
            del self._streams[stream_id]
            self._server_state.total_requests += 1
            self._close_if_done()
            if not self._streams:
                self._rest()

    def _scope(self, given: Iterable[Any]) -> Scope:
        headers: list[Header] = [(bytes(name), bytes(value)) for name, value in given]
        pseudo = {name: value for name, value in headers if name.startswith(b":")}
        plain = [header for header in headers if not header[0].startswith(b":")]
        if b":authority" in pseudo and not any(name == b"host" for name, _ in plain):
            plain.insert(0, (b"host", pseudo[b":authority"]))
        raw_path, _, query = pseudo.get(b":path", b"/").partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "http_version": "2",
            "scheme": "http",
            "method": pseudo[b":method"].decode("latin-1"),
            "root_path": self._config.root_path,
            "path": self._config.root_path + unquote(raw_path.decode("latin-1")),
            "raw_path": self._config.root_path.encode() + raw_path,
            "query_string": query,
            "headers": plain,
            "state": self._app_state.copy(),
            **self._addresses,
        }

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and not self._transport.is_closing():
            self._transport.write(data)

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _rest(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.shutdown)

    def _close_if_done(self) -> None:
        if self._ending and not self._streams and not self._transport.is_closing():
            self._h2.close_connection()
            self._flush()
            self._transport.close()

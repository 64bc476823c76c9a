"""HTTP/2 connection: many requests at a time, each with its own flow control."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

import uvicorn
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from starlette.types import ASGIApp
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from loopyard.connections.fair_turns import PARTING, REQUEST, Client, client_of
from loopyard.connections.limits import ConnectionLimits, put_into
from loopyard.connections.pieces import Pieces
from loopyard.http2.frames import FrameCutter, HeadTooLong
from loopyard.http2.goodbye import LenientStateMachine
from loopyard.http2.plain import without_huffman
from loopyard.http2.request import Malformed, scope_of
from loopyard.http2.stream import Header, Stream
from loopyard.http2.token_bucket import TokenBucket

log = logging.getLogger("loopyard.http2")

MOST_STREAMS = 500
"""How many requests a client may have under way on one connection."""

STREAM_BYTES = 1 << 20
CONNECTION_BYTES = 16 << 20
"""How many bytes of one request's body, and of all, may have come and not been taken."""

IDLE_SECONDS = 300
"""How long a connection without a request is kept."""

RESETS = 1000
RESETS_PER_SECOND = 33.0
"""How many requests a client may take back, at once and for long: more is an attack (CVE-2023-44487)."""

CALLS = 1000
CALLS_PER_SECOND = 100.0
"""How many pings and changes of settings a client may send: each has to be answered (CVE-2019-9512, CVE-2019-9515)."""

UNSENT_BYTES = 2 << 20
"""How much may wait for a client that asks for more and more without reading, beyond what flow control holds back."""

_LINGER_SECONDS = 60
"""How long a client is given to read the rest once the connection is closed on this side."""
_BLOCKED_FOR_ONE = 2
"""How many answers that wait for room are looked at in one unit of fair turns."""

_HEADER_BYTES = 1 << 15
_FLUSH_BYTES = 1 << 18
_SETTINGS: dict[SettingCodes, int] = {
    SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
    SettingCodes.INITIAL_WINDOW_SIZE: STREAM_BYTES,
    SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_BYTES,
}


class Connection(asyncio.Protocol):
    """Protocol object that uvicorn's server expects of a connection, over `h2`."""

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], limits: ConnectionLimits
    ) -> None:
        self._config = config
        self._app = cast("ASGIApp", config.loaded_app)  # pyright: ignore[reportUnknownMemberType]
        self._server_state = server_state
        self._app_state = app_state
        self._h2 = without_huffman(H2Connection(H2Configuration(client_side=False, header_encoding=None)))
        self._h2.state_machine = LenientStateMachine()
        self._streams: dict[int, Stream] = {}
        self._writable = True
        self._moved = asyncio.Event()
        """Set, and made anew, when those who want to send may find room."""
        self._timer: asyncio.TimerHandle | None = None
        """Ends a connection that is idle, or whose client does not take the rest."""
        self._resets = TokenBucket(RESETS, RESETS_PER_SECOND)
        self._calls = TokenBucket(CALLS, CALLS_PER_SECOND)
        self._ending = False
        self._limits = limits
        self._is_known = False
        self._cutter = FrameCutter(_HEADER_BYTES)
        self._newest: Stream | None = None
        self._blocked = 0
        """How many answers wait for room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._pieces = Pieces(self._limits.reading, self, self._transport)
        self._server_state.connections.add(cast("Any", self))
        self._limits.add(self)
        self._addresses = {"server": get_local_addr(self._transport), "client": get_remote_addr(self._transport)}
        self._h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_BYTES - self._h2.inbound_flow_control_window)
        self._flush()
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server_state.connections.discard(cast("Any", self))
        self._limits.forget(self)
        self._stop_timer()
        for stream in self._streams.values():
            self._limits.beginning.do(self.turn_client, PARTING, stream.lose)
        self._limits.beginning.do(self.turn_client, PARTING, self._move)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._move()

    def data_received(self, data: bytes) -> None:
        self._pieces.add(data)

    def turn_client(self) -> Client:
        return client_of(self._addresses["client"], self._newest.scope["headers"] if self._newest else None)

    def may_resume(self) -> bool:
        return True

    def next_piece(self, held: bytes, at: int) -> tuple[int, int]:
        try:
            size, cost = self._cutter.cut(held, at)
        except HeadTooLong:
            log.warning("a client sends a head that is too long")
            self._close(ErrorCodes.ENHANCE_YOUR_CALM)
            return 0, 0
        return size, cost + self._blocked // _BLOCKED_FOR_ONE

    def read_piece(self, piece: bytes) -> None:
        self._read(piece)
        self._flush()
        self._move()  # what came may have been room
        if self._transport.get_write_buffer_size() > UNSENT_BYTES:
            log.warning("a client does not read the answers to what it sends")
            self._transport.abort()

    def _read(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            log.warning("a client broke the rules of HTTP/2: %s", error)
            self._close()
            return
        for event in events:
            self._handle(event)

    def drop(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def let_in(self) -> None:
        """A request on it was let in."""
        if not self._is_known:
            self._is_known = True
            self._limits.forget(self)

    def shutdown(self) -> None:
        """Take no more requests, and close once those under way are answered."""
        self._ending = True
        self._close_if_done()

    def cut(self, mark: str) -> None:
        """End the answers of requests whose scope has this key, as they are."""
        for stream_id, stream in list(self._streams.items()):
            if mark in stream.scope:
                self.reset(stream_id)

    def abort_if_answering(self) -> None:
        """End the connection at once if an answer is under way, or not read: that tells that it is not whole."""
        if self._transport.is_closing() or any(stream.started for stream in self._streams.values()):
            self._transport.abort()

    async def send_head(self, stream_id: int, head: Iterable[Header]) -> None:
        if self._is_open(stream_id):
            self._h2.send_headers(stream_id, [*head, *self._server_state.default_headers])
            self._flush()

    async def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        rest, unsent = memoryview(data), 0
        while self._is_open(stream_id) and len(rest) > 0:
            room = self._room(stream_id) if self._writable else 0
            if room <= 0:  # a client may even take back what it has allowed
                self._flush()
                await self._await_move()
                continue
            piece, rest = rest[:room], rest[room:]
            self._h2.send_data(stream_id, bytes(piece))
            unsent += len(piece)
            if unsent > _FLUSH_BYTES:
                self._flush()
                unsent = 0
                await asyncio.sleep(0)  # a client may allow and take it all at once, and others wait
        if self._is_open(stream_id):
            if end:
                self._h2.end_stream(stream_id)
            self._flush()

    async def send_trailers(self, stream_id: int, fields: Iterable[Header]) -> None:
        if self._is_open(stream_id):
            self._h2.send_headers(stream_id, fields, end_stream=True)
            self._flush()

    def taken(self, stream_id: int, size: int) -> None:
        if size > 0 and not self._transport.is_closing():
            self._h2.acknowledge_received_data(size, stream_id)
            self._flush()

    def reset(self, stream_id: int) -> None:
        if self._is_open(stream_id):
            self._streams[stream_id].lose()
            self._h2.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
            self._flush()

    def _room(self, stream_id: int) -> int:
        return min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)

    def _is_open(self, stream_id: int) -> bool:
        return stream_id in self._streams and not self._streams[stream_id].is_gone and not self._transport.is_closing()

    def _handle(self, event: Event) -> None:
        if self._transport.is_closing():
            return
        if isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, ConnectionTerminated):
            self._take_leave(event)
        elif isinstance(event, PingReceived | RemoteSettingsChanged):
            self._limit(self._calls, "sends too many pings or settings")
        elif isinstance(event, DataReceived | StreamEnded | StreamReset):
            stream = self._streams.get(event.stream_id or 0)
            if isinstance(event, DataReceived):
                size = event.flow_controlled_length or 0
                if stream is None:  # answered already, as a refused upload is; clients want to send it all the same
                    self.taken(event.stream_id or 0, size)
                else:
                    stream.feed(event.data or b"", size)
            elif stream is not None:
                if isinstance(event, StreamEnded):
                    stream.end_body()
                else:
                    stream.lose()
                    self._limit(self._resets, "takes back too many requests")

    def _begin(self, event: RequestReceived) -> None:
        self._stop_timer()
        stream_id = event.stream_id or 0
        if self._ending or len(self._streams) >= MOST_STREAMS:  # those taken back may still be worked on
            self._refuse(stream_id, ErrorCodes.REFUSED_STREAM)  # it may be sent again
            return
        try:
            scope = scope_of(event.headers or [], has_body=event.stream_ended is None, root_path=self._config.root_path)
        except Malformed:
            self._refuse(stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        scope["asgi"] = {"version": self._config.asgi_version, "spec_version": "2.3"}
        scope["state"] = self._app_state.copy()
        scope.update(self._addresses)
        put_into(scope, self)
        stream = Stream(self, stream_id, scope)
        self._streams[stream_id] = self._newest = stream
        self._limits.beginning.do(self.turn_client, REQUEST, lambda: self._start(stream_id, stream))

    def _start(self, stream_id: int, stream: Stream) -> None:
        task = asyncio.get_running_loop().create_task(self._run(stream_id, stream))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _refuse(self, stream_id: int, code: ErrorCodes) -> None:
        with suppress(StreamClosedError):  # taken back already
            self._h2.reset_stream(stream_id, code)
        self._limit(self._resets, "takes back too many requests")
        if not self._streams:
            self._rest()

    def _limit(self, bucket: TokenBucket, habit: str) -> None:
        if not bucket.spend():
            log.warning("a client %s", habit)
            self._close(ErrorCodes.ENHANCE_YOUR_CALM)

    def _take_leave(self, event: ConnectionTerminated) -> None:
        """The client says goodbye."""
        if event.error_code == ErrorCodes.NO_ERROR:
            self.shutdown()
        else:
            self._close()

    async def _run(self, stream_id: int, stream: Stream) -> None:
        try:
            await stream.run(self._app)
        finally:
            del self._streams[stream_id]
            self._server_state.total_requests += 1
            self._close_if_done()
            if not self._streams:
                self._rest()

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and not self._transport.is_closing():
            self._transport.write(data)

    async def _await_move(self) -> None:
        self._blocked += 1
        try:
            await self._moved.wait()
        finally:
            self._blocked -= 1

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _rest(self) -> None:
        if not self._transport.is_closing():
            seconds = IDLE_SECONDS if self._is_known else self._limits.settings.head_seconds
            self._start_timer(seconds, self.shutdown)

    def _close_if_done(self) -> None:
        if self._ending and not self._streams:
            self._close()

    def _close(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Close once the client has read what was sent; requests under way are lost."""
        if self._transport.is_closing():
            return
        if self._h2.state_machine.state is not ConnectionState.CLOSED:  # then `h2` has said why
            self._h2.close_connection(code)
        self._flush()
        self._transport.close()
        self._start_timer(_LINGER_SECONDS, self._transport.abort)
        self._move()

    def _start_timer(self, seconds: float, do: Callable[[], object]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, do)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""A connection to an upstream by HTTP/2, with one stream at a time: upstreams see the load as with HTTP/1.1."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings

from loopyard.http2.plain import without_huffman
from loopyard.upstream_proxy.hop import Field
from loopyard.upstream_proxy.wire.errors import UpstreamFault
from loopyard.upstream_proxy.wire.message import CHUNK_BYTES, HEAD_BYTES, AnswerHead, RequestHead

_WINDOW_BYTES = 1 << 20
"""How much of an answer may have come and not been taken."""
_FRAME_BYTES = 1 << 17
_UNSENT_BYTES = 4 << 20
"""How much may wait for an upstream that does not read, beyond what flow control holds back."""


class Http2Connection:
    """See `UpstreamConnection`. A task of its own reads, so that windows open while nobody takes the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer_seconds: float) -> None:
        self._reader = reader
        self._writer = writer
        self._answer_seconds = answer_seconds
        config = H2Configuration(client_side=True, header_encoding="latin-1", validate_outbound_headers=False)
        self._http = without_huffman(H2Connection(config))
        self._http.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
                SettingCodes.MAX_FRAME_SIZE: _FRAME_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES,
            },
        )
        self._http.max_inbound_frame_size = _FRAME_BYTES
        self._http.initiate_connection()
        self._http.increment_flow_control_window(_WINDOW_BYTES)
        self.reused = False
        self._stream = 0
        self._closed = False
        self._reset()
        self._flush()
        self._reading = asyncio.create_task(self._read())

    def _reset(self) -> None:
        self._head: AnswerHead | None = None
        self._taken: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._sent_all = False
        self._fault: str | None = None
        self.trailers: list[Field] = []
        self._moved = asyncio.Event()

    async def send_head(self, head: RequestHead) -> None:
        fields = [
            (":method", head.method),
            (":scheme", "https"),
            (":authority", head.authority),
            (":path", head.target),
            *((name.lower(), value) for name, value in head.fields),
        ]
        self._stream = self._http.get_next_available_stream_id()
        self._sent_all = not head.has_body
        try:
            self._http.send_headers(self._stream, fields, end_stream=not head.has_body)
        except ProtocolError as error:
            raise UpstreamFault(f"The upstream takes no request on this connection: {error}.") from error
        await self._flush_all()

    async def send(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            room = await self._room()
            piece = left[:room]
            try:
                self._http.send_data(self._stream, piece.tobytes())
            except (StreamClosedError, ProtocolError) as error:
                raise ConnectionResetError(str(error)) from error
            left = left[len(piece) :]
            await self._flush_all()

    async def _room(self) -> int:
        while True:
            if self._fault is not None or self._closed:
                raise ConnectionResetError(self._fault or "closed")
            self._moved.clear()
            try:
                room = self._http.local_flow_control_window(self._stream)
            except (StreamClosedError, ProtocolError) as error:
                raise ConnectionResetError(str(error)) from error
            if room > 0:
                return min(room, self._http.max_outbound_frame_size)
            await self._moved.wait()

    async def send_end(self, trailers: list[Field]) -> None:
        if self._sent_all:
            return
        try:
            if trailers:
                fields = [(name.lower(), value) for name, value in trailers]
                self._http.send_headers(self._stream, fields, end_stream=True)
            else:
                self._http.end_stream(self._stream)
        except (StreamClosedError, ProtocolError) as error:
            raise ConnectionResetError(str(error)) from error
        self._sent_all = True
        await self._flush_all()

    async def answer(self) -> AnswerHead:
        while self._head is None:
            await self._move()
        return self._head

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            while self._taken:
                chunk, counted = self._taken.popleft()
                self._acknowledge(counted)
                if chunk:
                    yield chunk
            if self._ended:
                return
            await self._move()

    def _acknowledge(self, counted: int) -> None:
        with contextlib.suppress(ProtocolError):
            self._http.acknowledge_received_data(counted, self._stream)
        self._flush()

    async def _move(self) -> None:
        """Wait for something to happen to the stream."""
        if self._fault is not None:
            raise UpstreamFault(self._fault)
        self._moved.clear()
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._moved.wait()
        except TimeoutError as error:
            raise UpstreamFault(f"The upstream said nothing for {self._answer_seconds:g} s.", timed_out=True) from error

    async def _read(self) -> None:
        fault = "The upstream hung up before its answer was whole."
        try:
            while data := await self._reader.read(CHUNK_BYTES):
                for event in self._http.receive_data(data):
                    self._see(event)
                # Nothing waits here until the upstream reads: it may be waiting until this does.
                self._flush()
                if self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES:
                    fault = "The upstream asks for more answers than it reads."
                    break
                self._moved.set()
        except ProtocolError as error:
            fault = f"The upstream does not speak HTTP/2: {error}."
        except OSError as error:
            fault = f"The upstream hung up: {error.strerror or error}."
        finally:
            self._closed = True
            if not self._ended:
                self._fault = self._fault or fault
            self._moved.set()

    def _see(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self._closed = True  # no further exchange; the stream under way may go on
            if event.last_stream_id is not None and event.last_stream_id < self._stream:
                self._fault = "The upstream is closing this connection; try again."
            return
        if getattr(event, "stream_id", None) != self._stream:
            if isinstance(event, DataReceived):
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
            return
        if isinstance(event, ResponseReceived):
            headers = [(str(name), str(value)) for name, value in event.headers or ()]
            status = int(next(value for name, value in headers if name == ":status"))
            fields = [field for field in headers if not field[0].startswith(":")]
            self._head = AnswerHead(status, "", fields)
        elif isinstance(event, DataReceived):
            self._taken.append((bytes(event.data or b""), event.flow_controlled_length or 0))
        elif isinstance(event, TrailersReceived):
            self.trailers = [(str(name), str(value)) for name, value in event.headers or ()]
        elif isinstance(event, StreamEnded):
            self._ended = True
        elif isinstance(event, StreamReset) and not self._ended:
            # After a whole answer it only says that the rest of the request is not wanted.
            self._fault = f"The upstream ended the exchange with the HTTP/2 error {event.error_code}."

    def _flush(self) -> None:
        if data := self._http.data_to_send():
            self._writer.write(data)

    async def _flush_all(self) -> None:
        self._flush()
        await self._writer.drain()

    @property
    def reusable(self) -> bool:
        return self._ended and self._sent_all and not self._closed and not self._taken

    def begin(self) -> bool:
        if not self.reusable or self._reading.done():
            return False
        self._reset()
        self.reused = True
        return True

    def close(self) -> None:
        self._closed = True
        self._reading.cancel()
        self._writer.transport.abort()

"""An upstream that speaks HTTP/2 over TLS, and nothing else: it mirrors bodies, and tells heads."""

import asyncio
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, WindowUpdated


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._left: dict[int, bytearray] = {}
        self._ended: set[int] = set()

    async def serve(self) -> None:
        self._http.initiate_connection()
        self._writer.write(self._http.data_to_send())
        while data := await self._reader.read(65536):
            for event in self._http.receive_data(data):
                if isinstance(event, RequestReceived) and event.stream_id and event.headers:
                    told = json.dumps([list(map(str, header)) for header in event.headers])
                    fields = [(":status", "200"), ("x-told", told), ("content-type", "text/plain")]
                    self._http.send_headers(event.stream_id, fields)
                    self._left[event.stream_id] = bytearray()
                elif isinstance(event, DataReceived) and event.stream_id:
                    self._left[event.stream_id] += event.data or b""
                    self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                elif isinstance(event, StreamEnded) and event.stream_id:
                    self._ended.add(event.stream_id)
                elif isinstance(event, WindowUpdated):
                    pass
            for stream in list(self._left):
                self._send(stream)
            self._writer.write(self._http.data_to_send())
            await self._writer.drain()

    def _send(self, stream: int) -> None:
        left = self._left[stream]
        while left and (room := self._http.local_flow_control_window(stream)) > 0:
            piece = bytes(left[: min(room, self._http.max_outbound_frame_size)])
            self._http.send_data(stream, piece)
            del left[: len(piece)]
        if not left and stream in self._ended:
            self._http.end_stream(stream)
            del self._left[stream]


@contextmanager
def serving_http2(certificate: Path) -> Generator[tuple[int, list[int]]]:
    """Its port, and a list that grows with each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    loop = asyncio.new_event_loop()
    connections: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            await _Connection(reader, writer).serve()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Takes the sandboxes' questions for names, by UDP and TCP, and sends the answers."""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import Coroutine
from typing import Any, cast

from loopyard.runtime.crun.egress.listeners import Listeners
from loopyard.runtime.crun.egress.resolver import DnsResolver

_MOST_AT_ONCE = 64
"""Questions of one sandbox that are being answered at a time. More are dropped; whoever wants to know asks again."""

_MOST_LOOKUPS = 16
_IDLE_SECONDS = 10.0
_LENGTH = struct.Struct("!H")


class NameServer(asyncio.DatagramProtocol):
    """DNS server for all sandboxes of a server."""

    def __init__(self, questions: DnsResolver) -> None:
        self._questions = questions
        self._busy: Counter[str] = Counter()
        self._lookups: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None

    async def open(self, listeners: Listeners) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=listeners.questions)
        self._server = await asyncio.start_server(self._connected, sock=listeners.lookups)

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._busy[addr[0]] < _MOST_AT_ONCE:
            self._keep(self._answer(data, addr))

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        self._busy[addr[0]] += 1
        try:
            answer = await self._questions.answer(data, addr[0], by_udp=True)
        finally:
            self._release(self._busy, addr[0])
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[0]
        try:
            if self._lookups[source] < _MOST_LOOKUPS:
                self._lookups[source] += 1
                try:
                    await self._serve(reader, writer, source)
                finally:
                    self._release(self._lookups, source)
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> None:
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                length = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
                data = await reader.readexactly(length)
            answer = await self._questions.answer(data, source, by_udp=False)
            if answer is None:
                return
            writer.write(_LENGTH.pack(len(answer)) + answer)
            async with asyncio.timeout(_IDLE_SECONDS):
                await writer.drain()

    @staticmethod
    def _release(counter: Counter[str], source: str) -> None:
        counter[source] -= 1
        if counter[source] <= 0:
            del counter[source]

"""Carries the connections that sandboxes open by name, after it has checked for which server they are meant.

The kernel leads only such connections here as go to an address that is open by name. One address may serve many
names, so that the address alone does not say enough: TLS says the server's name in its first message, HTTP in each
request. Where the server speaks first, or the protocol knows no names, the address has to do.
"""

import asyncio
import contextlib
import logging
import resource
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, cast

from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.egress.firewall import OPEN_SECONDS, Firewall
from loopyard.runtime.crun.egress.listeners import Listeners
from loopyard.runtime.crun.egress.preamble import MOST_BYTES, Preamble, Refused, agrees_to_upgrade, recognize
from loopyard.runtime.crun.egress.refusals import Refusals

log = logging.getLogger("loopyard.runtime.network")

MOST_OF_ONE = 256
"""How many connections by name one sandbox may have at a time."""

_CONNECT_SECONDS = 10.0
_OPENING_SECONDS = 60.0
_CHUNK_BYTES = 32 << 10
"""Bytes taken at a time. With what the loop has read ahead, a connection holds less than 1 MiB both ways."""

_SO_ORIGINAL_DST = 80


@dataclass(eq=False, slots=True)
class _Stream:
    source: str
    address: str
    port: int
    task: asyncio.Task[None]
    name: str | None = None


class TcpProxy:
    """TCP proxy for all sandboxes of a server."""

    def __init__(
        self, firewall: Firewall, closed: Blocklist, refusals: Refusals, open_seconds: float = OPEN_SECONDS
    ) -> None:
        self._refusals = refusals
        self._look_seconds = open_seconds / 3
        self._looking: asyncio.Task[None] | None = None
        self._firewall = firewall
        self._closed = closed
        self._open: dict[str, set[_Stream]] = {}
        self._count = 0
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4
        self._server: asyncio.Server | None = None

    async def open(self, listeners: Listeners) -> None:
        self._server = await asyncio.start_server(self._connected, sock=listeners.streams, limit=_CHUNK_BYTES)
        self._firewall.changed = self.check_again
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        tasks = [stream.task for streams in self._open.values() for stream in streams]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Keep open what is in use, for ever."""
        while True:
            await asyncio.sleep(self._look_seconds)
            for source, address in {(one.source, one.address) for streams in self._open.values() for one in streams}:
                self._firewall.used(source, address)

    def check_again(self, source: str) -> None:
        """End what a sandbox's policy no longer allows."""
        held = self._firewall.held(source)
        for stream in tuple(self._open.get(source, ())):
            fine = held is not None and held.restricted
            if fine and stream.name is not None:
                fine = held is not None and held.hostnames.allow(stream.name)
            elif fine:
                fine = held is not None and stream.address in held.learned
            if not fine:
                stream.task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        source = writer.get_extra_info("peername")[0]
        stream = _Stream(source, *_destination(writer.get_extra_info("socket")), task)
        mine = self._open.setdefault(source, set())
        if len(mine) >= MOST_OF_ONE or self._count >= self._most:
            _abort(writer)
            return
        mine.add(stream)
        self._count += 1
        try:
            await self._carry(stream, reader, writer)
            writer.close()
        except Refused as reason:
            log.info("a connection of %s to %s:%s was refused: %s", source, stream.address, stream.port, reason)
            told = f"A connection to {stream.name or stream.address}, port {stream.port}, was refused: {reason}."
            self._refusals.note(source, told)
            _abort(writer)
        except (OSError, EOFError, TimeoutError):
            _abort(writer)
        except asyncio.CancelledError:
            _abort(writer)  # the policy has changed, or the server ends
        finally:
            self._count -= 1
            self._firewall.used(source, stream.address)
            mine.discard(stream)
            if not mine:
                self._open.pop(source, None)

    async def _carry(self, stream: _Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = self._firewall.held(stream.source)
        if held is None or not held.restricted or not self._closed.is_open(IPv4Address(stream.address)):
            raise Refused("the network policy does not allow this address")
        self._firewall.used(stream.source, stream.address)
        async with asyncio.timeout(_CONNECT_SECONDS):
            theirs = await asyncio.open_connection(stream.address, stream.port, limit=_CHUNK_BYTES)
        try:
            await self._relay(stream, (reader, writer), theirs)
            theirs[1].close()
        except BaseException:
            _abort(theirs[1])
            raise

    async def _relay(
        self,
        stream: _Stream,
        ours: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        theirs: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Wait until one side has spoken. If it is the client, look at what it says; then carry both ways."""
        spoken = asyncio.create_task(theirs[0].read(_CHUNK_BYTES))
        first: asyncio.Task[bytes] | None = spoken
        said = bytearray()
        opening = asyncio.create_task(_opening(ours[0], said, stream.port))
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                await asyncio.wait((spoken, opening), return_when=asyncio.FIRST_COMPLETED)
                # On these two ports it is always the client who speaks first, whatever a server may send.
                if not opening.done() and (stream.port in (80, 443) or not spoken.result()):
                    await asyncio.wait((opening,))
            if opening.done():
                begun = opening.result()
                self._check(stream, begun)
                theirs[1].write(begun.data)
                if begun.after_upgrade is not None:
                    if not await _agree(begun.after_upgrade, ours, theirs, spoken):
                        return
                    first = None  # it was the server's agreement
            else:
                await _stop((opening,))
                theirs[1].write(said)
            both = [
                asyncio.create_task(_pump(ours[0], theirs[1])),
                asyncio.create_task(_pump(theirs[0], ours[1], first)),
            ]
            try:
                await asyncio.gather(*both)
            finally:
                await _stop(both)
        finally:
            await _stop((spoken, opening))

    def _check(self, stream: _Stream, opening: Preamble) -> None:
        held = self._firewall.held(stream.source)
        stream.name = opening.name
        if held is None or (opening.name is not None and not held.hostnames.allow(opening.name)):
            raise Refused(f"the network policy does not allow {opening.name}")


async def _opening(reader: asyncio.StreamReader, said: bytearray, port: int) -> Preamble:
    """Read the client's first bytes; those read so far are in `said`."""
    while len(said) < MOST_BYTES:
        more = await reader.read(MOST_BYTES)
        if not more:
            raise EOFError
        said += more
        opening = recognize(bytes(said), port)
        if opening is not None:
            return opening
    raise Refused("it does not come to the point")


async def _agree(
    rest: bytes,
    ours: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    theirs: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    spoken: asyncio.Task[bytes],
) -> bool:
    """Wait for the server's answer to a request for WebSocket, and pass it on. Unless it agrees, the client says no
    more to it, since that might be a request for another host; false when the server has said all."""
    said = await spoken
    async with asyncio.timeout(_OPENING_SECONDS):
        while (agreed := agrees_to_upgrade(said)) is None and (more := await theirs[0].read(_CHUNK_BYTES)):
            said += more
    ours[1].write(said)
    if agreed:
        theirs[1].write(rest)
        return True
    ways = [asyncio.create_task(_pump(theirs[0], ours[1])), asyncio.create_task(_discard(ours[0]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(ways[:1], timeout=_OPENING_SECONDS)  # the client may have said all and listen still
    finally:
        await _stop(ways)
    return False


async def _discard(source: asyncio.StreamReader) -> None:
    while await source.read(_CHUNK_BYTES):
        pass


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, first: asyncio.Task[bytes] | None = None
) -> None:
    """Carry one way until the source ends, and then let the target know."""
    data = await first if first is not None else await source.read(_CHUNK_BYTES)
    while data:
        target.write(data)
        await target.drain()
        data = await source.read(_CHUNK_BYTES)
    with contextlib.suppress(OSError, RuntimeError):
        target.write_eof()


async def _stop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close at once; what was not sent is gone."""
    writer.transport.abort()


def _destination(connection: socket.socket) -> tuple[str, int]:
    """Where a redirected connection was going to: a `sockaddr_in` of family, port and address."""
    port, packed = struct.unpack("!2xH4s8x", connection.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16))
    return socket.inet_ntoa(packed), port

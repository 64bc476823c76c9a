"""Ports of a devbox over SSH: connections from the client to them, and connections to them for the client."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import asyncssh
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED, OPEN_CONNECT_FAILED

from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.models import Devbox
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104
_CHUNK_BYTES = 1 << 16


class _Held(asyncssh.SSHForwarder):
    """End of a forwarded connection that returns its resources when it is closed."""

    def __init__(self, held: ExitStack) -> None:
        super().__init__()
        self._held = held

    def connection_lost(self, exc: Exception | None) -> None:
        self._held.close()
        super().connection_lost(exc)


async def connect(runtime: Runtime, activity: Activity, devbox: Devbox, host: str, port: int) -> asyncssh.SSHForwarder:
    """The far side of a connection that the client asks for.

    Raises:
        asyncssh.ChannelOpenError: It is not to the devbox itself, or nothing listens there.
    """
    if host.lower() not in _LOOPBACK:
        raise asyncssh.ChannelOpenError(
            OPEN_ADMINISTRATIVELY_PROHIBITED, "Only the devbox's own ports are reached: localhost."
        )
    try:
        connection = await runtime.connect(devbox.id, port)
    except RuntimeFault as fault:
        raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, str(fault)) from fault
    held = ExitStack()
    held.enter_context(activity.using(devbox))
    _, peer = await asyncio.get_running_loop().create_connection(lambda: _Held(held), sock=connection)
    return asyncssh.SSHForwarder(peer)


Opener = Callable[[int, str, int], Awaitable[tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]]]
"""Opens a channel to the client for a connection to this port, from this host and port."""


class BoxListener(asyncssh.SSHListener):
    """A port of the devbox whose connections go to the client."""

    def __init__(self, listener: socket.socket, open_channel: Opener) -> None:
        super().__init__()
        self._listener = listener
        self._open_channel = open_channel
        self._passing: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.ensure_future(self._accept())

    @classmethod
    async def open(
        cls, runtime: Runtime, devbox: Devbox, host: str, port: int, open_channel: Opener
    ) -> "BoxListener | None":
        """Listen on a port of the devbox's loopback address, whatever address is asked for; None if that cannot be."""
        if host.lower() not in _LOOPBACK | _ANY:
            return None
        try:
            return cls(await runtime.listen(devbox.id, port), open_channel)
        except RuntimeFault:
            return None

    def get_port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._accepting.cancel()
        self._listener.close()

    async def wait_closed(self) -> None:
        await asyncio.gather(self._accepting, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, address = await loop.sock_accept(self._listener)
            task = asyncio.ensure_future(self._serve(connection, address[0], address[1]))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _serve(self, connection: socket.socket, host: str, port: int) -> None:
        with connection:
            try:
                reader, writer = await self._open_channel(self.get_port(), host, port)
            except (asyncssh.Error, OSError):
                return
            with contextlib.suppress(OSError, asyncssh.Error):
                await asyncio.gather(_from_box(connection, writer), _to_box(reader, connection))
            writer.close()


async def _from_box(connection: socket.socket, writer: asyncssh.SSHWriter[bytes]) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, _CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _to_box(reader: asyncssh.SSHReader[bytes], connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(_CHUNK_BYTES):
        await loop.sock_sendall(connection, data)
    connection.shutdown(socket.SHUT_WR)

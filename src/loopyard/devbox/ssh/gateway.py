"""The SSH server: takes connections, plain or inside TLS, and gives each to a `BoxConnection`.

The first byte tells which: TLS begins with 0x16, SSH with a letter. So the `openssl s_client` of the clients'
documentation works on the same port as plain `ssh -p`.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from loopyard.audit.log import AuditLog
from loopyard.audit.record import Record
from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.ssh import identity
from loopyard.devbox.ssh.config import SshConfig
from loopyard.devbox.ssh.connection import BoxConnection
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.runtime.protocol import Runtime

log = logging.getLogger("loopyard.ssh")

MOST_STRANGERS = 64
"""How many connections may be open at the same time that have not proven a key yet."""

LOGIN_SECONDS = 30
_FIRST_BYTE_SECONDS = 5
_ALIVE_SECONDS = 30
_GOODBYE_SECONDS = 2
_TLS = b"\x16"
_CHUNK_BYTES = 1 << 16
_PLAIN_PORT = 22
_BACKLOG = 128


class SshGateway:
    """`listener` None is a gateway that is switched off."""

    def __init__(
        self,
        listener: socket.socket | None,
        config: SshConfig,
        data_dir: Path,
        database: Database,
        runtime: Runtime,
        activity: Activity,
        authenticator: Authenticator,
        live: LiveConnections,
        audit: AuditLog,
    ) -> None:
        self._listener = listener
        self._config = config
        self._data_dir = data_dir
        self._database = database
        self._runtime = runtime
        self._activity = activity
        self._authenticator = authenticator
        self._live = live
        self._audit = audit
        self._strangers = 0
        self._open: dict[asyncssh.SSHServerConnection, BoxConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, api_host: str) -> str | None:
        """See `Door.url`."""
        if self._listener is None:
            return None
        port = self._listener.getsockname()[1]
        return self._config.url or (api_host if port == _PLAIN_PORT else f"{api_host}:{port}")

    def drop(self, devbox_id: str) -> None:
        """End all connections to a devbox."""
        for connection, server in list(self._open.items()):
            if server.devbox_id == devbox_id:
                connection.close()

    async def run(self) -> None:
        """Take connections, for ever."""
        if self._listener is None:
            return
        logging.getLogger("asyncssh").setLevel(logging.WARNING)  # it would log commands, which may hold secrets
        self._tls = identity.tls(self._data_dir, self._config.certificate)
        self._options = asyncssh.SSHServerConnectionOptions(
            server_host_keys=[identity.host_key(self._data_dir)],
            server_version="Loopyard",
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=_ALIVE_SECONDS,
        )
        self._listener.setblocking(False)
        self._listener.listen(_BACKLOG)
        loop = asyncio.get_running_loop()
        try:
            while True:
                connection, _ = await loop.sock_accept(self._listener)
                if self._strangers >= MOST_STRANGERS:
                    connection.close()
                    continue
                self._start(self._serve(connection))
        finally:
            await self._close()

    async def _close(self) -> None:
        for connection in list(self._open):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Serve one client until it leaves."""
        self._strangers += 1
        server = BoxConnection(self._database, self._runtime, self._activity, self._authenticator)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if await _first_byte(connection) == _TLS:
                connection = await self._inside_tls(connection)
            opened = await asyncssh.run_server(
                connection, options=self._options, server_factory=lambda: server, connect_timeout=LOGIN_SECONDS
            )
        except (asyncssh.Error, OSError, TimeoutError, ssl.SSLError) as error:
            log.debug("an SSH client did not get in: %s", error)
            connection.close()
            return
        finally:
            self._strangers -= 1
        self._open[opened] = server
        self._note(opened, server)
        try:
            with self._live.holding(server.made_by, lambda: _end(opened)):
                await opened.wait_closed()
        finally:
            del self._open[opened]

    def _note(self, connection: asyncssh.SSHServerConnection, server: BoxConnection) -> None:
        peer: Any = connection.get_extra_info("peername")
        source = str(peer[0]) if peer else "inside TLS"
        path = f"/v1/devboxes/{server.devbox_id}"
        record = Record("SSH login", now_ms(), source, account=server.account_id, key=server.made_by, path=path)
        self._audit.note(record)

    async def _inside_tls(self, connection: socket.socket) -> socket.socket:
        """Take TLS off a connection; what is inside comes from the socket that is returned."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self._start(_pass(reader, writer, ours))
        return theirs


def _end(connection: asyncssh.SSHServerConnection) -> None:
    """Say goodbye, and hang up whether the client takes notice or not."""
    connection.close()
    asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, connection.abort)


async def _first_byte(connection: socket.socket) -> bytes:
    """First bytes of the client, left in place; empty if it waits for the server to begin."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        async with asyncio.timeout(_FIRST_BYTE_SECONDS):
            await ready.wait()
    except TimeoutError:
        return b""
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inside: socket.socket) -> None:
    """Pass bytes between a TLS connection and the plain one inside it, until either ends."""
    loop = asyncio.get_running_loop()

    async def inwards() -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await loop.sock_sendall(inside, data)

    async def outwards() -> None:
        while data := await loop.sock_recv(inside, _CHUNK_BYTES):
            writer.write(data)
            await writer.drain()

    ways = [asyncio.ensure_future(inwards()), asyncio.ensure_future(outwards())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(OSError):
            inside.close()
            writer.transport.abort()

"""Serves devboxes in the proxy's process: takes their connections, and hands each request to whom its token is for."""

import asyncio
import logging
import resource
import socket
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import cast

from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.tokens import PREFIXES, Kind
from loopyard.upstream_proxy.wire.caller import CallerConnection, Handler, Request
from loopyard.upstream_proxy.wire.message import BUFFER_BYTES

log = logging.getLogger("loopyard.gateway")

MOST_OF_ONE = 512
"""How many connections one devbox may have at a time."""

NO_TOKEN = (
    "This call has no token of this devbox. Send the value of the variable that the gateway was configured under "  # noqa: S105
    "(it begins with gws_, or mcp_ for the MCP hub) as the API key."
)


class Active:
    """Calls under way for each devbox, so that they can be ended with it."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, Kind], set[asyncio.Task[object]]] = {}

    @contextmanager
    def during(self, devbox_id: str, kind: Kind) -> Generator[None]:
        """While the current task works for a devbox."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        tasks = self._tasks.setdefault((devbox_id, kind), set())
        tasks.add(task)
        try:
            yield
        finally:
            tasks.discard(task)
            if not tasks:
                self._tasks.pop((devbox_id, kind), None)

    def drop(self, devbox_id: str, kind: Kind) -> None:
        """End all of it at once."""
        for task in tuple(self._tasks.get((devbox_id, kind), ())):
            task.cancel()


class ProxyServer:
    """Takes connections on a listening socket. `handlers` are given the requests with a token of their kind."""

    def __init__(self, listener: socket.socket, handlers: Mapping[Kind, Handler]) -> None:
        self._listener = listener
        self._handlers = handlers
        self._open: Counter[str] = Counter()
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3

    async def start(self) -> asyncio.Server:
        self._listener.setblocking(False)
        return await asyncio.start_server(self._connected, sock=self._listener, limit=BUFFER_BYTES)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = CallerConnection(reader, writer)
        if self._open[connection.source] >= MOST_OF_ONE or self._open.total() >= self._most:
            writer.transport.abort()
            return
        self._open[connection.source] += 1
        try:
            await connection.serve(self._handle)
        except asyncio.CancelledError:
            writer.transport.abort()  # its devbox has ended
        except Exception:
            log.exception("a request of %s to the gateway failed", connection.source)
            writer.transport.abort()
        finally:
            self._open[connection.source] -= 1
            if not self._open[connection.source]:
                del self._open[connection.source]

    async def _handle(self, request: Request) -> None:
        if request.method == "CONNECT" or not request.target.startswith("/"):
            await request.refuse(400, "invalid_request", "The gateway takes requests with a path only.")
            return
        token = tokens.find(request.lower)
        if token is None:
            await request.refuse(401, "unauthorized", NO_TOKEN)
            return
        kind: Kind = "mcp" if token.startswith(PREFIXES["mcp"]) else "gateway"
        await self._handlers[kind](request)

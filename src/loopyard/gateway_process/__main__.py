"""Carries what devboxes send upstream, beside the server: `python -m loopyard.gateway_process CHANNEL LISTENER`.

Both are descriptors of sockets: the channel to the server, and the one that devboxes connect to. It ends when the
channel does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from loopyard.gateway.proxy import GatewayProxy
from loopyard.model_usage.observer import ModelObservation
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.channel import LINE_BYTES, Channel, Message
from loopyard.upstream_proxy.config import GatewaySettings
from loopyard.upstream_proxy.serving import Active, ProxyServer
from loopyard.upstream_proxy.tokens import Kind
from loopyard.upstream_proxy.wire.caller import Handler, Request
from loopyard.upstream_proxy.wire.pool import Pool

if TYPE_CHECKING:
    from loopyard.mcp_hub.proxy import McpProxy

_NICENESS = 5
"""Devboxes can give this as much to do as a processor can: the server goes first."""


class Carrier:
    """The process's parts, put together when the server says with which settings."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: socket.socket) -> None:
        self.channel = Channel(reader, writer, self.answer)
        self._listener = listener
        self._active = Active()
        self._pool: Pool | None = None
        self._mcp: McpProxy | None = None
        self._serving: asyncio.Server | None = None

    async def answer(self, message: Message) -> Message:
        """Handle a message of the server: its first one, or the news that a devbox may no longer make some kinds of
        calls."""
        if "drop" in message:
            kinds: list[Kind] = message["kinds"]
            for kind in kinds:
                self._active.drop(message["drop"], kind)
            if "mcp" in kinds and self._mcp is not None:
                await self._mcp.drop(message["drop"])
            return {}
        logging.getLogger().setLevel(message["log_level"])
        settings = GatewaySettings.model_validate(message["settings"])
        self._pool = pool = Pool(
            Addresses(settings.allowed_networks),
            ca_bundle=settings.ca_bundle,
            connect_seconds=settings.connect_seconds,
            answer_seconds=settings.answer_seconds,
        )
        folder = Path(message["folder"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        observation = ModelObservation(folder, settings.priced_as)
        gateway = GatewayProxy(self.channel, pool, self._active, observation)
        handlers: dict[Kind, Handler] = {"gateway": gateway.handle, "mcp": self._handle_mcp}
        self._serving = await ProxyServer(self._listener, handlers).start()
        return {}

    async def _handle_mcp(self, request: Request) -> None:
        """The MCP hub is loaded when it is first needed: that takes a second, and some 40 MiB."""
        if self._mcp is None:
            proxy = await asyncio.to_thread(_load_mcp)
            assert self._pool is not None  # noqa: S101
            self._mcp = self._mcp or proxy(self.channel, self._pool, self._active)
        await self._mcp.handle(request)


def _load_mcp() -> "type[McpProxy]":
    from loopyard.mcp_hub.proxy import McpProxy

    return McpProxy


async def _serve(channel: int, listener: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=channel), limit=LINE_BYTES)
    await Carrier(reader, writer, socket.socket(fileno=listener)).channel.run()
    os._exit(0)  # the server is gone, and with it whoever could decide about calls


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("httpx2", "mcp"):
        logging.getLogger(library).setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()

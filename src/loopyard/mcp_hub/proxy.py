"""Takes requests of devboxes for the MCP hub, in the proxy's process."""

import asyncio
import time

from loopyard.mcp_hub.hub import BODY_BYTES, Hub
from loopyard.mcp_hub.servers import McpServer
from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.channel import Channel, ChannelClosed
from loopyard.upstream_proxy.grants import MCP_PATH
from loopyard.upstream_proxy.serving import Active
from loopyard.upstream_proxy.wire.caller import Request
from loopyard.upstream_proxy.wire.pool import Pool

_IDLE_SECONDS = 3600.0


class McpProxy:
    """Has a hub for each token that is used."""

    def __init__(self, channel: Channel, pool: Pool, active: Active) -> None:
        self._channel = channel
        self._pool = pool
        self._active = active
        self._hubs: dict[tuple[str, str], Hub] = {}

    async def handle(self, request: Request) -> None:
        """Answer one request of a devbox."""
        token = tokens.find(request.lower) or ""
        try:
            answer = await self._channel.ask({"mcp": {"token": token, "source": request.source}})
        except ChannelClosed:
            await request.refuse(503, "unavailable", "The server is ending; try again.")
            return
        if (refused := answer.get("refused")) is not None:
            await request.refuse(refused["status"], refused["code"], refused["message"])
        elif "fault" in answer:
            await request.refuse(503, "unavailable", "The server could not decide about this call; try again.")
        elif request.target.partition("?")[0] != MCP_PATH:
            await request.refuse(404, "not_found", f"The MCP hub is at {MCP_PATH}.")
        else:
            devbox_id: str = answer["devbox_id"]
            with self._active.during(devbox_id, "mcp"):
                body = await _body(request)
                if body is None:
                    await request.refuse(413, "too_large", f"A request may have {BODY_BYTES} bytes at most.")
                    return
                hub = await self._hub(devbox_id, tokens.digest(token), answer["account_id"])
                await hub.handle(request, body, [McpServer.told(one) for one in answer["servers"]])

    async def drop(self, devbox_id: str) -> None:
        """End the hubs of a devbox that has ended, or whose policy does not allow it any more."""
        gone = [key for key in self._hubs if key[0] == devbox_id]
        await asyncio.gather(*(self._hubs.pop(key).close() for key in gone))

    async def _hub(self, devbox_id: str, digest: str, account_id: str) -> Hub:
        idle = time.monotonic() - _IDLE_SECONDS
        for key in [key for key, hub in self._hubs.items() if hub.used_at < idle]:
            await self._hubs.pop(key).close()
        key = devbox_id, digest
        if (hub := self._hubs.get(key)) is None:
            hub = self._hubs[key] = Hub(self._pool, account_id)
        return hub


async def _body(request: Request) -> bytes | None:
    """The whole body; None if it is too long."""
    body = bytearray()
    async for chunk in request.body():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)

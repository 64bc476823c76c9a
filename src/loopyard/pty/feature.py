"""The feature of terminals."""

from typing import Protocol

from starlette.routing import WebSocketRoute

from loopyard.auth.authenticator import Authenticator
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.service import DevboxService
from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.feature import Feature, Routes, Server, Traffic
from loopyard.pty import attach
from loopyard.pty.config import PtyConfig
from loopyard.pty.endpoints import router
from loopyard.pty.sessions import PtySessions
from loopyard.pty.tunnels import PtyTunnels


class PtySettings(Protocol):
    """Settings that this feature reads."""

    pty: PtyConfig
    tunnel: TunnelConfig


def build(server: Server, settings: PtySettings) -> Feature:
    """Build the sessions of terminals, which end with their devbox, and their WebSocket."""
    config = server.offer(PtyConfig, settings.pty)
    sessions = server.offer(PtySessions, PtySessions(server.runtime, config))
    tunnels = PtyTunnels(
        server.database, server.get(DevboxService), server.get(Authenticator), config, settings.tunnel.domain
    )
    server.offer(PtyTunnels, tunnels)
    server.get(Endings).add_listener(sessions.end_with)

    async def close() -> None:
        sessions.close()

    return Feature(
        routers=[Routes(router, Traffic.NORMAL)],
        routes=[WebSocketRoute(attach.PATH, attach.Attach(server.parts).serve)],
        flushes=[close],
    )

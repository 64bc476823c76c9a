"""The feature of tunnels: HTTP into devboxes by host name."""

from typing import Protocol

from starlette.middleware import Middleware

from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.auto_resume import AutoResume
from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.devbox.tunnel.endpoints import router
from loopyard.devbox.tunnel.exchanges import TunnelExchanges
from loopyard.devbox.tunnel.gate import Gate
from loopyard.devbox.tunnel.proxy import TunnelProxy
from loopyard.devbox.tunnel.service import TunnelService
from loopyard.feature import Feature, Routes, Server, Traffic


class TunnelSettings(Protocol):
    """Settings that this feature reads."""

    tunnel: TunnelConfig


def build(server: Server, settings: TunnelSettings) -> Feature:
    """Build the proxy, a middleware that answers requests to the hosts of tunnels."""
    authenticator = server.get(Authenticator)
    exchanges = TunnelExchanges()
    server.offer(TunnelService, TunnelService(exchanges.drop, authenticator.is_good))
    proxy = Middleware(
        TunnelProxy,
        gate=Gate(
            server.database,
            server.runtime,
            server.changes,
            server.get(AutoResume).wake,
            settings.tunnel,
            authenticator,
        ),
        activity=server.get(Activity),
        exchanges=exchanges,
        live=server.get(LiveConnections),
        config=settings.tunnel,
    )
    return Feature(routers=[Routes(router, Traffic.NORMAL)], middleware=[proxy])

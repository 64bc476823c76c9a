"""The wire's words for terminals."""

from typing import Literal

from pydantic import Field

from loopyard.kit.http.wire import Params, Text, View

SessionStatus = Literal["running", "closed"]


class PtyTunnelView(View):
    auth_token: str = Field(description="To be sent as 'X-Runloop-Tunnel-Authorization: Bearer <auth_token>'.")
    tunnel_key: str = Field(
        description="The host `{port}-{tunnel_key}.tunnel.{domain}`, with any port, leads here too."
    )


class PtyConnectView(View):
    attached: bool = Field(description="Whether somebody is attached to the session now.")
    created: bool = Field(description="Whether this call made the session.")
    cols: int | None = None
    connect_url: str | None = Field(default=None, description="The WebSocket of the session, relative to the server.")
    idle_ttl_seconds: int | None = None
    protocol_version: str | None = None
    rows: int | None = None
    session_name: str | None = None
    status: SessionStatus | None = None


class PtyControlParams(Params):
    action: Literal["resize", "signal", "close"] | None = None
    cols: int | None = None
    rows: int | None = None
    signal: Text | None = None


class PtyControlResultView(View):
    session_name: str | None = None
    status: SessionStatus | None = None

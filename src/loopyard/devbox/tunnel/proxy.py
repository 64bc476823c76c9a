"""Stands before the API: requests to a tunnel's name go into its devbox, all others to the API.

It is an ASGI application and not a part of the API's, whose rules for paths, bodies and errors do not hold for what
runs in devboxes.
"""

import json
import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from loopyard.auth.live import LiveConnections
from loopyard.connections.limits import let_in
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.models import Devbox
from loopyard.devbox.schemas import TunnelView
from loopyard.devbox.tunnel import address, headers, websocket
from loopyard.devbox.tunnel.address import Address
from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.devbox.tunnel.exchanges import TunnelExchanges
from loopyard.devbox.tunnel.gate import AUTHORIZATION, Gate
from loopyard.devbox.tunnel.http import Exchange
from loopyard.devbox.tunnel.http2 import Http2Exchange, is_grpc
from loopyard.kit.errors import LoopyardError, NotFound

log = logging.getLogger("loopyard.tunnel")


class TunnelProxy:
    def __init__(
        self,
        app: ASGIApp,
        gate: Gate,
        activity: Activity,
        exchanges: TunnelExchanges,
        live: LiveConnections,
        config: TunnelConfig,
    ) -> None:
        self._api = app
        self._gate = gate
        self._activity = activity
        self._exchanges = exchanges
        self._live = live
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._address(scope)
        if found is None:
            await self._api(scope, receive, send)
            return
        if found.is_pty:
            if scope["path"].startswith("/pty/"):
                await self._api(scope, receive, send)
            else:
                await _refuse(scope, send, NotFound("This tunnel leads to terminals only, under /pty/."))
            return
        await self._exchanges.run(found.tunnel_key, self._pass(found, scope, receive, send))

    def _address(self, scope: Scope) -> Address | None:
        if scope["type"] not in ("http", "websocket"):
            return None
        host = headers.get(scope["headers"], b"host")
        return None if host is None else address.parse(host.decode("latin-1"), self._config.domain)

    async def _pass(self, found: Address, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange | Http2Exchange | None = None
        try:
            authorization = headers.get(scope["headers"], AUTHORIZATION)
            devbox = await self._gate.admit(found, None if authorization is None else authorization.decode("latin-1"))
            let_in(scope)
            with self._live.holding(devbox.tunnel_made_by, lambda: self._exchanges.drop(found.tunnel_key)):
                connection = await self._gate.connect(devbox, found.port)
                if scope["type"] == "websocket":
                    await websocket.relay(
                        connection,
                        scope,
                        receive,
                        send,
                        answer_seconds=self._config.answer_seconds,
                        used=lambda: self._use(devbox),
                        trust_forwarded=self._config.trust_forwarded,
                    )
                    return
                kind = Http2Exchange if scope["http_version"] == "2" and is_grpc(scope) else Exchange
                exchange = kind(connection, self._config.answer_seconds, trust_forwarded=self._config.trust_forwarded)
                if TunnelView.model_validate(devbox.tunnel).http_keep_alive:
                    with self._activity.using(devbox):
                        await exchange.run(scope, receive, send)
                else:
                    await exchange.run(scope, receive, send)
        except LoopyardError as error:
            if exchange is not None and exchange.started:
                # The caller sees that the answer is cut off, for the connection closes before its end.
                log.info("an answer through tunnel %s was cut off: %s", found.tunnel_key[:8], error.message)
                return
            await _refuse(scope, send, error)

    def _use(self, devbox: Devbox) -> None:
        if TunnelView.model_validate(devbox.tunnel).http_keep_alive:
            self._activity.used(devbox)


async def _refuse(scope: Scope, send: Send, error: LoopyardError) -> None:
    """Answer with an error in the API's one shape."""
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    body = json.dumps(error.body()).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    await send({"type": f"{kind}.start", "status": error.status, "headers": head})
    await send({"type": f"{kind}.body", "body": body})

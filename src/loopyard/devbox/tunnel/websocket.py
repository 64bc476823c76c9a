"""WebSocket connection through a tunnel, message by message."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response
from websockets.typing import Subprotocol

from loopyard.devbox.tunnel import headers
from loopyard.devbox.tunnel.errors import BadGateway, GatewayTimeout
from loopyard.kit.errors import BadRequest

MAX_MESSAGE_BYTES = 16 * 1024**2
"""Limit of one message in either direction: 16 MiB."""

_CLOSE_SECONDS = 5
_NOT_SENT = {1005: 1000, 1006: 1011, 1015: 1011}
"""Close codes that only tell of a connection and are never sent, and what is sent instead."""

_HANDSHAKE = frozenset(
    {
        b"host",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"sec-websocket-accept",
        b"content-length",
        b"date",
    }
)


async def relay(
    connection: socket.socket,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    answer_seconds: float,
    used: Callable[[], None],
    trust_forwarded: bool = False,
) -> None:
    """Open the same WebSocket to the devbox, and pass messages on until either side closes.

    Args:
        connection: A fresh connection to the devbox.
        scope, receive, send: The caller's side, as ASGI has it; it is accepted once the devbox has accepted.
        answer_seconds: How long the service in the devbox may take to accept.
        used: Called with every message.
        trust_forwarded: Whether the caller's word on who called it counts.

    Raises:
        BadRequest: The request cannot be passed on.
        BadGateway: The service does not speak WebSocket.
        GatewayTimeout: The service did not answer in time.
    """
    await receive()  # that the caller wants to connect
    try:
        service = await _open(connection, scope, answer_seconds, trust_forwarded=trust_forwarded)
    except InvalidStatus as refusal:
        await _pass_refusal(refusal.response, send)
        return
    async with service:
        head = [] if service.response is None else _outward_headers(service.response)
        await send({"type": "websocket.accept", "subprotocol": service.subprotocol, "headers": head})
        await _pass(service, receive, send, used)


async def _open(
    connection: socket.socket, scope: Scope, answer_seconds: float, *, trust_forwarded: bool
) -> ClientConnection:
    """Raises InvalidStatus too, if the service refuses in HTTP."""
    host = headers.get(scope["headers"], b"host") or b"localhost"
    given = headers.inwards(scope, _HANDSHAKE, trust_forwarded=trust_forwarded)
    try:
        return await connect(
            f"ws://{host.decode('latin-1')}{headers.target(scope).decode('latin-1')}",
            sock=connection,
            additional_headers=[(key.decode("latin-1"), value.decode("latin-1")) for key, value in given],
            subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
            open_timeout=answer_seconds,
            close_timeout=_CLOSE_SECONDS,
            compression=None,
            user_agent_header=None,
            ping_interval=None,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
        )
    except InvalidStatus:
        raise
    except TimeoutError as error:
        raise GatewayTimeout("The service in the devbox did not answer in time.") from error
    except InvalidURI as error:
        connection.close()
        raise BadRequest(f"The request cannot be passed on: {error}") from error
    except (InvalidHandshake, OSError, EOFError) as error:
        raise BadGateway(f"The service in the devbox does not speak WebSocket: {error}") from error


async def _pass_refusal(response: Response, send: Send) -> None:
    head = _outward_headers(response)
    await send({"type": "websocket.http.response.start", "status": response.status_code, "headers": head})
    await send({"type": "websocket.http.response.body", "body": bytes(response.body or b"")})


def _outward_headers(response: Response) -> headers.Headers:
    given = [(key.lower().encode(), value.encode("latin-1")) for key, value in response.headers.raw_items()]
    return headers.end_to_end(given, _HANDSHAKE)


async def _pass(service: ClientConnection, receive: Receive, send: Send, used: Callable[[], None]) -> None:
    inwards = asyncio.ensure_future(_inwards(service, receive, used))
    outwards = asyncio.ensure_future(_outwards(service, send, used))
    try:
        await asyncio.wait({inwards, outwards}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (inwards, outwards):
            task.cancel()
        await asyncio.gather(inwards, outwards, return_exceptions=True)


async def _inwards(service: ClientConnection, receive: Receive, used: Callable[[], None]) -> None:
    """From the caller to the service, until the caller closes."""
    while (message := await receive())["type"] == "websocket.receive":
        used()
        text = message.get("text")
        try:
            await service.send(text if text is not None else message["bytes"])
        except ConnectionClosed:
            await asyncio.Event().wait()  # `_outwards` tells the caller how it closed
    code = message.get("code") or 1005
    await service.close(_NOT_SENT.get(code, code), message.get("reason") or "")


async def _outwards(service: ClientConnection, send: Send, used: Callable[[], None]) -> None:
    """From the service to the caller, until the service closes."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            message = await service.recv()
            used()
            name = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", name: message})
    code = service.close_code or 1006
    code = _NOT_SENT.get(code, code)
    with contextlib.suppress(OSError, RuntimeError):  # the caller is gone as well
        await send({"type": "websocket.close", "code": code, "reason": service.close_reason or ""})

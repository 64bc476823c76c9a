"""HTTP/2 exchange through a tunnel with a service that speaks HTTP/2 only, such as gRPC's: for callers by HTTP/2."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from loopyard.devbox.tunnel import headers
from loopyard.devbox.tunnel.errors import BadGateway, GatewayTimeout
from loopyard.devbox.tunnel.racing import race
from loopyard.kit.errors import BadRequest
from loopyard.upstream_proxy.wire.errors import UpstreamFault
from loopyard.upstream_proxy.wire.http2 import Http2Connection
from loopyard.upstream_proxy.wire.message import CHUNK_BYTES, RequestHead

_SILENCE_SECONDS = 7 * 86_400
"""How long a stream may say nothing once its answer has begun: as long as the caller waits."""
_STATUS = b"grpc-status"


def is_grpc(scope: Scope) -> bool:
    """True if a request is gRPC, which goes by HTTP/2 only, as far as the service."""
    kind = headers.get(scope["headers"], b"content-type") or b""
    return kind.partition(b";")[0].strip().lower().partition(b"+")[0] == b"application/grpc"


class Http2Exchange:
    """See `Exchange`, for HTTP/2 as far as the service, with the answer's trailers."""

    def __init__(self, connection: socket.socket, answer_seconds: float, *, trust_forwarded: bool = False) -> None:
        self._socket = connection
        self._answer_seconds = answer_seconds
        self._trust_forwarded = trust_forwarded
        self._deadline: asyncio.Timeout | None = None
        self.started = False

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay until the answer is complete or the caller is gone.

        Raises:
            BadRequest: The request has no Host header.
            BadGateway: The service does not speak HTTP/2, or hung up before its answer was complete.
            GatewayTimeout: The service did not begin to answer in time.
        """
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=CHUNK_BYTES)
        http = Http2Connection(reader, writer, _SILENCE_SECONDS)
        try:
            await http.send_head(self._head(scope))
            await race(self._answer(http, send), self._ask(http, receive))
        except UpstreamFault as fault:
            raise BadGateway(f"The service in the devbox does not answer gRPC by HTTP/2: {fault}") from fault
        finally:
            http.close()

    def _head(self, scope: Scope) -> RequestHead:
        given = headers.inwards(scope, frozenset({b"expect", b"host"}), trust_forwarded=self._trust_forwarded)
        host = headers.get(scope["headers"], b"host")
        if host is None:
            raise BadRequest("The request has no Host header.")
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in (*given, (b"te", b"trailers"))]
        target = headers.target(scope).decode("latin-1")
        return RequestHead(scope["method"], target, host.decode("latin-1"), fields, has_body=True)

    async def _ask(self, http: Http2Connection, receive: Receive) -> None:
        """Pass the request's body on, then wait until the caller hangs up."""
        whole = False
        while (message := await receive())["type"] != "http.disconnect":
            if whole:
                continue
            whole = not message.get("more_body", False)
            with contextlib.suppress(OSError):  # a service that has said its last word is heard by `_answer`
                if body := message.get("body", b""):
                    await http.send(body)
                if whole:
                    await http.send_end([])
            if self._deadline is not None and not self.started:
                self._deadline.reschedule(asyncio.get_running_loop().time() + self._answer_seconds)

    async def _answer(self, http: Http2Connection, send: Send) -> None:
        try:
            async with asyncio.timeout(self._answer_seconds) as self._deadline:
                answer = await http.answer()
        except TimeoutError as error:
            raise GatewayTimeout("The service in the devbox did not answer in time.") from error
        head = headers.end_to_end(_encoded(answer.fields), frozenset({b"date"}))
        # A gRPC answer that is all head has its status there, and none after its body.
        early = [field for field in head if field[0].startswith(_STATUS) or field[0] == b"grpc-message"]
        head = [field for field in head if field not in early]
        self.started = True
        await send({"type": "http.response.start", "status": answer.status, "headers": head, "trailers": True})
        async for chunk in http.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        fields = headers.in_trailers(_encoded(http.trailers)) or early
        await send({"type": "http.response.trailers", "headers": fields, "more_trailers": False})


def _encoded(fields: Sequence[tuple[str, str]]) -> headers.Headers:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]

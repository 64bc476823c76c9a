"""Requests of the MCP client, carried by the proxy's own connections and with the credentials put on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from loopyard.upstream_proxy.addresses import AddressRefused
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.hop import Field, answer_fields
from loopyard.upstream_proxy.wire.errors import UpstreamFault
from loopyard.upstream_proxy.wire.message import RequestHead, UpstreamConnection
from loopyard.upstream_proxy.wire.pool import Origin, Pool


@dataclass(frozen=True, slots=True)
class Fault:
    """Fault of an MCP server: the HTTP status that the devbox is answered with, and the reason."""

    status: int
    message: str


class UpstreamTransport(httpx2.AsyncBaseTransport):
    """`credentials` are put on each request in place of what is there. `fault` is what the last one has met."""

    def __init__(self, pool: Pool, account_id: str, endpoint: str) -> None:
        self._pool = pool
        self._account_id = account_id
        self._endpoint = Endpoint.parse(endpoint)
        self.credentials: list[Field] = []
        self.fault: Fault | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        set_names = {name.lower() for name, _ in self.credentials} | {"host", "connection", "transfer-encoding"}
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        kept = [(name, value) for name, value in given if name.lower() not in set_names]
        target = request.url.raw_path.decode("latin-1")
        head = RequestHead(request.method, target, self._endpoint.authority, [*kept, *self.credentials], bool(body))
        try:
            return await self._exchange(request, head, body)
        except AddressRefused as refusal:
            self.fault = Fault(403, f"This MCP server is not called: {refusal}")
            raise httpx2.ConnectError(str(refusal)) from refusal
        except (UpstreamFault, OSError) as fault:
            self.fault = Fault(502, str(fault))
            raise httpx2.ConnectError(str(fault)) from fault

    async def _exchange(self, request: httpx2.Request, head: RequestHead, body: bytes) -> httpx2.Response:
        origin, upstream = await self._pool.take(self._account_id, self._endpoint)
        try:
            await upstream.send_head(head)
            if body:
                await upstream.send(body)
            await upstream.send_end([])
            answer = await upstream.answer()
        except BaseException:
            upstream.close()
            raise
        self.fault = _fault(head.method, answer.status, answer.fields)
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer_fields(answer.fields)]
        stream = _Body(self._pool, origin, upstream)
        return httpx2.Response(answer.status, headers=fields, stream=stream, request=request)


def _fault(method: str, status: int, fields: list[Field]) -> Fault | None:
    if method != "POST":
        return None  # servers need not offer a stream of their own, nor an end of sessions
    if 400 <= status < 500:
        return Fault(status, f"The MCP server answered with {status}.")
    if status >= 500:
        return Fault(502, f"The MCP server answered with {status}.")
    kind = next((value for name, value in fields if name.lower() == "content-type"), "").partition(";")[0].strip()
    if status == 200 and kind.lower() not in ("application/json", "text/event-stream"):
        return Fault(502, f"The MCP server answered with {kind or 'nothing'}, not with JSON.")
    return None


class _Body(httpx2.AsyncByteStream):
    """An answer's body. Its connection is given back when it is closed."""

    def __init__(self, pool: Pool, origin: Origin, upstream: UpstreamConnection) -> None:
        self._pool = pool
        self._origin = origin
        self._upstream = upstream
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._upstream.chunks():
                yield chunk
        except UpstreamFault as fault:
            raise httpx2.ReadError(str(fault)) from fault

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._pool.give_back(self._origin, self._upstream)

"""A check of credentials before an MCP server: what is asked without the right header does not reach it."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

import aiohttp
from aiohttp import web


class Front:
    """`asked` are the headers of all requests, `sessions` those that were begun."""

    def __init__(self, header: str, value: str) -> None:
        self.header, self.value = header, value
        self.port = 0
        self.asked: list[dict[str, str]] = []
        self.answer_with: tuple[int, str, str] | None = None
        """Status, content type and body of all answers, in place of the server's."""
        self.calls_until_forgotten: int | None = None
        """After so many calls of tools, their session is answered as the protocol has it for one that has ended."""
        self._forgotten: set[str] = set()

    def forgets(self, session: str | None, body: bytes) -> bool:
        """True if the server is to have forgotten this session."""
        if session is not None and b'"tools/call"' in body and self.calls_until_forgotten is not None:
            if self.calls_until_forgotten == 0:
                self._forgotten.add(session)
                self.calls_until_forgotten = None
            else:
                self.calls_until_forgotten -= 1
        return session in self._forgotten

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"


@contextmanager
def front(header: str, value: str, server_port: int) -> Generator[Front]:
    """Pass requests with the header on to a server of this host."""
    made = Front(header, value)
    loop = asyncio.new_event_loop()

    async def handle(request: web.Request) -> web.StreamResponse:
        made.asked.append({name.lower(): value for name, value in request.headers.items()})
        if made.answer_with is not None:
            status, kind, body = made.answer_with
            return web.Response(status=status, content_type=kind, text=body)
        if request.headers.get(made.header) != made.value:
            return web.Response(status=401, text="wrong credential")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", made.header)}
        body = await request.read()
        if made.forgets(request.headers.get("mcp-session-id"), body):
            error = '{"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "Session not found"}}'
            return web.Response(status=404, content_type="application/json", text=error)
        url = f"http://127.0.0.1:{server_port}/mcp"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, headers=headers, data=body or None) as theirs,
        ):
            drop = ("transfer-encoding", "content-length", "connection")
            answer = web.StreamResponse(
                status=theirs.status, headers={n: v for n, v in theirs.headers.items() if n.lower() not in drop}
            )
            await answer.prepare(request)
            async for chunk in theirs.content.iter_any():
                await answer.write(chunk)
            return answer

    app = web.Application()
    app.router.add_route("*", "/mcp", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

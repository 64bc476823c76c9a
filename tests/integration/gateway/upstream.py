"""An upstream of the tests' own: it tells what it was asked, and streams, in a thread of this process."""

import asyncio
import hashlib
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web

SECRET = "sk-the-real-key-of-the-upstream"


class Upstream:
    """What a test sees of it."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[dict[str, Any]] = []
        """Every request, as `/echo` tells it."""
        self.may_go_on = threading.Event()
        """The second piece of `/events` waits for it."""
        self.hung_up = threading.Event()
        """Set when the caller of `/endless` is gone."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _told(request: web.Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "target": request.raw_path,
        "headers": [[name, value] for name, value in request.headers.items()],
    }


def _app(upstream: Upstream) -> web.Application:
    async def echo(request: web.Request) -> web.StreamResponse:
        body, length = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            body.update(chunk)
            length += len(chunk)
        told = {**_told(request), "length": length, "sha256": body.hexdigest()}
        upstream.asked.append(told)
        status = int(request.query.get("status", "200"))
        headers = {"x-answer": "yes", "set-cookie": "a=b", "connection": "x-hop", "x-hop": "gone"}
        return web.Response(status=status, body=json.dumps(told).encode(), headers=headers)

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: one\n\n")
        await asyncio.to_thread(upstream.may_go_on.wait, 20)
        await answer.write(b"data: two\n\n")
        return answer

    async def large(request: web.Request) -> web.StreamResponse:
        count = int(request.match_info["mebibytes"])
        answer = web.StreamResponse()
        if "chunked" not in request.query:
            answer.content_length = count << 20
        await answer.prepare(request)
        piece = bytes(1 << 20)
        for _ in range(count):
            await answer.write(piece)
        return answer

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 1000)
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            upstream.hung_up.set()
            raise

    async def mirror(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(chunk)
        return answer

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"location": "http://127.0.0.1:1/stolen"})

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = 1000
        await answer.prepare(request)
        await answer.write(b"only this")
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def socket(request: web.Request) -> web.StreamResponse:
        upstream.asked.append(_told(request))
        answer = web.WebSocketResponse(protocols=("chat",))
        await answer.prepare(request)
        async for message in answer:
            if message.type == WSMsgType.TEXT:
                await answer.send_str(f"heard {message.data}")
            elif message.type == WSMsgType.BINARY:
                await answer.send_bytes(message.data)
        return answer

    app = web.Application(client_max_size=1 << 32)
    for base in ("", "/base"):
        app.router.add_get(f"{base}/socket", socket)
        app.router.add_get(f"{base}/events", events)
        app.router.add_get(f"{base}/large/{{mebibytes}}", large)
        app.router.add_get(f"{base}/endless", endless)
        app.router.add_post(f"{base}/mirror", mirror)
        app.router.add_get(f"{base}/redirect", redirect)
        app.router.add_get(f"{base}/cut", cut)
    app.router.add_route("*", "/{rest:.*}", echo)
    return app


@contextmanager
def serving_upstream(context: ssl.SSLContext | None = None) -> Generator[Upstream]:
    """One on a free port of the loopback address, by TLS if a context is given."""
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_app(upstream), access_log=None, handler_cancellation=True, shutdown_timeout=1)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        upstream.port = runner.addresses[0][1]

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.may_go_on.set()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""Ends requests whose body stands still."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StalledBodyMiddleware:
    """Tells the application that the client is gone once no piece of a body has come for so long."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not _has_body(scope):
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def receive_soon() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout(self._seconds):
                    message = await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, receive_soon, send)


def _has_body(scope: Scope) -> bool:
    """True unless a request of HTTP/1.1 says by its head that it has no body."""
    if scope["http_version"] == "2":
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])

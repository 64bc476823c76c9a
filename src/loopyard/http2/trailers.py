"""Trailers of answers by HTTP/1.1, which uvicorn does not send: the ASGI extension `http.response.trailers`."""

from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

EXTENSION = "http.response.trailers"
"""The name of the extension, and of its message."""


class TrailerApplication:
    """An application whose answer to one request may have trailers. They are left out where it is not chunked."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._expected = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._expected = bool(message.get("trailers"))
            elif message["type"] == EXTENSION:
                self._write(cast("list[tuple[bytes, bytes]]", message["headers"]))
                message = {"type": "http.response.body", "body": b""}
            elif self._expected and not message.get("more_body", False):
                message = {**message, "more_body": True}
            await send(message)

        scope.setdefault("extensions", {})[EXTENSION] = {}  # in place: whoever ends connections looks into the scope
        await self._app(scope, receive, send_on)

    def _write(self, fields: list[tuple[bytes, bytes]]) -> None:
        cycle = self._cycle
        if not fields or not cycle.chunked_encoding or cycle.disconnected:
            return
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        cycle.transport.write(b"0\r\n" + lines + b"\r\n")
        cycle.chunked_encoding = False  # the body's end is written

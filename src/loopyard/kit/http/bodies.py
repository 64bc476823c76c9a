"""Limits on the bodies of requests, held while they come, so that nothing larger is ever in memory."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from loopyard.kit.errors import TooLarge


def limited_route(max_bytes: int) -> type[APIRoute]:
    """A class of routes that answer 413 to bodies of more than `max_bytes`."""

    class LimitedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_limited(request: Request) -> Response:
                length = request.headers.get("content-length", "")
                if length.isdigit() and int(length) > max_bytes:
                    raise _too_large(max_bytes)
                return await handle(Request(request.scope, _limit(request.receive, max_bytes)))

            return handle_limited

    return LimitedRoute


def _limit(receive: Receive, max_bytes: int) -> Receive:
    left = max_bytes

    async def receive_limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(max_bytes)
        return message

    return receive_limited


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The request body has more than {max_bytes} bytes.", field="body")

"""Requests in flight, and how they end when the server shuts down."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loopyard.kit.errors import LoopyardError, Unavailable


class ServerShutdown(Unavailable):
    """The server shuts down before it could answer. Clients retry by themselves, and the next server answers."""

    code = "server_ending"
    retryable = True


class _Request:
    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task = task
        self.waiting = 0
        self.started = False
        self.cut = False
        self.mark: str | None = None
        self.refusal: LoopyardError | None = None

    def end(self) -> None:
        """Stop it, so that it is answered with `ServerShutdown`. One whose answer has begun goes on."""
        if not self.started and not self.cut:
            self.cut = True
            self._task.cancel()

    def revoke(self, error: LoopyardError) -> None:
        """Stop it, so that it is answered with `error`; if its answer has begun, so that it is cut off."""
        if not self.cut:
            self.cut, self.refusal = True, error
            self._task.cancel()


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def waiting() -> Generator[None]:
    """Around whatever waits for something that may take long: a request in here is not waited for when the server ends.
    Outside of requests it means nothing."""
    request = _request.get()
    if request is None:
        yield
        return
    request.waiting += 1
    try:
        yield
    finally:
        request.waiting -= 1


def mark(name: str) -> None:
    """Mark the request under way, for `InFlightRequests.end_marked`. Outside of requests it means nothing."""
    request = _request.get()
    if request is not None:
        request.mark = name


class InFlightRequests:
    """Registry of the requests in flight, which ends them at shutdown."""

    def __init__(self) -> None:
        self._requests: set[_Request] = set()
        self._stream_ends: list[Callable[[float], Awaitable[None]]] = []

    def add_stream_end(self, end: Callable[[float], Awaitable[None]]) -> None:
        """Have `end` called before the connections of streams are closed, with the seconds that it may take."""
        self._stream_ends.append(end)

    def count(self) -> int:
        """How many requests are under way."""
        return len(self._requests)

    async def end_streams(self, timeout: float) -> None:
        """Let streams send their last message; at most `timeout` seconds."""
        await asyncio.gather(*(end(timeout) for end in self._stream_ends))

    def end_waiting(self) -> None:
        """End all requests that only wait."""
        for request in self._requests:
            if request.waiting:
                request.end()

    def end_all(self) -> None:
        """End all requests whose answer has not begun."""
        for request in self._requests:
            request.end()

    def end_marked(self, name: str, error: LoopyardError) -> None:
        """End all requests with this mark, but the one that asks for it."""
        asking = _request.get()
        for request in list(self._requests):
            if request.mark == name and request is not asking:
                request.revoke(error)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer a request, unless the server ends first."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        request = _Request(task)

        async def sending(message: Message) -> None:
            request.started = True
            await send(message)

        self._requests.add(request)
        token = _request.set(request)
        try:
            await app(scope, receive, sending)
        except asyncio.CancelledError:
            if not request.cut:
                raise
            task.uncancel()
            if not request.started:
                await _refuse(send, request.refusal)
        finally:
            _request.reset(token)
            self._requests.discard(request)


class InFlightMiddleware:
    """Middleware that registers each HTTP request."""

    def __init__(self, app: ASGIApp, requests: InFlightRequests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._requests.run(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Send, error: LoopyardError | None) -> None:
    error = error or ServerShutdown("The server ends. Ask again once it has been started anew.")
    body = json.dumps(error.body()).encode()
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if error.retryable is not None:
        head.append((b"x-should-retry", b"true" if error.retryable else b"false"))
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body})

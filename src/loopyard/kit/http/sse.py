"""Server-sent events, written straight into the answer: half a gigabyte a second, where an object for each event would
be a tenth of that."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

PING_SECONDS = 10.0
"""After how long without an event a source should give None, so that those in between keep the connection open."""

MARK = "loopyard.events"
"""In the scope of a request that is answered with events: its answer may never end by itself."""


PING = b": ping\n\n"
"""A comment that keeps the connection open."""


def error_message(status: int, text: str) -> bytes:
    """An error that the official clients raise as an API error of this status. Send it last."""
    return b"event: error\ndata: %b\n\n" % orjson.dumps({"code": status, "message": text})


class MessageStream(StreamingResponse):
    """An answer of messages that are in the wire's form already."""

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncIterator[bytes], status_code: int = 200) -> None:
        super().__init__(messages, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[MARK] = True
        await super().__call__(scope, receive, send)


class EventStream(MessageStream):
    """An answer of events. Each has the JSON of its mapping as data; None is a comment that no client sees."""

    def __init__(self, events: AsyncIterator[Mapping[str, Any] | None], status_code: int = 200) -> None:
        super().__init__(_lines(events), status_code)


async def _lines(events: AsyncIterator[Mapping[str, Any] | None]) -> AsyncIterator[bytes]:
    async for event in events:
        yield PING if event is None else b"data: %b\n\n" % orjson.dumps(event)

"""Trailers by HTTP/1.1."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from loopyard.http2.trailers import EXTENSION, TrailerApplication

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("chunked", "fields", "written"),
    [
        (True, [(b"x-sum", b"42")], [b"0\r\nx-sum: 42\r\n\r\n"]),
        (True, [], []),
        (False, [(b"x-sum", b"42")], []),
    ],
)
async def test_they_end_a_chunked_answer(
    chunked: bool, fields: list[tuple[bytes, bytes]], written: list[bytes]
) -> None:
    sent: list[Any] = []
    bytes_written: list[bytes] = []
    cycle = SimpleNamespace(
        chunked_encoding=chunked, disconnected=False, transport=SimpleNamespace(write=bytes_written.append)
    )
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"abc"})
        await send({"type": EXTENSION, "headers": fields})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    scope: dict[str, Any] = {"type": "http"}
    await TrailerApplication(app, cast("Any", cycle))(scope, receive, send)
    assert seen[0] is scope, "whoever ends connections marks the scope"
    assert EXTENSION in scope["extensions"]
    assert sent[1] == {"type": "http.response.body", "body": b"abc", "more_body": True}
    assert sent[2] == {"type": "http.response.body", "body": b""}
    assert bytes_written == written
    assert cycle.chunked_encoding is (chunked and not written)

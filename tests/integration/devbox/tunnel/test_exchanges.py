"""Exchanges with services that speak HTTP/2 only or send trailers, over a pair of sockets: no devbox is needed."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from loopyard.devbox.tunnel.errors import BadGateway
from loopyard.devbox.tunnel.http import Exchange
from loopyard.devbox.tunnel.http2 import Http2Exchange

pytestmark = pytest.mark.anyio

SECONDS = 30
HEADERS = [(b"host", b"h"), (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"x-mine", b"1")]
EXTENSIONS: dict[str, Any] = {"http.response.trailers": {}}

Service = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = Callable[[H2Connection, Event], None]


def scope(method: str = "POST", **changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "2",
        "scheme": "http",
        "method": method,
        "path": "/a.B/C",
        "raw_path": b"/a.B/C",
        "query_string": b"",
        "headers": HEADERS,
        "extensions": EXTENSIONS,
        **changes,
    }


async def exchanged(kind: type[Exchange | Http2Exchange], service: Service, **changes: Any) -> list[dict[str, Any]]:
    """What the caller is sent, who sends the body `ping` and then waits."""
    mine, its = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=its)
    serving = asyncio.ensure_future(service(reader, writer))
    pieces = [{"type": "http.request", "body": b"ping", "more_body": True}, {"type": "http.request", "body": b""}]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        if pieces:
            return pieces.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        async with asyncio.timeout(SECONDS):
            await kind(mine, SECONDS).run(scope(**changes), receive, send)
    finally:
        serving.cancel()
        writer.close()
    return sent


def http2(answer: Answer) -> Service:
    """A service that speaks HTTP/2 only."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        writer.write(h2.data_to_send())
        while data := await reader.read(1 << 16):
            for event in h2.receive_data(data):
                answer(h2, event)
            writer.write(h2.data_to_send())

    return serve


def http1(answer: bytes) -> Service:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.write_eof()

    return serve


async def test_grpc_goes_by_http2_with_its_trailers() -> None:
    asked: list[Any] = []

    def echo(h2: H2Connection, event: Event) -> None:
        if isinstance(event, RequestReceived):
            asked.extend(event.headers or [])
            h2.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
        elif isinstance(event, DataReceived) and event.data:
            h2.send_data(1, b"<" + event.data + b">")
        elif isinstance(event, StreamEnded):
            h2.send_headers(1, [("grpc-status", "0"), ("x-sum", "42")], end_stream=True)

    sent = await exchanged(Http2Exchange, http2(echo))
    assert sent[0]["status"] == 200
    assert sent[0]["headers"] == [(b"content-type", b"application/grpc")]
    assert b"".join(one.get("body", b"") for one in sent) == b"<ping>"
    assert sent[-1] == {
        "type": "http.response.trailers",
        "headers": [(b"grpc-status", b"0"), (b"x-sum", b"42")],
        "more_trailers": False,
    }
    got = dict(asked)
    assert (got[b":path"], got[b":authority"], got[b"te"], got[b"x-mine"]) == (b"/a.B/C", b"h", b"trailers", b"1")


async def test_an_answer_that_is_all_head_has_its_status_last() -> None:
    def refuse(h2: H2Connection, event: Event) -> None:
        if isinstance(event, StreamEnded):
            fields = [(":status", "200"), ("grpc-status", "12"), ("grpc-message", "no")]
            h2.send_headers(1, fields, end_stream=True)

    sent = await exchanged(Http2Exchange, http2(refuse))
    assert sent[0]["headers"] == []
    assert sent[-1]["headers"] == [(b"grpc-status", b"12"), (b"grpc-message", b"no")]


async def test_a_service_without_http2_is_told() -> None:
    with pytest.raises(BadGateway, match="does not answer gRPC by HTTP/2"):
        await exchanged(Http2Exchange, http1(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


async def test_what_comes_by_http1_to_a_service_with_http2_only_is_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("000000040000000000"))  # its settings; then it waits for a preface
        await reader.read()

    with pytest.raises(BadGateway, match=r"speaks HTTP/2 only\. What is gRPC goes to it by HTTP/2"):
        await exchanged(Exchange, serve)


async def test_a_service_that_hangs_up_at_once_may_speak_http2_only() -> None:
    with pytest.raises(BadGateway, match="If it speaks HTTP/2 only"):
        await exchanged(Exchange, http1(b""))


TRAILING = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
    b"3\r\nabc\r\n0\r\nx-sum: 42\r\nhost: x\r\n\r\n"
)


async def test_trailers_pass() -> None:
    sent = await exchanged(Exchange, http1(TRAILING))
    assert sent[0]["trailers"] is True
    assert (b"trailer", b"x-sum") in sent[0]["headers"]
    assert b"".join(one.get("body", b"") for one in sent) == b"abc"
    assert sent[-1]["headers"] == [(b"x-sum", b"42")]


async def test_a_service_is_told_that_trailers_are_taken() -> None:
    asked = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(TRAILING)

    await exchanged(Exchange, serve)
    assert b"\r\nte: trailers\r\n" in asked.lower()
    assert b"\r\nconnection: close, te\r\n" in asked.lower()


async def test_trailers_are_left_out_where_the_server_has_none() -> None:
    sent = await exchanged(Exchange, http1(TRAILING), extensions={})
    assert "trailers" not in sent[0]
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

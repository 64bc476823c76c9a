"""Connections take turns: many requests, frames and partings of one client do not stand before those of others."""

import itertools

import pytest
from h2.events import DataReceived, StreamEnded

from loopyard.connections.fair_turns import BEGINNING, REQUEST
from tests.unit.http2.wire import Port, ask, get, http2, pass_turns

pytestmark = pytest.mark.anyio

AT_ONCE = -(-BEGINNING // REQUEST)
OTHER = "192.0.2.2"


@pytest.fixture
async def port() -> Port:
    return Port()


async def test_requests_of_many_connections_begin_a_few_in_each_turn(port: Port) -> None:
    for number in range(50):
        port.connect().protocol.data_received(get(f"/{number}"))
    most = 0
    while len(port.begun) < 50:
        before = len(port.begun)
        await pass_turns(lambda: True)
        await pass_turns(lambda before=before: len(port.begun) > before)
        most = max(most, len(port.begun) - before)
    assert most <= AT_ONCE


async def test_a_request_is_not_behind_those_of_another_client(port: Port) -> None:
    for number in range(500):
        port.connect().protocol.data_received(get(f"/{number}"))
    port.connect(OTHER).protocol.data_received(get("/other"))
    await pass_turns(lambda: len(port.begun) == 501)
    assert port.begun.index("/other") < 5 * AT_ONCE


async def test_a_request_is_not_behind_those_of_another_key(port: Port) -> None:
    for number in range(500):
        port.connect().protocol.data_received(get(f"/{number}", "a"))
    port.connect().protocol.data_received(get("/other", "b"))
    await pass_turns(lambda: len(port.begun) == 501)
    assert port.begun.index("/other") < 100


async def test_pipelined_requests_are_read_as_they_are_answered(port: Port) -> None:
    port.may_answer.set()
    pipelined = port.connect()
    pipelined.protocol.data_received(b"".join(get(f"/{number}") for number in range(3000)))
    assert len(port.begun) < 100
    assert not pipelined.reads
    port.connect(OTHER).protocol.data_received(get("/other"))
    await pass_turns(lambda: len(port.begun) == 3001, 100_000)
    assert port.begun.index("/other") < 100
    assert [path for path in port.begun if path != "/other"] == [f"/{number}" for number in range(3000)]
    await pass_turns(lambda: pipelined.written.count(b"HTTP/1.1 200") == 3000)
    assert pipelined.reads


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize("by", [100, 1500, 1 << 18])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_come_whole(port: Port, size: int, by: int, chunked: bool) -> None:
    port.may_answer.set()
    connection = port.connect()
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (length, b"x" * length) for length in (size // 2, size - size // 2) if length)
        head, body = b"transfer-encoding: chunked", body + b"0\r\n\r\n"
    else:
        head, body = b"content-length: %d" % size, b"x" * size
    data = b"POST /a HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n" + body + get("/b")
    for start in range(0, len(data), by):
        await pass_turns(lambda: connection.reads)
        connection.protocol.data_received(data[start : start + by])
    await pass_turns(lambda: connection.written.count(b"HTTP/1.1 200") == 2)
    first, second = connection.written.split(b"HTTP/1.1 200")[1:]
    assert first.endswith(b"\r\n\r\n%d" % size)
    assert second.endswith(b"\r\n\r\n0")


async def test_a_head_of_many_fields_is_refused(port: Port) -> None:
    connection = port.connect()
    connection.protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * 20_000)
    await pass_turns(connection.is_closing)
    assert connection.written.startswith(b"HTTP/1.1 431 ")
    assert not port.begun


async def test_clients_that_are_gone_are_told_a_few_in_each_turn(port: Port) -> None:
    connections = [port.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.protocol.data_received(get(f"/{number}"))
    await pass_turns(lambda: len(port.begun) == 200)
    for connection in connections:
        connection.close()
        connection.protocol.connection_lost(None)
    port.connect(OTHER).protocol.data_received(get("/other"))
    await pass_turns(lambda: "/other" in port.begun)
    assert len(port.told_gone) < 100
    await pass_turns(lambda: len(port.told_gone) == 200)
    assert len(port.state.connections) == 1


async def test_a_request_whose_client_is_gone_before_its_turn_is_not_begun(port: Port) -> None:
    connections = [port.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.protocol.data_received(get(f"/{number}"))
    for connection in connections:
        connection.close()
        connection.protocol.connection_lost(None)
    await pass_turns(lambda: len(port.state.connections) == 0)
    assert len(port.begun) <= AT_ONCE


async def test_streams_of_http2_begin_a_few_in_each_turn(port: Port) -> None:
    client, connection = http2(), port.connect()
    for number in range(100):
        ask(client, f"/{number}")
    connection.protocol.data_received(client.data_to_send())
    port.connect(OTHER).protocol.data_received(get("/other"))
    await pass_turns(lambda: len(port.begun) == 101)
    assert port.begun.index("/other") < 5 * AT_ONCE
    assert [path for path in port.begun if path != "/other"] == [f"/{number}" for number in range(100)]


async def test_thousands_of_frames_in_one_buffer_are_read_in_many_turns(port: Port) -> None:
    client, connection = http2(), port.connect()
    connection.protocol.data_received(client.data_to_send())
    window_update = b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"
    ask(client, "/last")
    connection.protocol.data_received(window_update * 20_000 + client.data_to_send())
    assert not connection.reads
    port.connect(OTHER).protocol.data_received(get("/other"))
    await pass_turns(lambda: len(port.begun) == 2)
    assert port.begun == ["/other", "/last"]
    assert connection.reads


async def test_http2_is_answered_however_its_bytes_come(port: Port) -> None:
    port.may_answer.set()
    client, connection = http2(), port.connect()
    streams = [ask(client, f"/{number}") for number in range(5)]
    for byte in client.data_to_send():
        connection.protocol.data_received(bytes([byte]))
    ended: set[int] = set()
    bodies: dict[int, bytes] = {}
    for _ in itertools.count():
        await pass_turns(lambda: bool(connection.written))
        data, connection.written = connection.written, b""
        for event in client.receive_data(data):
            if isinstance(event, StreamEnded):
                ended.add(event.stream_id or 0)
            elif isinstance(event, DataReceived):
                bodies[event.stream_id or 0] = bodies.get(event.stream_id or 0, b"") + (event.data or b"")
        if len(ended) == 5:
            break
    assert bodies == dict.fromkeys(streams, b"0")


async def test_a_head_of_http2_that_is_too_long_ends_the_connection(port: Port) -> None:
    client, connection = http2(), port.connect()
    stream = client.get_next_available_stream_id()
    head = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/"), ("x-long", "y" * 60_000)]
    client.send_headers(stream, head, end_stream=True)
    connection.protocol.data_received(client.data_to_send())
    await pass_turns(connection.is_closing)
    assert not port.begun

"""A client's thousand requests do not stand before another's one: shown by the order in which the server does them.

The server is stopped while they are sent, so that it finds all of them at once. Each publishes an event, and the events
have the order in which that was done.
"""

import json
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from runloop_api_client import Runloop

from tests.integration.http2.talking import Talk, talking
from tests.serving import ServerProcess

FLOOD, OTHER = "127.0.0.1", "127.0.0.2"
MANY = 600
BODY = json.dumps({"event_type": "t", "origin": "USER_EVENT", "payload": "{}", "source": "s"}).encode()


@contextmanager
def stopped(server: ServerProcess) -> Generator[None]:
    process = psutil.Process(server.pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def connect(server: ServerProcess, address: str, key: str) -> socket.socket:
    """A connection that the server has accepted, and that has shown its key."""
    port = int(server.base_url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port), timeout=120, source_address=(address, 0))
    connection.sendall(f"GET /v1/accounts/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(1 << 16)
    return connection


def publish(axon: str, key: str) -> bytes:
    head = f"POST /v1/axons/{axon}/publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode() + BODY


def sequence(answer: bytes) -> int:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    return json.loads(body)["sequence"]


def rest(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(1 << 16):
        received += piece
    return received


@pytest.fixture
def axon(client: Runloop) -> str:
    return client.axons.create().id


def _by_connections(server: ServerProcess, stack: ExitStack, axon: str) -> Callable[[], Callable[[], None]]:
    """Requests of HTTP/1.1, each on a connection of its own."""
    connections = [stack.enter_context(connect(server, FLOOD, server.api_key)) for _ in range(MANY)]

    def send() -> Callable[[], None]:
        for connection in connections:
            connection.sendall(publish(axon, server.api_key))
        return lambda: _read_all(connections)

    return send


def _by_streams(server: ServerProcess, stack: ExitStack, axon: str) -> Callable[[], Callable[[], None]]:
    """Streams of HTTP/2, on few connections."""
    talks = [stack.enter_context(talking(server)) for _ in range(4)]
    for talk in talks:
        assert talk.answer(talk.ask())[0] == 200

    def send() -> Callable[[], None]:
        streams = [(talk, [_post(talk, axon) for _ in range(MANY // len(talks))]) for talk in talks]
        for talk in talks:
            talk.flush()
        return lambda: _hear_all(streams)

    return send


def _read_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        assert sequence(rest(connection))


def _hear_all(streams: list[tuple[Talk, list[int]]]) -> None:
    for talk, asked in streams:
        for stream in asked:
            assert talk.answer(stream)[0] == 200


def _post(talk: Talk, axon: str) -> int:
    stream = talk.h2.get_next_available_stream_id()
    talk.h2.send_headers(
        stream, [*talk.head(f"/v1/axons/{axon}/publish", "POST"), ("content-type", "application/json")]
    )
    talk.h2.send_data(stream, BODY, end_stream=True)
    return stream


@pytest.mark.parametrize("flood", [_by_connections, _by_streams])
@pytest.mark.parametrize("differs", ["address", "key"])
def test_one_request_is_done_long_before_the_last_of_another_client(
    server: ServerProcess,
    client: Runloop,
    axon: str,
    flood: Callable[..., Callable[[], Callable[[], None]]],
    differs: str,
) -> None:
    key, address = (server.api_key, OTHER) if differs == "address" else (client.apikeys.create().key_secret, FLOOD)
    assert key
    with ExitStack() as stack:
        send = flood(server, stack, axon)
        other = stack.enter_context(connect(server, address, key))
        with stopped(server):
            await_answers = send()
            other.sendall(publish(axon, key))
        done_as = sequence(rest(other))
        await_answers()
    events = client.axons.events.list(axon, limit=1).events
    assert [event.sequence for event in events] == [MANY + 1], "each request is done"
    assert done_as < MANY // 4, "it stood behind those of another client"

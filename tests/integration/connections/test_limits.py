"""Callers without a key hold up nobody: heads and bodies that do not come, too many connections, endless heads."""

import resource
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from loopyard.connections.limits import HEAD_BYTES
from loopyard.http2.switching import TOO_LONG
from tests.serving import ServerProcess, serving

MOST_UNKNOWN = 40
ENVIRONMENT = {
    "LOOPYARD_CONNECTIONS__HEAD_SECONDS": "4",
    "LOOPYARD_CONNECTIONS__BODY_SECONDS": "4",
    "LOOPYARD_CONNECTIONS__MOST_UNKNOWN": str(MOST_UNKNOWN),
}
HALF = b"POST /v1/devboxes HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("connections") / "data", env=ENVIRONMENT) as process:
        yield process


def connect(own: ServerProcess, data: bytes = b"") -> socket.socket:
    port = int(own.base_url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.sendall(data)
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("begun", [b"", b"PRI * HT", HALF])
def test_a_head_that_does_not_come_is_not_awaited_for_ever(own: ServerProcess, begun: bytes) -> None:
    with connect(own, begun) as connection:
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") if begun == HALF else answer == b""


def test_a_second_head_on_a_connection_is_not_awaited_for_ever_either(own: ServerProcess) -> None:
    with connect(own, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n") as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HALF)
        assert b"HTTP/1.1 408 " in rest(connection)


def test_an_endless_head_is_refused(own: ServerProcess) -> None:
    with connect(own, HALF) as connection:
        try:
            for number in range(HEAD_BYTES // 1000 + 10):
                connection.sendall(b"x-%d: %s\r\n" % (number, b"y" * 1000))
        except (ConnectionResetError, BrokenPipeError):
            return
        assert rest(connection) in (b"", TOO_LONG)


def test_a_long_head_passes(own: ServerProcess) -> None:
    headers = {"authorization": f"Bearer {own.api_key}", "x-long": "y" * 60_000}
    assert httpx.get(f"{own.base_url}/v1/devboxes", headers=headers).status_code == 200


def test_a_body_that_stands_still_ends_the_request(own: ServerProcess) -> None:
    head = f"authorization: Bearer {own.api_key}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    with connect(own, HALF + head.encode() + b"{") as connection:
        connection.settimeout(120)
        begun = time.monotonic()
        answer = connection.recv(1 << 16)
        assert time.monotonic() - begun < 120
    assert not answer.startswith(b"HTTP/1.1 5"), answer


def test_connections_without_a_key_are_bounded_and_those_with_one_are_not_closed_for_them(own: ServerProcess) -> None:
    headers = {"authorization": f"Bearer {own.api_key}"}
    with httpx.Client(base_url=own.base_url, headers=headers) as known, ExitStack() as strangers:
        assert known.get("/v1/devboxes").status_code == 200
        first = connect(own)
        strangers.enter_context(first)
        for _ in range(2 * MOST_UNKNOWN):
            strangers.enter_context(connect(own))
        assert rest(first) == b"", "the oldest connection is not closed for new ones"
        own_socket = known.stream("GET", "/v1/devboxes")
        with own_socket as answer:
            assert answer.status_code == 200
        status = Path(f"/proc/{own.pid}/fd")
        assert len(list(status.iterdir())) < resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_server_has_as_many_open_files_as_the_host_allows(own: ServerProcess) -> None:
    soft, hard = resource.prlimit(own.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 1 << 20)

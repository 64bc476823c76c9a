"""Calls to the engine without an event loop: answers, refusals, and streams that follow an answer's head."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from loopyard.runtime.docker.calls import Refused, ask, start

Engine = Callable[..., str]
"""Starts an engine that gives these pieces to whoever asks, and returns its socket."""


@pytest.fixture
def requests() -> list[bytes]:
    """The requests that came, each until the blank line and its body."""
    return []


@pytest.fixture
def engine(tmp_path: Path, requests: list[bytes]) -> Engine:
    def begin(*pieces: bytes) -> str:
        path = str(tmp_path / "engine.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with listener, connection:
                requests.append(_request(connection))
                for piece in pieces:
                    connection.sendall(piece)

        threading.Thread(target=answer, daemon=True).start()
        return path

    return begin


def _request(connection: socket.socket) -> bytes:
    """A whole request."""
    with connection.makefile("rb") as coming:
        head = b"".join(iter(coming.readline, b"\r\n"))
        length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
        return head + b"\r\n" + coming.read(length)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"Id": 1}',
        b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"Id\r\n5;x=y\r\n": 1}\r\n0\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"Id": 1}',
    ],
    ids=["length", "chunked", "until the end"],
)
def test_an_answer_is_read_however_it_is_framed(engine: Engine, requests: list[bytes], answer: bytes) -> None:
    assert ask(engine(answer), "POST", "exec/a/resize", {"h": 2}) == {"Id": 1}
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1.40/exec/a/resize HTTP/1.1\r\n")
    assert json.loads(body) == {"h": 2}


def test_an_empty_answer_is_none(engine: Engine) -> None:
    assert ask(engine(b"HTTP/1.1 204 No Content\r\n\r\n"), "POST", "containers/a/kill") is None


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (b'HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\n{"message": "no such"}', 404, "no such"),
        (b'HTTP/1.1 409 Conflict\r\nContent-Length: 24\r\n\r\n{"message": "is paused"}', 409, "is paused"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nwords", 500, "words"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, "the engine answered with 503"),
        (b"", 500, "the engine hung up"),
        (b"not HTTP at all\r\n\r\n", 500, "something else than HTTP"),
    ],
    ids=range(6),
)
def test_refusals_are_told(engine: Engine, answer: bytes, status: int, message: str) -> None:
    path = engine(answer)
    with pytest.raises(Refused, match=message) as refused:
        ask(path, "GET", "info")
    assert refused.value.status == status


def test_all_that_follows_the_head_is_the_command_s(engine: Engine) -> None:
    head = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n"
    with start(engine(head + b"first\r\n\r\n", b"second"), "a", terminal=False) as streams:
        assert streams.gettimeout() is None
        with streams.makefile("rb") as rest:
            assert rest.read() == b"first\r\n\r\nsecond"


def test_streams_come_without_an_upgrade_too(engine: Engine) -> None:
    with start(engine(b"HTTP/1.1 200 OK\r\nContent-Type: text\r\n\r\n", b"all"), "a", terminal=True) as streams:
        assert streams.makefile("rb").read() == b"all"


def test_a_command_that_does_not_start_is_refused(engine: Engine) -> None:
    with pytest.raises(Refused, match="no such exec") as refused:
        start(
            engine(b'HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\n{"message": "no such exec"}'),
            "a",
            terminal=False,
        )
    assert refused.value.status == 404


def test_an_engine_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ask(str(tmp_path / "none"), "GET", "info")
    with pytest.raises(OSError, match="No such file"):
        start(str(tmp_path / "none"), "a", terminal=False)

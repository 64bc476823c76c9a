"""Which protocol a connection speaks is told by its first bytes, however they come."""

import json
import socket
import time

import httpx
import pytest

from tests.integration.http2.talking import SECONDS, talking
from tests.serving import ServerProcess

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def _say(server: ServerProcess, *pieces: bytes) -> bytes:
    """All that the server says to these pieces, each sent by itself, until it closes."""
    url = httpx.URL(server.base_url)
    with socket.create_connection((url.host, url.port or 80), SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.01)
        heard = b""
        while data := connection.recv(1 << 16):
            heard += data
        return heard


@pytest.mark.parametrize("at", [1, 3, 14, 18, 23])
def test_a_preface_may_come_in_two_pieces(server: ServerProcess, at: int) -> None:
    with talking(server, begun=False) as talk:
        talk.h2.initiate_connection()
        said = talk.h2.data_to_send()
        talk.socket.sendall(said[:at])
        time.sleep(0.05)
        talk.socket.sendall(said[at:])
        assert talk.answer(talk.ask())[0] == 200


def test_a_preface_may_come_byte_by_byte_with_the_first_request(server: ServerProcess) -> None:
    with talking(server, begun=False) as talk:
        talk.h2.initiate_connection()
        talk.h2.send_headers(1, talk.head("/healthz"), end_stream=True)
        for byte in talk.h2.data_to_send():
            talk.socket.sendall(bytes([byte]))
        assert talk.answer(1)[0] == 200


def test_http_1_may_come_byte_by_byte(server: ServerProcess) -> None:
    answer = _say(server, *(bytes([byte]) for byte in GET))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("method", [b"P", b"PR", b"PRI", b"PROPFIND", b"POST"])
def test_a_method_that_begins_like_the_preface_is_http_1(server: ServerProcess, method: bytes) -> None:
    answer = _say(server, method[:2], method[2:] + GET.removeprefix(b"GET"))
    assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("line", [b"PRI * HTTP/1.1", b"PRI * HTTP/2.0", b"PRI / HTTP/2.0"])
def test_what_only_begins_like_the_preface_is_refused_as_http_1(server: ServerProcess, line: bytes) -> None:
    assert _say(server, line[:10], line[10:] + b"\r\n\r\nXX\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("garbage", [bytes(4096), b"\0\x40\1" + bytes(6 + 0x4001)], ids=["zeros", "a frame too long"])
def test_garbage_after_the_preface_ends_the_connection(server: ServerProcess, garbage: bytes) -> None:
    heard = _say(server, PREFACE + garbage)
    assert heard[3] == 4, "the server's settings come first"
    assert b"HTTP/1.1" not in heard
    assert httpx.get(f"{server.base_url}/healthz").status_code == 200


def test_both_are_spoken_beside_each_other_and_answer_the_same(server: ServerProcess) -> None:
    with talking(server) as talk:
        body = talk.answer(talk.ask())[1]
        assert json.loads(body) == httpx.get(f"{server.base_url}/healthz").json()

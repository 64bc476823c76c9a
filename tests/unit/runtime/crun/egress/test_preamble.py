"""What is recognized in the first bytes of a connection."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.runtime.crun.egress.preamble import Preamble, Refused, agrees_to_upgrade, recognize


def _hello(name: str | None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_tls_hello_is_read_however_it_is_cut() -> None:
    hello = _hello("a.test")
    for cut in range(1, len(hello)):
        assert recognize(hello[:cut], 443) is None
    assert recognize(hello, 443) == Preamble("a.test", hello)
    assert recognize(hello + b"more", 8443) == Preamble("a.test", hello + b"more")


def test_a_hello_in_many_small_records_is_read() -> None:
    body = _hello("a.test")[5:]
    parts = [body[at : at + 20] for at in range(0, len(body), 20)]
    hello = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)
    assert recognize(hello, 443) == Preamble("a.test", hello)


@pytest.mark.parametrize("port", [80, 8080])
def test_an_http_request_is_read_however_it_is_cut(port: int) -> None:
    head = b"\r\nPOST /x HTTP/1.1\r\nHost: a.test:8080\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n"
    head += b"Content-Length: 4\r\n\r\n"
    for cut in range(len(head)):
        assert recognize(head[:cut], port) is None, head[:cut]
    opening = recognize(head + b"body", port)
    assert opening is not None
    assert opening.name == "a.test"
    assert opening.data == (
        b"POST /x HTTP/1.1\r\nhost: a.test:8080\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody"
    )


def test_a_request_for_websocket_keeps_back_what_follows() -> None:
    head = b"GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    key = b"Sec-WebSocket-Key: eA==\r\n\r\n"
    opening = recognize(head + key + b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", 80)
    assert opening is not None
    assert opening.data == (
        b"GET /x HTTP/1.1\r\nhost: a.test\r\nsec-websocket-key: eA==\r\n"
        b"connection: Upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert opening.after_upgrade == b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket, h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_every_other_upgrade_is_left_out(head: bytes) -> None:
    opening = recognize(head, 80)
    assert opening is not None
    assert opening.after_upgrade is None
    assert b"upgrade" not in opening.data.lower()


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81", True),
        (b"HTTP/1.1 101\r\n\r\n", True),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web", None),
        (b"HTTP/1.1 1", None),
        (b"HTTP/1.1 1010 x\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"x" * (32 << 10), False),
        (b"HTTP/1.1 101 x\r\n" + b"x" * (65 << 10), False),
    ],
)
def test_what_agrees_to_an_upgrade(said: bytes, agreed: bool | None) -> None:
    assert agrees_to_upgrade(said) is agreed


@pytest.mark.parametrize(
    ("data", "port"),
    [
        (b"SSH-2.0-x\r\n", 443),
        (_hello("a.test"), 80),
        (_hello(None), 443),
        (_hello(None), 8443),
        (b"\x16\x03\x01\x00\x05hello", 443),
        (b"GET / HTTP/1.1\r\n\r\n", 80),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 8080),
        (b"GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 80),
        (b"GET http://a.test@b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 80),
        (b"CONNECT b.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", 8080),
        (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 80),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nX: a\x00b\r\n\r\n", 80),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 8080),
        (b"hello\r\n\r\n", 80),
    ],
)
def test_what_is_refused(data: bytes, port: int) -> None:
    with pytest.raises(Refused):
        recognize(data, port)


def test_protocols_without_names_pass_on_other_ports() -> None:
    for data in (b"SSH-2.0-OpenSSH_9.2\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"):
        assert recognize(data, 6379) == Preamble(None, data)


@given(st.binary(max_size=300), st.sampled_from([80, 443, 8080]))
def test_no_bytes_do_harm(data: bytes, port: int) -> None:
    try:
        opening = recognize(data, port)
    except Refused:
        return
    if port == 443:
        assert opening is None or opening.name
    if port == 80:
        assert opening is None or opening.name is not None

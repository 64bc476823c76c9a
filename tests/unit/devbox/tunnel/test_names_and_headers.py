"""What a tunnel's name is, and which headers pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.devbox.tunnel import headers
from loopyard.devbox.tunnel.address import Address, Kind, new_key, parse
from loopyard.devbox.tunnel.http2 import is_grpc

KEY = "t" + "0123456789" * 4


@pytest.mark.parametrize("kind", ["http", "pty"])
def test_a_new_key_is_found_in_its_name_again(kind: Kind) -> None:
    key = new_key(kind)
    assert key != new_key(kind)
    address = parse(f"65535-{key}.tunnel.example.com", None)
    assert address is not None
    assert address == Address(65535, key)
    assert address.is_pty == (kind == "pty")


@pytest.mark.parametrize(
    ("host", "port"),
    [
        (f"8080-{KEY}.tunnel.localhost", 8080),
        (f"8080-{KEY}.tunnel.localhost:8443", 8080),
        (f"8080-{KEY.upper()}.TUNNEL.Example.COM", 8080),
        (f"1-{KEY}.tunnel.example.com.", 1),
        (f"0-{KEY}.tunnel.example.com", None),
        (f"65536-{KEY}.tunnel.example.com", None),
        (f"-{KEY}.tunnel.example.com", None),
        (f"8080-{KEY}.example.com", None),
        (f"8080-{KEY}.tunnel.", None),
        (f"8080-{KEY}0.tunnel.example.com", None),
        (f"8080-{KEY[:-1]}.tunnel.example.com", None),
        (f"x.8080-{KEY}.tunnel.example.com", None),
        ("api.example.com", None),
        ("", None),
    ],
)
def test_names_of_tunnels_and_others(host: str, port: int | None) -> None:
    found = parse(host, None)
    assert found == (None if port is None else Address(port, KEY))


def test_with_a_domain_only_its_names_count() -> None:
    assert parse(f"80-{KEY}.tunnel.Example.com:443", "example.COM") == Address(80, KEY)
    assert parse(f"80-{KEY}.tunnel.example.org", "example.com") is None
    assert parse(f"80-{KEY}.tunnel.a.example.com", "example.com") is None


@given(st.text(max_size=100))
def test_no_text_is_too_strange(host: str) -> None:
    parse(host, None)
    parse(f"80-{KEY}.tunnel.{host}", None)


def test_what_belongs_to_the_hop_stays_behind() -> None:
    given = [
        (b"connection", b"close, X-Mine"),
        (b"x-mine", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"dropped", b"1"),
    ]
    assert headers.end_to_end(given, frozenset({b"dropped"})) == [(b"accept", b"a"), (b"accept", b"b")]


CLAIMS = [
    (b"x-forwarded-for", b"1.2.3.4, 9.9.9.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"other"),
    (b"x-forwarded-port", b"1"),
    (b"forwarded", b"for=1.2.3.4"),
]


def test_what_a_caller_says_of_itself_is_replaced() -> None:
    given = [(b"host", b"h"), (b"connection", b"x-forwarded-for"), *CLAIMS]
    scope = {"headers": given, "client": ("5.6.7.8", 1), "scheme": "ws"}
    assert headers.inwards(scope) == [
        (b"host", b"h"),
        (b"x-forwarded-for", b"5.6.7.8"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"h"),
    ]


def test_what_the_operators_proxy_says_counts() -> None:
    scope = {"headers": [(b"host", b"h"), *CLAIMS], "client": ("5.6.7.8", 1), "scheme": "http"}
    assert headers.inwards(scope, trust_forwarded=True) == [
        (b"host", b"h"),
        (b"x-forwarded-for", b"9.9.9.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"other"),
    ]


def test_trailers_say_nothing_of_the_message() -> None:
    given = [(b"x-sum", b"42"), (b"content-length", b"9"), (b"transfer-encoding", b"chunked"), (b":status", b"200")]
    assert headers.in_trailers(given) == [(b"x-sum", b"42")]


@pytest.mark.parametrize(
    ("kind", "grpc"),
    [
        (b"application/grpc", True),
        (b"Application/grpc+proto; x=1", True),
        (b"application/grpc-web+proto", False),
        (b"application/json", False),
        (None, False),
    ],
)
def test_grpc_is_told_by_its_type(kind: bytes | None, grpc: bool) -> None:
    assert is_grpc({"headers": [] if kind is None else [(b"content-type", kind)]}) is grpc

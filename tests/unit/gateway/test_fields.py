"""Endpoints, tokens, and header fields."""

import base64

import pytest

from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.hop import answer_fields, request_fields
from loopyard.upstream_proxy.mechanism import CredentialUnfit, credential_headers

TOKEN = "gws_" + "a" * 43


@pytest.mark.parametrize(
    ("url", "target", "expected", "authority"),
    [
        ("https://api.example.com", "/v1/x?y=1", "/v1/x?y=1", "api.example.com"),
        ("https://API.example.com:8443/base/", "/x", "/base/x", "api.example.com:8443"),
        ("https://api.example.com/base", "/", "/base", "api.example.com"),
        ("http://[::1]:80", "/%2e%2e/x", "/%2e%2e/x", "[::1]"),
    ],
)
def test_where_a_request_goes(url: str, target: str, expected: str, authority: str) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.target(target), endpoint.authority) == (expected, authority)


@pytest.mark.parametrize("target", ["/../x", "/a/%2E%2e/b", "/a/..", "/./x", "/.%2e/x?a=b"])
def test_nothing_leads_out_of_an_endpoints_path(target: str) -> None:
    with pytest.raises(ValueError, match="out of"):
        Endpoint.parse("https://example.com/tenant").target(target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "https://a b",
        "https://1.2.3",
        "https://example.com/a b",
        "https://exämple.com",
        "https://example.com/../x",
        "https://example.com:99999",
        "javascript:x",
        "https://example.com#x",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Endpoint.parse(url)


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN}",
        "Basic " + base64.b64encode(f"u:{TOKEN}".encode()).decode(),
        "basic " + base64.b64encode(f"{TOKEN}:".encode()).decode(),
    ],
)
def test_a_token_is_found_in_any_form(value: str) -> None:
    assert tokens.find([("x-other", "1"), ("x-api-key", value)]) == TOKEN
    assert request_fields([("X-Own", value), ("Accept", "a")], TOKEN, ()) == [("Accept", "a")]


@pytest.mark.parametrize("value", ["", "Bearer", f"Bearer {TOKEN}x", "Basic !!", "sk-123", TOKEN[:-1]])
def test_what_is_no_token(value: str) -> None:
    assert tokens.find([("authorization", value)]) is None


def test_fields_of_the_hop_and_credentials_do_not_go_on() -> None:
    given = [
        ("Host", "gateway"),
        ("Connection", "keep-alive, X-Named"),
        ("X-Named", "1"),
        ("Authorization", "Bearer mine"),
        ("X-API-Key", TOKEN),
        ("TE", "trailers"),
        ("Content-Length", "3"),
        ("X-Set", "mine"),
        ("Accept", "*/*"),
        ("accept", "twice"),
    ]
    kept = request_fields(given, TOKEN, {"x-set"})
    assert kept == [("Content-Length", "3"), ("Accept", "*/*"), ("accept", "twice")]
    answer = [("Connection", "close"), ("Set-Cookie", "a"), ("set-cookie", "b"), ("Transfer-Encoding", "chunked")]
    assert answer_fields(answer) == [("Set-Cookie", "a"), ("set-cookie", "b")]


def test_custom_headers_come_after_the_mechanism() -> None:
    custom = [{"name": "authorization", "value": "mine"}, {"name": "X", "secret": "sec_1"}]
    assert credential_headers({"type": "bearer"}, custom, "s", {"sec_1": "v"}) == [
        ("authorization", "mine"),
        ("X", "v"),
    ]
    basic = credential_headers({"type": "basic"}, [], "user:pass", {})
    assert basic == [("Authorization", "Basic dXNlcjpwYXNz")]
    for unfit in ("a\r\nX: y", "a\nb", " a", "\u20ac"):
        with pytest.raises(CredentialUnfit):
            credential_headers({"type": "bearer"} if unfit != " a" else {"type": "header", "key": "k"}, [], unfit, {})

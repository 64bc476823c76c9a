"""Which headers go through a tunnel."""

from collections.abc import Iterable

from starlette.types import Scope

from loopyard.devbox.tunnel.gate import AUTHORIZATION

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FORWARDED = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))


def get(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first header of this (lower-case) name."""
    return next((value for key, value in headers if key == name), None)


def end_to_end(headers: Iterable[tuple[bytes, bytes]], drop: frozenset[bytes] = frozenset()) -> Headers:
    """The headers that are meant for the far end: without those of the hop, those that `Connection` names, `drop`."""
    pairs = list(headers)
    named = {
        name.strip().lower()
        for key, value in pairs
        if key == b"connection"
        for name in value.split(b",")
        if name.strip()
    }
    gone = _HOP_BY_HOP | named | drop
    return [(key, value) for key, value in pairs if key not in gone]


def inwards(scope: Scope, drop: frozenset[bytes] = frozenset()) -> Headers:
    """A request's headers as the service in the devbox gets them: its own Host, who called it how, no tunnel token."""
    given: Headers = list(scope["headers"])
    forwarded = [value for key, value in given if key == b"x-forwarded-for"]
    if scope.get("client"):
        forwarded.append(str(scope["client"][0]).encode())
    scheme = b"https" if scope["scheme"] in ("https", "wss") else b"http"
    return [
        *end_to_end(given, _FORWARDED | {AUTHORIZATION} | drop),
        (b"x-forwarded-for", b", ".join(forwarded)),
        (b"x-forwarded-proto", get(given, b"x-forwarded-proto") or scheme),
        (b"x-forwarded-host", get(given, b"x-forwarded-host") or get(given, b"host") or b""),
    ]


def target(scope: Scope) -> bytes:
    """The request target, byte by byte as it came."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path

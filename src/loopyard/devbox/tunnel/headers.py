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
_FORWARDED = (b"x-forwarded-", b"forwarded")
"""How headers begin that tell who called."""
_NOT_AFTER_A_BODY = frozenset({b"content-length", b"content-type", b"content-encoding", b"host", b"date"})


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


def inwards(scope: Scope, drop: frozenset[bytes] = frozenset(), *, trust_forwarded: bool = False) -> Headers:
    """A request's headers as the service in the devbox gets them: its own Host, who called it how, no tunnel token.

    Args:
        scope: The request.
        drop: More that is left out.
        trust_forwarded: Whether the caller is a proxy of the operator's, whose word on who called it counts. Of others
            it is replaced.
    """
    given: Headers = list(scope["headers"])
    peer = str(scope["client"][0]) if scope.get("client") else ""
    scheme = b"https" if scope["scheme"] in ("https", "wss") else b"http"
    told = given if trust_forwarded else []
    chain = b",".join(value for key, value in told if key == b"x-forwarded-for")
    kept = [(key, value) for key, value in end_to_end(given, drop | {AUTHORIZATION}) if not key.startswith(_FORWARDED)]
    return [
        *kept,
        (b"x-forwarded-for", chain.rpartition(b",")[2].strip() or peer.encode()),
        (b"x-forwarded-proto", get(told, b"x-forwarded-proto") or scheme),
        (b"x-forwarded-host", get(told, b"x-forwarded-host") or get(given, b"host") or b""),
    ]


def in_trailers(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The fields after a body that may go on: without those that say how a message is to be read."""
    return [field for field in end_to_end(fields, _NOT_AFTER_A_BODY) if not field[0].startswith(b":")]


def target(scope: Scope) -> bytes:
    """The request target, byte by byte as it came."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path

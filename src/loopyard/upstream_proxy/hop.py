"""Which header fields go on upstream, and which end at the gateway."""

from collections.abc import Collection, Sequence

from loopyard.upstream_proxy import tokens

Field = tuple[str, str]
"""A header field: its name as it came, its value in latin-1."""

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_FRAMING = frozenset(("host", "content-length", "expect"))
_CREDENTIALS = frozenset(("authorization", "x-api-key", "x-goog-api-key"))


def is_own(name: str) -> bool:
    """True if a header (name in lower case) is the proxy's to set, and nobody else's."""
    return name in _HOP_BY_HOP or name in _FRAMING


def _named(fields: Sequence[Field]) -> set[str]:
    """Fields that `Connection` names as the hop's own."""
    values = [value for name, value in fields if name.lower() == "connection"]
    return {word.strip().lower() for value in values for word in value.split(",")}


def request_fields(fields: Sequence[Field], token: str, replaced: Collection[str]) -> list[Field]:
    """A request's fields without those of the hop, the caller's credentials, and those that are `replaced` (names in
    lower case). `Content-Length` stays, `Host` and `Expect` do not."""
    gone = _HOP_BY_HOP | _CREDENTIALS | _named(fields) | {"host", "expect"} | set(replaced)
    gone -= {"content-length"}
    return [(name, value) for name, value in fields if name.lower() not in gone and not tokens.carries(value, token)]


def answer_fields(fields: Sequence[Field]) -> list[Field]:
    """An answer's fields without those of the hop."""
    gone = (_HOP_BY_HOP | _named(fields)) - {"content-length"}
    return [(name, value) for name, value in fields if name.lower() not in gone]

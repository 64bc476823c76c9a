"""Tokens that devboxes call the gateway and the MCP hub with. Only their SHA-256 is kept."""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Literal

Kind = Literal["gateway", "mcp"]

KINDS: tuple[Kind, ...] = ("gateway", "mcp")
PREFIXES: dict[Kind, str] = {"gateway": "gws_", "mcp": "mcp_"}
_SECRET_BYTES = 32
_TOKEN = re.compile(r"(gws|mcp)_[A-Za-z0-9_-]{43}")
_FIRST = ("authorization", "x-api-key", "x-goog-api-key")


def new_token(kind: Kind) -> str:
    """A new token: 256 random bits behind the prefix of its kind."""
    return PREFIXES[kind] + secrets.token_urlsafe(_SECRET_BYTES)


def digest(token: str) -> str:
    """Digest that is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(headers: Sequence[tuple[str, str]]) -> str | None:
    """The token among a request's header fields (names in lower case): plain, after `Bearer`, or as either part of
    basic credentials. The usual fields go first; None if there is none."""
    ordered = sorted(headers, key=lambda field: _FIRST.index(field[0]) if field[0] in _FIRST else len(_FIRST))
    return next((token for _, value in ordered if (token := _in_value(value)) is not None), None)


def carries(value: str, token: str) -> bool:
    """True if a header's value has the token in it."""
    return token in value or _in_value(value) == token


def _in_value(value: str) -> str | None:
    scheme, _, rest = value.strip().partition(" ")
    candidate = rest.strip() or scheme
    if _TOKEN.fullmatch(candidate):
        return candidate
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode("latin-1").partition(":")
    except (binascii.Error, ValueError):
        return None
    return next((part for part in (password, user) if _TOKEN.fullmatch(part)), None)

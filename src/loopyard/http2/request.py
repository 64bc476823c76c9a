"""The head of a request, as ASGI has it."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

from loopyard.http2.stream import Header
from loopyard.http2.trailers import EXTENSION

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"\*|/[!\"$-~]*")
"""Printable ASCII without `#`: what may stand in the first line of HTTP/1.1, which tunnels pass the request on by."""


class Malformed(Exception):
    """The head is well-formed HTTP/2 and yet no request that this server could answer."""


def scope_of(given: Iterable[Any], *, has_body: bool, root_path: str) -> Scope:
    """The scope of a request, without what is known of its connection.

    Raises:
        Malformed: The method or the path is none. So are all `CONNECT`s, which have no path.
    """
    headers: list[Header] = [(bytes(name), bytes(value)) for name, value in given]
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    plain = [header for header in headers if not header[0].startswith(b":")]
    method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not _METHOD.fullmatch(method) or not _TARGET.fullmatch(target):
        raise Malformed("the method or the path is none")
    names = {name for name, _ in plain}
    if b":authority" in pseudo and b"host" not in names:
        plain.insert(0, (b"host", pseudo[b":authority"]))
    if has_body and b"content-length" not in names:
        # HTTP/1.1 would say so, and what passes the request on by HTTP/1.1 has to be told (RFC 9113, 8.1).
        plain.append((b"transfer-encoding", b"chunked"))
    raw_path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "http_version": "2",
        "scheme": "http",
        "method": method.decode("ascii"),
        "root_path": root_path,
        "path": root_path + unquote(raw_path.decode("ascii")),
        "raw_path": root_path.encode() + raw_path,
        "query_string": query,
        "headers": plain,
        "extensions": {EXTENSION: {}},
    }

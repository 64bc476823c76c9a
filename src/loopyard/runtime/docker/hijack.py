"""Commands on an engine's socket: what is said there to start one, and how its two streams come back as one.

aiodocker has no way to close only standard input, and a command's keeper has no event loop: both speak through this.
"""

import json
import struct
from collections.abc import Generator
from typing import Any

API = "v1.40"
"""Docker 19.03 and later, and Podman 3 and later, know this version of the interface."""

STDOUT, STDERR = 1, 2
_HEADER = struct.Struct(">BxxxL")


def request(method: str, path: str, body: Any = None, *, upgrade: bool = False) -> bytes:
    """The bytes of a request. With `upgrade`, the connection carries the command's streams afterwards."""
    content = b"" if body is None else json.dumps(body).encode()
    after = ("Connection: Upgrade", "Upgrade: tcp") if upgrade else ("Connection: close",)
    head = (
        f"{method} /{API}/{path} HTTP/1.1",
        "Host: engine",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *after,
    )
    return "\r\n".join((*head, "", "")).encode() + content


def status(head: bytes) -> int:
    """The status of an answer, from its head."""
    return int(head.split(b" ", 2)[1])


def is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def unchunked(body: bytes) -> bytes:
    """The content of a whole body that came in chunks."""
    parts: list[bytes] = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if length == 0:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)


class Frames:
    """Takes apart what comes from a command without a terminal."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Generator[tuple[int, bytes]]:
        """The pieces of standard output (1) and error (2) in what has come. A piece may be a part of a frame."""
        self._buffer += data
        position = 0
        while True:
            if self._left == 0:
                if len(self._buffer) - position < _HEADER.size:
                    break
                self._stream, self._left = _HEADER.unpack_from(self._buffer, position)
                position += _HEADER.size
            piece = bytes(self._buffer[position : position + self._left])
            if not piece and self._left:
                break
            position += len(piece)
            self._left -= len(piece)
            if piece:
                yield self._stream, piece
        del self._buffer[:position]

"""Messages between the server and a worker: a kind of one byte, a length of four, and JSON."""

import socket
import struct

HEADER = struct.Struct("!cI")
CALL, ANSWER, REFUSAL, KEY_TAKEN, EVENTS_WANTED, EVENTS = b"C", b"A", b"R", b"K", b"W", b"E"
MOST_BYTES = 128 * 1024**2
"""Limit on one message."""


def send(connection: socket.socket, kind: bytes, body: bytes) -> None:
    """Send one message."""
    connection.sendall(HEADER.pack(kind, len(body)) + body)


def receive(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """Receive one message; None if the other side has closed."""
    head = _exactly(connection, HEADER.size)
    if head is None:
        return None
    kind, length = HEADER.unpack(head)
    body = _exactly(connection, length)
    return None if body is None else (kind, body)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)

"""Short questions to the engine from a command's keeper, which has no event loop."""

import json
import socket
from typing import Any

from loopyard.runtime.docker import hijack

_ANSWER_SECONDS = 60


class Refused(Exception):
    """The engine said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_paused(self) -> bool:
        """True if the container is only paused."""
        return self.status in (409, 500) and "paused" in str(self)


def ask(engine: str, method: str, path: str, body: Any = None) -> Any:
    """The engine's answer. `engine` is its socket.

    Raises:
        Refused: It was not in the 200s.
        OSError: It cannot be reached.
    """
    with _connected(engine) as connection:
        connection.sendall(hijack.request(method, path, body))
        parts: list[bytes] = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    head, _, content = b"".join(parts).partition(b"\r\n\r\n")
    if hijack.is_chunked(head):
        content = hijack.unchunked(content)
    _check(head, content)
    return json.loads(content) if content.strip() else None


def start(engine: str, exec_id: str, *, terminal: bool) -> socket.socket:
    """Start a command that was made; returns the connection that carries its streams.

    Raises:
        Refused: The engine did not start it.
        OSError: It cannot be reached.
    """
    connection = _connected(engine)
    try:
        connection.sendall(
            hijack.request("POST", f"exec/{exec_id}/start", {"Detach": False, "Tty": terminal}, upgrade=True)
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to the command
            head += _one_byte(connection)
        if hijack.status(head) >= 300:
            _check(head, connection.recv(1 << 16))
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _one_byte(connection: socket.socket) -> bytes:
    byte = connection.recv(1)
    if not byte:
        raise Refused(500, "the engine hung up")
    return byte


def _connected(engine: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_ANSWER_SECONDS)
    connection.connect(engine)
    return connection


def _check(head: bytes, content: bytes) -> None:
    status = hijack.status(head)
    if status < 300:
        return
    try:
        message = json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        message = content.decode(errors="replace").strip()
    raise Refused(status, message or f"the engine answered with {status}")

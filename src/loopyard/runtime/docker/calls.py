"""Calls to the engine without an event loop, by the standard library's HTTP: a command's keeper has none, and aiodocker
has no way to close only standard input."""

import json
import socket
from http.client import HTTPConnection, HTTPException, HTTPResponse
from io import BufferedReader
from typing import Any, cast

API = "v1.40"
"""Docker 19.03 and later, and Podman 3 and later, know this version of the interface."""

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


class _UnbufferedResponse(HTTPResponse):
    """An answer whose head is read byte by byte, as all that follows it belongs to a command."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = cast("BufferedReader", sock.makefile("rb", buffering=0))


class _SocketConnection(HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(engine: str, method: str, path: str, body: Any = None) -> Any:
    """The engine's answer. `engine` is its socket.

    Raises:
        Refused: It was not in the 200s.
        OSError: It cannot be reached.
    """
    connection = _SocketConnection(engine)
    try:
        content = _request(connection, method, path, body).read()
    except HTTPException as error:
        raise Refused(500, _hung_up(error)) from error
    finally:
        connection.close()
    return json.loads(content) if content.strip() else None


def start(engine: str, exec_id: str, *, terminal: bool) -> socket.socket:
    """Start a command that was made; returns the connection that carries its streams.

    Raises:
        Refused: The engine did not start it.
        OSError: It cannot be reached.
    """
    connection = _SocketConnection(engine)
    connection.response_class = _UnbufferedResponse
    connection.connect()
    streams = connection.sock.dup()
    body = {"Detach": False, "Tty": terminal}
    try:
        _request(connection, "POST", f"exec/{exec_id}/start", body, Connection="Upgrade", Upgrade="tcp")
        streams.settimeout(None)
    except HTTPException as error:
        streams.close()
        raise Refused(500, _hung_up(error)) from error
    except BaseException:
        streams.close()
        raise
    finally:
        connection.close()
    return streams


def _request(connection: HTTPConnection, method: str, path: str, body: Any, **headers: str) -> HTTPResponse:
    """Send a request. Returns the answer, whose body is not read yet."""
    content = b"" if body is None else json.dumps(body).encode()
    connection.request(method, f"/{API}/{path}", content, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    if answer.status >= 300:
        raise Refused(answer.status, _message(answer.read()) or f"the engine answered with {answer.status}")
    return answer


def _message(content: bytes) -> str:
    """The sentence of a refusal."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()


def _hung_up(error: HTTPException) -> str:
    return f"the engine hung up or answered with something else than HTTP ({type(error).__name__})"

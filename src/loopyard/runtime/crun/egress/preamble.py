"""Tells from a connection's first bytes which server it is meant for."""

import re
import ssl
from dataclasses import dataclass

import h11

MOST_BYTES = 64 << 10
"""How much is read of a connection's beginning before it is given up on."""

_TLS_HANDSHAKE = 0x16
_HTTP2 = b"PRI * HTTP/2.0"
_MOST_OF_LINE = 16 << 10
_PRINTABLE = re.compile(rb"[\x20-\x7e\t\r]*")
_AGREEMENT = re.compile(rb"HTTP/1\.1 101( .*)?")
_DROPPED = (b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"http2-settings")


class Refused(Exception):
    """Refusal of a connection: its server cannot be told, or must not be reached; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Preamble:
    """Beginning of a connection. `name` is the server it is meant for, None where the protocol names none; `data` what
    is to be sent to the server in place of what was read. `after_upgrade` is what may follow only when the server has
    agreed to go on with WebSocket; None where nobody asked it to."""

    name: str | None
    data: bytes
    after_upgrade: bytes | None = None


def recognize(data: bytes, port: int) -> Preamble | None:
    """Look at the first bytes that a client has sent; None if more are needed.

    On port 443 nothing but TLS is taken, and on port 80 nothing but HTTP; on other ports a protocol that is neither
    goes through without a name.

    Raises:
        Refused: It is not fit to be let through.
    """
    if data[:1] == bytes([_TLS_HANDSHAKE]):
        return _tls(data) if port != 80 else _refuse("TLS on port 80")
    if port == 443:
        return _refuse("no TLS on port 443")
    stripped = data.lstrip()  # servers pass over empty lines, and so must this
    if stripped.startswith(_HTTP2):
        return _refuse("HTTP/2 without TLS, which may name another server in each request")
    line, ended, _ = stripped.partition(b"\n")
    if ended and (port == 80 or b"HTTP/" in line.upper()):
        return _http(stripped)
    if not ended and (port == 80 or (len(line) < _MOST_OF_LINE and _PRINTABLE.fullmatch(line))):
        return None  # it may still become a request
    return Preamble(None, data)


def _refuse(reason: str) -> Preamble:
    raise Refused(reason)


def _tls(data: bytes) -> Preamble | None:
    """The name in a TLS client's hello, read by the TLS library itself."""
    found: list[str | None] = []

    def remember(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int:
        found.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # it ends there; this is no server

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = remember
    incoming = ssl.MemoryBIO()
    incoming.write(data)
    try:
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as error:
        if not found:
            raise Refused(f"a TLS hello that cannot be read ({error.reason})") from None
    if not found or not found[0]:
        raise Refused("a TLS hello that names no server")
    return Preamble(found[0], data)


def _http(data: bytes) -> Preamble | None:
    """The host of an HTTP/1 request. The server is told to close after it: the next request may name another host."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_BYTES)
    try:
        connection.receive_data(data)
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise Refused(f"an HTTP request that cannot be read ({error})") from None
    if request is h11.NEED_DATA:
        return None
    if not isinstance(request, h11.Request):
        raise Refused("no HTTP request")
    if request.method == b"CONNECT":
        raise Refused("HTTP CONNECT, which leads elsewhere")
    hosts = [value for key, value in request.headers if key == b"host"]
    if len(hosts) != 1:
        raise Refused("an HTTP request that names no host")
    name = _without_port(hosts[0])
    if not request.target.startswith((b"/", b"*")) and _without_port(_authority(request.target)) != name:
        raise Refused("an HTTP request for another host than it names")
    framings = [key for key, _ in request.headers if key in (b"content-length", b"transfer-encoding")]
    if len(framings) > 1:
        raise Refused("an HTTP request of two lengths")
    kept = [(key, value) for key, value in request.headers if key not in _DROPPED]
    upgrades = _asks_for_websocket(request, framings)
    last = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")] if upgrades else [(b"connection", b"close")]
    lines = [b"%s %s HTTP/%s" % (request.method, request.target, request.http_version)]
    lines += [b"%s: %s" % header for header in (*kept, *last)]
    head, rest = b"\r\n".join(lines) + b"\r\n\r\n", connection.trailing_data[0]
    # What follows is the request's body: the server reads no request after one that says it is the last.
    return Preamble(name, head, rest) if upgrades else Preamble(name, head + rest)


def _asks_for_websocket(request: h11.Request, framings: list[bytes]) -> bool:
    upgrade = [value.strip().lower() for key, value in request.headers if key == b"upgrade"]
    return request.method == b"GET" and request.http_version == b"1.1" and upgrade == [b"websocket"] and not framings


def agrees_to_upgrade(said: bytes) -> bool | None:
    """True if a server that was asked to go on with WebSocket does so; None if it has not said enough yet."""
    line, ended, _ = said.partition(b"\r\n")
    if not ended:
        return None if len(said) < _MOST_OF_LINE else False
    if not _AGREEMENT.fullmatch(line):
        return False
    return True if b"\r\n\r\n" in said else (None if len(said) < MOST_BYTES else False)


def _authority(target: bytes) -> bytes:
    return target.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0].rpartition(b"@")[2]


def _without_port(host: bytes) -> str:
    name, colon, port = host.rpartition(b":")
    return (name if colon and port.isdigit() else host).decode("ascii", "replace")

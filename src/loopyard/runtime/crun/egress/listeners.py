"""The sockets that sandboxes are led to.

They are marked transparent (IP_TRANSPARENT), and the rules let sandboxes through to sockets so marked only. When this
server is gone and something else on the host takes one of its ports, sandboxes do not reach that.
"""

import socket
from dataclasses import dataclass

from loopyard.runtime.errors import RuntimeUnavailable

_ATTEMPTS = 100
_BACKLOG = 1024
_IP_TRANSPARENT = 19


@dataclass(frozen=True, slots=True)
class Listeners:
    """`questions` and `lookups` take questions for names, by UDP and by TCP at one port; `streams` connections."""

    questions: socket.socket
    lookups: socket.socket
    streams: socket.socket

    @property
    def names_port(self) -> int:
        return self.questions.getsockname()[1]

    @property
    def streams_port(self) -> int:
        return self.streams.getsockname()[1]

    def close(self) -> None:
        for one in (self.questions, self.lookups, self.streams):
            one.close()


def listen() -> Listeners:
    """Take free ports.

    Raises:
        RuntimeUnavailable: There are none.
    """
    for _ in range(_ATTEMPTS):
        questions = _bound(socket.SOCK_DGRAM, 0)
        try:
            lookups = _bound(socket.SOCK_STREAM, questions.getsockname()[1])
        except OSError:  # the port is free by UDP, but not by TCP
            questions.close()
            continue
        streams = _bound(socket.SOCK_STREAM, 0)
        for one in (lookups, streams):
            one.listen(_BACKLOG)
        return Listeners(questions, lookups, streams)
    raise RuntimeUnavailable("This host has no free ports to answer sandboxes at.")


def listen_for_gateway() -> socket.socket:
    """A listening socket on a free port, for what sandboxes say to the gateway."""
    one = _bound(socket.SOCK_STREAM, 0)
    one.listen(_BACKLOG)
    return one


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    one.setblocking(False)
    one.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
    try:
        one.bind(("0.0.0.0", port))  # noqa: S104  (the rules close it to all but the sandboxes' links)
    except OSError:
        one.close()
        raise
    return one

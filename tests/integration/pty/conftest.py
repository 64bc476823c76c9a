"""A devbox with a token for its terminals, that the tests of a module share."""

import socket
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from runloop_api_client import Runloop
from websockets.sync.client import ClientConnection, connect

from tests.serving import ServerProcess


@dataclass(frozen=True)
class Terminals:
    """The terminals of one devbox, as their users reach them."""

    server: ServerProcess
    client: Runloop
    """The official client, that sends the token with everything."""
    devbox_id: str
    token: str
    tunnel_key: str

    @classmethod
    def of(cls, server: ServerProcess, devbox_id: str) -> "Terminals":
        tunnel = server.client().devboxes.create_pty_tunnel(devbox_id)
        headers = {"X-Runloop-Tunnel-Authorization": f"Bearer {tunnel.auth_token}"}
        return cls(server, server.client(default_headers=headers), devbox_id, tunnel.auth_token, tunnel.tunnel_key)

    def open(self, name: str, query: str = "", *, token: str | None = None, host: str = "localhost") -> "Window":
        """Attach to a session that was connected to."""
        port = int(self.server.base_url.rpartition(":")[2])
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        return Window(
            connect(
                f"ws://{host}/pty/{name}/attach{query}",
                sock=connection,
                additional_headers={"X-Runloop-Tunnel-Authorization": f"Bearer {token or self.token}"},
                max_size=None,
                compression=None,
                max_queue=1,  # who does not look takes little off the wire
                ping_interval=None,  # nor would it see an answer to its own pings, and the server is to end it
                proxy=None,
            )
        )


class Window:
    """One who is attached: what they have seen, and what they type."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen = bytearray()

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def type(self, text: str) -> None:
        self.connection.send(text.encode())

    def shows(self, text: str, seconds: float = 120) -> bytes:
        """Wait until the text is shown; returns all that was shown before it, since the last time."""
        wanted, looked_at = text.encode(), 0
        while (place := self.seen.find(wanted, looked_at)) < 0:
            looked_at = max(0, len(self.seen) - len(wanted))
            message = self.connection.recv(timeout=seconds)
            assert isinstance(message, bytes)
            self.seen += message
        before, self.seen = bytes(self.seen[:place]), self.seen[place + len(wanted) :]
        return before


@pytest.fixture(scope="module")
def terminals(server: ServerProcess) -> Generator[Terminals]:
    client = server.client()
    devbox = client.devboxes.create_and_await_running(name="terminals")
    yield Terminals.of(server, devbox.id)
    client.devboxes.shutdown(devbox.id)

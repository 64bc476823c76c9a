"""WebSocket through tunnels: a real client, and a real service in a real devbox."""

import os

import pytest
from runloop_api_client import Runloop
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.integration.devbox.tunnel import services
from tests.serving import ServerProcess

PORT = 8001


@pytest.fixture(scope="module")
def key(module_client: Runloop, devbox_id: str) -> str:
    """The key of an open tunnel to a devbox in which the WebSocket service runs."""
    services.start(module_client, devbox_id, services.WEBSOCKET_SERVICE, PORT)
    return module_client.devboxes.enable_tunnel(devbox_id).tunnel_key


def open_socket(
    server: ServerProcess,
    key: str,
    path: str = "/",
    *,
    port: int = PORT,
    token: str | None = None,
    subprotocols: list[Subprotocol] | None = None,
) -> ClientConnection:
    """A WebSocket through a tunnel; the name goes in the URL, and the connection to where the server is."""
    import socket

    connection = socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=20)
    headers = {} if token is None else {"X-Runloop-Tunnel-Authorization": f"Bearer {token}"}
    return connect(
        f"ws://{services.name(key, port)}{path}",
        sock=connection,
        additional_headers=headers,
        subprotocols=subprotocols,
        max_size=None,
        proxy=None,
    )


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 15 * 1024**2])
def test_messages_of_all_sizes_come_back(server: ServerProcess, key: str, size: int) -> None:
    message = os.urandom(size)
    with open_socket(server, key) as socket:
        socket.send(message)
        assert socket.recv(timeout=30) == message
        socket.send("Grüße, 世界")
        assert socket.recv(timeout=30) == "Grüße, 世界"


def test_many_messages_keep_their_order(server: ServerProcess, key: str) -> None:
    with open_socket(server, key) as socket:
        for number in range(500):
            socket.send(str(number))
        assert [socket.recv(timeout=30) for _ in range(500)] == [str(number) for number in range(500)]


def test_a_message_in_pieces_comes_back_whole(server: ServerProcess, key: str) -> None:
    with open_socket(server, key) as socket:
        socket.send(iter(["a", "b", "c"]))
        assert socket.recv(timeout=30) == "abc"


def test_path_and_subprotocol_are_passed_on_and_back(server: ServerProcess, key: str) -> None:
    offered = [Subprotocol("first"), Subprotocol("second")]
    with open_socket(server, key, "/a%20b?x=1", subprotocols=offered) as socket:
        assert socket.subprotocol == "second"
        assert socket.response is not None
        assert socket.response.headers["x-path"] == "/a%20b?x=1"


def test_a_close_of_the_service_reaches_the_caller(server: ServerProcess, key: str) -> None:
    with open_socket(server, key) as socket:
        socket.send("close 4001")
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")


def test_a_close_of_the_caller_reaches_the_service(
    server: ServerProcess, module_client: Runloop, devbox_id: str, key: str
) -> None:
    with open_socket(server, key) as socket:
        socket.close(4002, "enough")

    def seen() -> bool:
        read = module_client.devboxes.execute(devbox_id, command="od -An -tx1 /tmp/closed-with; cat /tmp/closed-with")
        return "0f a2" in (read.stdout or "") and "enough" in (read.stdout or "")

    services.until(60, seen)


def test_a_refusal_in_http_is_passed_on(server: ServerProcess, key: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, key, "/refuse")
    assert refused.value.response.status_code == 418
    assert refused.value.response.body == b"teapot!"
    assert refused.value.response.headers["x-own"] == "kept"


def test_nothing_that_listens_is_a_bad_gateway(server: ServerProcess, key: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, key, port=9)
    assert refused.value.response.status_code == 502
    assert b'"code": "bad_gateway"' in (refused.value.response.body or b"")


def test_an_authenticated_tunnel_wants_its_token(server: ServerProcess) -> None:
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(tunnel={"auth_mode": "authenticated"})
        services.start(client, devbox.id, services.WEBSOCKET_SERVICE, PORT)
        assert devbox.tunnel is not None
        for wrong in (None, "wrong"):
            with pytest.raises(InvalidStatus) as refused:
                open_socket(server, devbox.tunnel.tunnel_key, token=wrong)
            assert refused.value.response.status_code == 401
        with open_socket(server, devbox.tunnel.tunnel_key, token=devbox.tunnel.auth_token) as socket:
            socket.send("hello")
            assert socket.recv(timeout=30) == "hello"
            client.devboxes.remove_tunnel(devbox.id)
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
        client.devboxes.shutdown(devbox.id)

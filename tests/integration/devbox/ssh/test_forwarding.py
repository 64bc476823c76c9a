"""Port forwarding over SSH: to and from the one devbox, and nowhere else."""

import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.ssh.clients import Login
from tests.integration.devbox.tunnel import services
from tests.integration.devbox.tunnel.services import until

PORT = 8003


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def forwarding(login: Login, *options: str) -> Generator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        login.ssh(before=("-N", "-o", "ExitOnForwardFailure=yes", *options)), stderr=subprocess.PIPE
    ) as client:
        yield client
        client.terminate()


@pytest.fixture(scope="module")
def service(module_client: Runloop, devbox_id: str) -> int:
    """The port of the HTTP service in the devbox."""
    services.start(module_client, devbox_id, services.HTTP_SERVICE, PORT)
    return PORT


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_local_port_leads_to_a_port_of_the_devbox(login: Login, service: int, host: str) -> None:
    port = free_port()
    with forwarding(login, "-L", f"{port}:{host}:{service}"):
        until(20, lambda: answers(port))
        assert httpx.get(f"http://127.0.0.1:{port}/status/200").text == "said so"
        body = b"x" * 5_000_000
        assert httpx.post(f"http://127.0.0.1:{port}/digest", content=body).json()["size"] == len(body)
        got = httpx.get(f"http://127.0.0.1:{port}/bytes/{len(body)}")
        assert len(got.content) == len(body)


@pytest.mark.parametrize("host", ["169.254.169.254", "10.231.0.1", "example.com", "127.0.0.2"])
def test_other_hosts_are_refused(login: Login, host: str) -> None:
    done = login.run(before=("-v", "-W", f"{host}:80"))
    assert done.returncode != 0
    assert b"administratively prohibited" in done.stderr
    assert done.stdout == b""


def test_the_hosts_own_ports_are_not_reached(login: Login) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = login.run(before=("-v", "-W", f"127.0.0.1:{listener.getsockname()[1]}"))
        assert done.returncode != 0
        assert b"open failed" in done.stderr
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_port_of_the_devbox_leads_to_the_client(login: Login) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    data = b""
                    while piece := connection.recv(65536):
                        data += piece
                    connection.sendall(data[::-1])

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        port = 7171
        with forwarding(login, "-R", f"{port}:127.0.0.1:{listener.getsockname()[1]}"):
            ask = (
                f"import socket; s=socket.create_connection(('127.0.0.1',{port})); s.sendall(b'abc'*100000);"
                "s.shutdown(1); d=b''.join(iter(lambda: s.recv(65536), b'')); print(len(d), d[:6].decode())"
            )
            until(20, lambda: login.run(f"ss -tlnH '( sport = :{port} )' | grep -q 127.0.0.1").returncode == 0)
            for _ in range(2):
                assert login.run(f'python3 -c "{ask}"').stdout == b"300000 cbacba\n"
        until(20, lambda: login.run(f"ss -tlnH '( sport = :{port} )' | grep -q 127.0.0.1").returncode == 1)


def test_a_port_that_is_taken_is_refused(login: Login, service: int) -> None:
    with forwarding(login, "-R", f"{service}:127.0.0.1:9") as client:
        assert client.wait(20) != 0
        assert client.stderr is not None
        assert b"remote port forwarding failed" in client.stderr.read()


def test_agents_and_displays_are_not_forwarded(login: Login) -> None:
    done = login.run("echo $SSH_AUTH_SOCK-$DISPLAY-", before=("-A",))
    assert done.stdout == b"--\n"

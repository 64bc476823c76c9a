"""What is open with a key ends with it, and nothing is opened with it any more: on real connections of each kind."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import Runloop
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.commands import loopyard
from tests.integration.devbox.ssh.clients import Login
from tests.integration.devbox.tunnel import services
from tests.integration.pty.conftest import Terminals
from tests.serving import ServerProcess

LATEST_SECONDS = 5.0
_PORT = 8123
_EXPIRES_SECONDS = 6.0

_DRIP = r"""
import http.server, time

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"drip\n")
            time.sleep(0.1)

http.server.ThreadingHTTPServer(("127.0.0.1", %d), Handler).serve_forever()
"""


@dataclass
class Open:
    """Something open: a thread that ends with it, and is to say how."""

    name: str
    work: Callable[[threading.Event], object]
    begun: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    said: object = None

    def start(self) -> "Open":
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self) -> None:
        try:
            self.said = self.work(self.begun)
        except (httpx.HTTPError, ConnectionClosed, OSError) as error:
            self.said = error
        self.ended_at = time.monotonic()


@pytest.fixture(scope="module")
def devbox(server: ServerProcess) -> Generator[str]:
    client = server.client()
    made = client.devboxes.create_and_await_running(name="keys")
    services.start(client, made.id, _DRIP % _PORT, _PORT)
    yield made.id
    client.devboxes.shutdown(made.id)


def _make_key(server: ServerProcess, **given: Any) -> tuple[str, str]:
    """A key that may use devboxes and objects: its id and its secret."""
    scopes = [
        {"resource_type": f"RESOURCE_TYPE_{kind}", "access_level": "ACCESS_LEVEL_WRITE"}
        for kind in ("DEVBOXES", "OBJECTS")
    ]
    made = server.client().restricted_keys.create(scopes=scopes, **given)  # type: ignore[arg-type]
    assert made.id is not None
    assert made.key_secret is not None
    return made.id, made.key_secret


def _events(server: ServerProcess, key: str, path: str) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", f"{server.base_url}{path}", headers=headers, timeout=60) as answer:
            assert answer.status_code == 200
            begun.set()
            for _ in answer.iter_bytes():
                pass
        return "ended as if it were whole"

    return work


def _events_by_http2(server: ServerProcess, key: str, path: str) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        headers = {"Authorization": f"Bearer {key}"}
        with (
            httpx.Client(http1=False, http2=True, timeout=60) as client,
            client.stream("GET", f"{server.base_url}{path}", headers=headers) as answer,
        ):
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
            begun.set()
            for _ in answer.iter_bytes():
                pass
        return "ended as if it were whole"

    return work


def _ssh(login: Login) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        process = subprocess.Popen(login.ssh("echo in; sleep 1000"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"in\n"
            begun.set()
            return process.wait(60)

    return work


def _terminal(terminals: Terminals) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        with terminals.open("keys") as window:
            window.type("echo $((6*7))\n")
            window.shows("42")
            begun.set()
            while True:
                window.connection.recv(timeout=60)

    return work


def _tunnel(server: ServerProcess, tunnel_key: str) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        headers = {"Host": services.name(tunnel_key, _PORT)}
        with httpx.stream("GET", f"{server.base_url}/", headers=headers, timeout=60) as answer:
            for _ in answer.iter_bytes():
                begun.set()
        return "ended as if it were whole"

    return work


def _upload(url: str) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        def content() -> Iterator[bytes]:
            for number in range(600):
                yield b"x" * 100_000
                if number == 10:
                    begun.set()
                time.sleep(0.05)

        return httpx.put(url, content=content(), timeout=60).status_code

    return work


def _long_poll(server: ServerProcess, key: str, devbox_id: str) -> Callable[[threading.Event], object]:
    def work(begun: threading.Event) -> object:
        begun.set()
        return httpx.post(
            f"{server.base_url}/v1/devboxes/{devbox_id}/wait_for_status",
            headers={"Authorization": f"Bearer {key}"},
            json={"statuses": ["failure"], "timeout_seconds": 25},
            timeout=60,
        ).status_code

    return work


@pytest.mark.parametrize("how", ["revoked", "by the command line", "expired"])
def test_what_is_open_ends_with_its_key_and_nothing_is_opened_any_more(
    how: str, server: ServerProcess, devbox: str, tmp_path: Path
) -> None:
    ends = int((time.time() + _EXPIRES_SECONDS) * 1000) if how == "expired" else None
    key_id, key = _make_key(server, **({} if ends is None else {"expires_at_ms": ends}))
    with Runloop(bearer_token=key, base_url=server.base_url, max_retries=0) as client:
        login = Login.to(client, devbox, tmp_path)
        pty = client.devboxes.create_pty_tunnel(devbox)
        headers = {"X-Runloop-Tunnel-Authorization": f"Bearer {pty.auth_token}"}
        with server.client(default_headers=headers) as attached:
            attached.pty.connect("keys")
        terminals = Terminals(server, client, devbox, pty.auth_token, pty.tunnel_key)
        client.devboxes.remove_tunnel(devbox)
        tunnel_key = client.devboxes.enable_tunnel(devbox).tunnel_key
        axon = client.axons.create().id
        command = client.devboxes.execute_async(devbox, command="sleep 1000").execution_id
        waiting, whole = (client.objects.create(name="keys", content_type="text") for _ in range(2))
        assert waiting.upload_url is not None
        assert whole.upload_url is not None
        httpx.put(whole.upload_url, content=b"whole").raise_for_status()
        client.objects.complete(whole.id)
        download_url = client.objects.download(whole.id).download_url
        assert httpx.get(download_url).content == b"whole"
        streams = f"/v1/devboxes/{devbox}/executions/{command}/stream_stdout_updates"
        opened = [
            Open("events of a command", _events(server, key, streams)).start(),
            Open("events by HTTP/2", _events_by_http2(server, key, streams)).start(),
            Open("evictions", _events(server, key, "/v1/devboxes/evictions/watch")).start(),
            Open("axon", _events(server, key, f"/v1/axons/{axon}/subscribe/sse")).start(),
            Open("SSH", _ssh(login)).start(),
            Open("terminal", _terminal(terminals)).start(),
            Open("tunnel", _tunnel(server, tunnel_key)).start(),
            Open("upload", _upload(waiting.upload_url)).start(),
            Open("long poll", _long_poll(server, key, devbox)).start(),
        ]
        for one in opened:
            assert one.begun.wait(30), one
        if how == "revoked":
            headers = {"Authorization": f"Bearer {server.api_key}"}
            httpx.delete(f"{server.base_url}/v1/apikeys/{key_id}", headers=headers).raise_for_status()
        elif how == "by the command line":
            assert loopyard("key", "revoke", key_id, "--data-dir", str(server.data_dir)).stdout == f"{key_id}\n"
            time.sleep(1.5)  # until the server has looked
        else:
            time.sleep(max(0.0, (ends or 0) / 1000 - time.time()) + 0.01)
        over = time.monotonic()
        _nothing_opens(server, key, login, terminals, tunnel_key, waiting.upload_url, download_url)
        for one in opened:
            one.thread.join(LATEST_SECONDS + 2)
            assert not one.thread.is_alive(), one.name
            assert one.ended_at - over < LATEST_SECONDS, one.name
        said = {one.name: one.said for one in opened}
    assert isinstance(said["events of a command"], httpx.HTTPError), said
    assert isinstance(said["events by HTTP/2"], httpx.HTTPError), said
    assert isinstance(said["axon"], httpx.HTTPError), said
    assert isinstance(said["evictions"], httpx.HTTPError), said
    assert isinstance(said["tunnel"], httpx.HTTPError) or said["tunnel"] == "ended as if it were whole", said
    assert said["SSH"] == 255, said
    assert isinstance(said["terminal"], ConnectionClosed), said
    assert said["terminal"].rcvd is not None
    assert said["terminal"].rcvd.code == 1008, said
    assert isinstance(said["upload"], httpx.HTTPError) or said["upload"] in (401, 403), said
    assert said["long poll"] == 401, said
    _serves_others(server, devbox)


def _nothing_opens(
    server: ServerProcess,
    key: str,
    login: Login,
    terminals: Terminals,
    tunnel_key: str,
    upload_url: str,
    download_url: str,
) -> None:
    refused = httpx.get(f"{server.base_url}/v1/devboxes", headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 401
    through = httpx.get(f"{server.base_url}/", headers={"Host": services.name(tunnel_key, _PORT)})
    assert (through.status_code, through.json()["message"]) == (404, "There is no such tunnel.")
    assert httpx.put(upload_url, content=b"x").status_code == 403
    assert httpx.get(download_url).status_code == 403
    with pytest.raises(InvalidStatus) as denied:
        terminals.open("keys")
    assert denied.value.response.status_code == 401
    token = {"X-Runloop-Tunnel-Authorization": f"Bearer {terminals.token}"}
    assert httpx.get(f"{server.base_url}/pty/keys", headers=token).status_code == 401
    connection = socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=20)
    with contextlib.closing(connection), pytest.raises(InvalidStatus):
        connect(f"ws://{services.name(tunnel_key, _PORT)}/", sock=connection, proxy=None)
    assert login.run("true").returncode == 255


def _serves_others(server: ServerProcess, devbox: str) -> None:
    """The devbox's own are not disturbed: another key makes a tunnel anew."""
    with server.client() as client:
        tunnel = client.devboxes.enable_tunnel(devbox)
        headers = {"Host": services.name(tunnel.tunnel_key, _PORT)}
        with httpx.stream("GET", f"{server.base_url}/", headers=headers, timeout=20) as answer:
            assert next(answer.iter_bytes()).startswith(b"drip")

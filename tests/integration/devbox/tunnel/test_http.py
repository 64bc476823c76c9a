"""HTTP through tunnels, to real services in real devboxes."""

import hashlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator

import httpx
import psutil
import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.tunnel import services
from tests.serving import ServerProcess, serving

PORT = 8000


@pytest.fixture(scope="module")
def key(module_client: Runloop, devbox_id: str) -> str:
    """The key of an open tunnel to a devbox in which the HTTP service runs."""
    services.start(module_client, devbox_id, services.HTTP_SERVICE, PORT)
    return module_client.devboxes.enable_tunnel(devbox_id).tunnel_key


@pytest.fixture
def http(server: ServerProcess, key: str) -> Generator[httpx.Client]:
    with services.through(server, key, PORT) as http:
        yield http


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_requests_arrive_as_they_were_sent(http: httpx.Client, key: str, method: str) -> None:
    answer = http.request(
        method,
        "/a%2Fb//c%20d/%C3%A9?x=1&y=%26",
        headers={"X-Mine": "1", "Connection": "X-Hop, keep-alive", "X-Hop": "1", "Authorization": "Bearer own"},
        content=b"body" if method in ("POST", "PUT") else None,
    )
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen["method"], seen["path"]) == (method, "/a%2Fb//c%20d/%C3%A9?x=1&y=%26")
    assert seen["headers"]["host"] == services.name(key, PORT)
    assert seen["headers"]["x-mine"] == "1"
    assert seen["headers"]["authorization"] == "Bearer own", "the service's own authorization is left to it"
    assert seen["headers"]["connection"] == "close"
    assert "x-hop" not in seen["headers"]
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-forwarded-host"] == services.name(key, PORT)
    assert answer.headers["set-cookie"] == "a=1"
    assert len(answer.headers.get_list("date")) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 304, 404, 418, 500, 503])
def test_answers_come_as_they_were_given(http: httpx.Client, status: int) -> None:
    answer = http.get(f"/status/{status}")
    assert answer.status_code == status
    assert answer.text == ("" if status in (204, 304) else "said so")
    if status != 304:
        assert answer.headers["x-own"] == "kept"
        assert "x-hop" not in answer.headers


def test_the_head_of_an_answer_comes_without_its_body(http: httpx.Client) -> None:
    answer = http.head("/status/200")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "7", b"")


def test_an_answer_streams_while_it_is_made(http: httpx.Client) -> None:
    begun = time.monotonic()
    with http.stream("GET", "/slow") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        times = [time.monotonic() - begun for line in answer.iter_lines() if line]
    assert len(times) == 3
    assert times[0] < 0.45
    assert times[2] > 0.95


def test_both_directions_stream_at_the_same_time(server: ServerProcess, key: str) -> None:
    """Each piece is sent only after the one before has come back: a proxy that waits for the whole body would hang."""
    with socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=20) as connection:
        host = services.name(key, PORT)
        connection.sendall(f"POST /echo-stream HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        seen = b""
        for number in range(5):
            piece = f"piece-{number}".encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            while piece not in seen:
                seen += connection.recv(4096)
        connection.sendall(b"0\r\n\r\n")
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(4096)


def test_a_hundred_megabytes_go_each_way_in_constant_memory(server: ServerProcess, http: httpx.Client) -> None:
    size = 100 * 1024**2
    block = bytes(range(256)) * 256
    process = psutil.Process(server.pid)
    most = before = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()

    def body() -> Iterator[bytes]:
        for _ in range(size // len(block)):
            yield block

    wanted = hashlib.sha256(block * (size // len(block))).hexdigest()
    assert http.post("/digest", content=body()).json() == {"sha256": wanted, "size": size}
    sized = {"Content-Length": str(size)}
    assert http.post("/digest", content=body(), headers=sized).json() == {"sha256": wanted, "size": size}
    digest = hashlib.sha256()
    with http.stream("GET", f"/bytes/{size}") as answer:
        for data in answer.iter_bytes():
            digest.update(data)
    assert digest.hexdigest() == wanted
    done.set()
    watching.join()
    assert most - before < 32 * 1024**2


@pytest.mark.parametrize("path", ["/hang-up", "/garbage"])
def test_a_service_that_does_not_answer_in_http_is_a_bad_gateway(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 502
    assert answer.json()["code"] == "bad_gateway"


def test_trailers_pass(server: ServerProcess, key: str) -> None:
    url = httpx.URL(server.base_url)
    with socket.create_connection((url.host, url.port or 80), 30) as caller:
        asked = f"GET /trailers HTTP/1.1\r\nHost: {services.name(key, PORT)}\r\nTE: trailers\r\n\r\n".encode()
        for _ in range(2):  # the connection stays good for more
            caller.sendall(asked)
            answer = b""
            while not answer.endswith(b"\r\n0\r\nx-sum: 42\r\n\r\n"):
                piece = caller.recv(1 << 16)
                assert piece, answer
                answer += piece
            assert b"\r\ntrailer: X-Sum\r\n" in answer


def test_an_answer_that_is_cut_off_does_not_look_whole(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/cut-off")


def test_nothing_that_listens_is_a_bad_gateway(server: ServerProcess, key: str) -> None:
    with services.through(server, key, 9) as http:
        answer = http.get("/")
    assert answer.status_code == 502
    assert answer.json() == {"code": "bad_gateway", "message": "Nothing listens on port 9 of the devbox."}


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_port_that_cannot_be_is_no_tunnel(server: ServerProcess, key: str, port: int) -> None:
    with services.through(server, key, port) as http:
        assert http.get("/").status_code == 404


def test_an_unknown_key_is_told_as_one(server: ServerProcess, key: str) -> None:
    with services.through(server, key[:-4] + "0000", PORT) as http:
        answer = http.get("/")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_an_authenticated_tunnel_takes_its_token_and_keeps_it_from_the_service(server: ServerProcess) -> None:
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(tunnel={"auth_mode": "authenticated"})
        services.start(client, devbox.id, services.HTTP_SERVICE, PORT)
        assert devbox.tunnel is not None
        key, token = devbox.tunnel.tunnel_key, devbox.tunnel.auth_token
        assert token
        for wrong in (None, "wrong", server.api_key):
            with services.through(server, key, PORT, wrong) as http:
                answer = http.get("/")
            assert answer.status_code == 401
            assert answer.json()["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"
        with services.through(server, key, PORT, token) as http:
            seen = http.get("/").json()
        assert "x-runloop-tunnel-authorization" not in seen["headers"]
        assert token not in str(seen)
        client.devboxes.shutdown(devbox.id)
        with services.through(server, key, PORT, token) as http:
            assert http.get("/").status_code == 404
    assert token not in server.log


def test_a_removed_tunnel_ends_what_goes_through_it(server: ServerProcess) -> None:
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(tunnel={})
        services.start(client, devbox.id, services.HTTP_SERVICE, PORT)
        assert devbox.tunnel is not None
        with services.through(server, devbox.tunnel.tunnel_key, PORT) as http:
            threading.Timer(0.3, lambda: client.devboxes.remove_tunnel(devbox.id)).start()
            with http.stream("GET", f"/bytes/{1 << 40}") as answer, pytest.raises(httpx.RemoteProtocolError):
                deque(answer.iter_bytes(), maxlen=0)
            assert http.get("/").status_code == 404
        client.devboxes.shutdown(devbox.id)


def test_a_caller_that_hangs_up_frees_the_connection_to_the_devbox(
    server: ServerProcess, module_client: Runloop, devbox_id: str, key: str, http: httpx.Client
) -> None:
    with http.stream("GET", f"/bytes/{1 << 40}") as answer:
        next(answer.iter_bytes())
    count = "ss -tnH state established '( sport = :8000 )' | wc -l"
    services.until(60, lambda: (module_client.devboxes.execute(devbox_id, command=count).stdout or "").strip() == "0")


def test_a_service_that_takes_too_long_is_a_gateway_timeout(server: ServerProcess) -> None:
    data = server.data_dir.with_name("hasty-data")
    env = {"LOOPYARD_TUNNEL__ANSWER_SECONDS": "1.5", "LOOPYARD_TUNNEL__DOMAIN": "loopyard.test"}
    with serving(data, env=env) as hasty:
        devbox = hasty.client().devboxes.create_and_await_running(tunnel={})
        services.start(hasty.client(), devbox.id, services.HTTP_SERVICE, PORT)
        assert devbox.tunnel is not None
        with services.through(hasty, devbox.tunnel.tunnel_key, PORT) as http:
            assert http.get("/sleep?0.3").text == "awake"
            answer = http.get("/sleep?20")
            assert answer.status_code == 504
            assert answer.json()["code"] == "gateway_timeout"
            assert len(http.get("/slow").text) > 10, "only the beginning of the answer is waited for"
            elsewhere = {"Host": f"{PORT}-{devbox.tunnel.tunnel_key}.tunnel.other.test"}
            assert http.get("/v1/devboxes", headers=elsewhere).status_code == 401, "another domain is the API's"


def test_the_api_answers_on_all_other_names(server: ServerProcess, key: str) -> None:
    for host in ("127.0.0.1", "api.example.test", f"x-{key}.tunnel.example.test", f"8000-{key}.example.test"):
        answer = httpx.get(f"{server.base_url}/v1/devboxes", headers={"Host": host})
        assert answer.status_code == 401, host
        assert re.search("API key", answer.json()["message"])

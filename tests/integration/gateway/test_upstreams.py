"""Upstreams by TLS and HTTP/2, upstreams that are not allowed or not there, and what becomes of it all in a crash."""

import json
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.devbox.authority import Authority
from tests.integration.gateway.conftest import ENVIRONMENT, Box
from tests.integration.gateway.http2_upstream import serving_http2
from tests.integration.gateway.upstream import SECRET, Upstream, serving_upstream
from tests.serving import ServerProcess, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Generator[ServerProcess]:
    """A server that trusts the tests' authority, and that these tests kill."""
    env = {**ENVIRONMENT, "LOOPYARD_GATEWAY__CA_BUNDLE": str(authority.certificate)}
    with serving(tmp_path_factory.mktemp("upstreams") / "data", env=env) as process:
        yield process


def _box(server: ServerProcess, endpoint: str, name: str) -> Box:
    client = server.client()
    mechanism: Any = {"type": "bearer"}
    config = client.gateway_configs.create(name=name, endpoint=endpoint, auth_mechanism=mechanism)
    gateways: Any = {"MODEL": {"gateway": config.id, "secret": "KEY"}}
    return Box(client, client.devboxes.create_and_await_running(gateways=gateways).id)


@pytest.fixture(scope="module", autouse=True)
def key(server: ServerProcess) -> None:
    server.client().secrets.create(name="KEY", value=SECRET)


def test_an_upstream_by_http2(server: ServerProcess, authority: Authority) -> None:
    with serving_http2(authority.certify("127.0.0.1")) as (port, connections):
        box = _box(server, f"https://127.0.0.1:{port}/h2", "http2")
        out = box.curl("/a?b=c", "-i", "-d hello", "-H 'X-Own: kept'")
        assert out.startswith("HTTP/1.1 200 ")
        assert out.endswith("hello")
        told = dict(json.loads(next(line for line in out.splitlines() if line.startswith("x-told: "))[8:]))
        assert (told[":method"], told[":path"], told[":authority"]) == ("POST", "/h2/a?b=c", f"127.0.0.1:{port}")
        assert (told["authorization"], told["x-own"]) == (f"Bearer {SECRET}", "kept")
        curl = 'curl -sS -H "Authorization: Bearer $MODEL" $MODEL_URL'
        size = 20 << 20
        assert box.run(f"head -c {size} /dev/zero | {curl}/mirror -X POST -T - | wc -c")[1].split() == [str(size)]
        assert box.curl("/get") == ""
        assert len(connections) == 1, "connections are used again"


def test_an_upstream_whose_certificate_is_not_trusted_is_not_called(server: ServerProcess, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(tmp_path).certify("127.0.0.1"))
    with serving_upstream(context) as upstream:
        box = _box(server, f"https://127.0.0.1:{upstream.port}", "untrusted")
        answer = json.loads(box.curl("/"))
        assert (answer["code"], "certificate" in answer["message"]) == ("bad_gateway", True)
        assert upstream.asked == []


def test_an_upstream_that_is_not_there(server: ServerProcess) -> None:
    box = _box(server, "http://127.0.0.1:1", "nobody")
    out = box.curl("/", "-i")
    assert out.startswith("HTTP/1.1 502 ")
    assert "x-loopyard-gateway: refused" in out.lower()
    box = _box(server, "https://there-is-no-such-name.invalid", "no name")
    assert json.loads(box.curl("/"))["code"] == "bad_gateway"


def test_the_gateway_comes_back_with_the_server_and_by_itself(server: ServerProcess, upstream: Upstream) -> None:
    box = _box(server, upstream.url, "comes back")
    token = box.run("echo $MODEL")[1]
    assert "GET" in box.curl("/")
    _proxy(server).kill()
    assert json.loads(box.curl("/", "--retry 5 --retry-all-errors"))["method"] == "GET"
    proxy = _proxy(server)
    server.kill()
    proxy.wait(10)
    server.start(ENVIRONMENT)
    again = Box(server.client(), box.id)
    assert json.loads(again.curl("/", "--retry 5 --retry-all-errors"))["method"] == "GET"
    assert again.run("echo $MODEL")[1] == token


def test_an_address_that_is_not_allowed_any_more_is_refused_when_it_is_connected_to(
    server: ServerProcess, upstream: Upstream
) -> None:
    """What a name leads to is looked at when it is connected to, whatever it was when it was configured."""
    box = _box(server, f"http://localhost:{upstream.port}", "rebound")
    assert json.loads(box.curl("/"))["method"] == "GET"
    server.stop()
    server.start({**ENVIRONMENT, "LOOPYARD_GATEWAY__ALLOWED_NETWORKS": "[]"})
    asked = len(upstream.asked)
    answer = json.loads(Box(server.client(), box.id).curl("/", "--retry 5 --retry-all-errors"))
    assert (answer["code"], "LOOPYARD_GATEWAY__ALLOWED_NETWORKS" in answer["message"]) == ("upstream_refused", True)
    assert len(upstream.asked) == asked
    server.stop()
    server.start(ENVIRONMENT)


def _proxy(server: ServerProcess) -> psutil.Process:
    """The process that carries the calls."""
    children = psutil.Process(server.pid).children(recursive=True)
    return next(one for one in children if "loopyard.gateway_process" in one.cmdline())

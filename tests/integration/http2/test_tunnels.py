"""Tunnels are found by `:authority`, and carry what comes by HTTP/2 on into the devbox."""

import hashlib
from collections.abc import Generator, Iterator

import httpx
import pytest
from h2.events import TrailersReceived
from runloop_api_client import Runloop

from tests.integration.devbox.tunnel import services
from tests.integration.http2.talking import http2, talking
from tests.serving import ServerProcess

PORT = 8000


@pytest.fixture(scope="module")
def through(server: ServerProcess, module_client: Runloop, devbox_id: str) -> Generator[httpx.Client]:
    services.start(module_client, devbox_id, services.HTTP_SERVICE, PORT)
    key = module_client.devboxes.enable_tunnel(devbox_id).tunnel_key
    with http2(server) as http:
        http.headers["Host"] = services.name(key, PORT)  # httpx sends it as :authority
        yield http


def test_requests_arrive_as_they_were_sent(through: httpx.Client) -> None:
    answer = through.get("/a%2Fb//c?x=1&y=%26", headers=[("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Mine", "1")])
    assert answer.http_version == "HTTP/2"
    seen = answer.json()
    assert (seen["method"], seen["path"]) == ("GET", "/a%2Fb//c?x=1&y=%26")
    assert seen["headers"]["host"] == through.headers["Host"]
    assert seen["headers"]["x-mine"] == "1"
    assert seen["headers"]["cookie"] == "a=1; b=2", "HTTP/1.1 knows one header of cookies only"
    assert "transfer-encoding" not in seen["headers"]
    assert len(answer.headers.get_list("date")) == 1


@pytest.mark.parametrize("told", [True, False], ids=["length", "no length"])
def test_bodies_arrive_whole_whether_or_not_their_length_is_told(through: httpx.Client, told: bool) -> None:
    pieces = [bytes([number]) * 100_000 for number in range(30)]
    whole = b"".join(pieces)

    def streamed() -> Iterator[bytes]:
        yield from pieces

    answer = through.post("/digest", content=whole if told else streamed())
    assert answer.json() == {"sha256": hashlib.sha256(whole).hexdigest(), "size": len(whole)}


def test_an_answer_that_is_cut_off_does_not_look_whole(through: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        through.get("/cut-off")
    assert through.get("/status/418").status_code == 418


def test_trailers_pass(server: ServerProcess, through: httpx.Client) -> None:
    with talking(server) as talk:
        stream = talk.h2.get_next_available_stream_id()
        head = {**dict(talk.head("/trailers")), ":authority": through.headers["Host"]}
        talk.h2.send_headers(stream, list(head.items()), end_stream=True)
        talk.flush()
        assert talk.answer(stream) == (200, b"abc")
        [trailers] = talk.all(TrailersReceived, stream)
        assert [(bytes(name), bytes(value)) for name, value in trailers.headers or []] == [(b"x-sum", b"42")]  # type: ignore[arg-type]


def test_a_head_is_answered_with_the_length_and_no_body(through: httpx.Client) -> None:
    answer = through.head("/status/200")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "7", b"")

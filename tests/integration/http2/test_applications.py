"""What an application does that fails, or does not answer whole, as clients of HTTP/2 see it."""

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import pytest
import uvicorn
from h2.errors import ErrorCodes
from h2.events import DataReceived
from hyperframe.frame import DataFrame
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loopyard.connections.config import ConnectionSettings
from loopyard.connections.limits import ConnectionLimits
from loopyard.http2 import connection
from loopyard.http2.switching import limited
from tests.integration.http2.talking import Talk

Serve = Callable[[ASGIApp], AbstractContextManager[Talk]]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def serve() -> Serve:
    return _serve


@contextmanager
def _serve(app: ASGIApp) -> Generator[Talk]:
    """Serve an application, and talk to it."""
    config = uvicorn.Config(app, http=limited(ConnectionLimits(ConnectionSettings())), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)  # so that an answer nobody reads is felt soon
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            talk = Talk(cast("tuple[str, int]", listener.getsockname()), {})
            talk.begin()
            yield talk
            talk.socket.close()
        finally:
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


def test_a_failure_before_the_answer_is_a_500(serve: Serve) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    with serve(app) as talk:
        assert talk.answer(talk.ask()) == (500, b"Internal Server Error")


def test_a_failure_after_the_whole_answer_leaves_it_whole(serve: Serve) -> None:
    """As Starlette does it: it answers 500, and raises what made it do so."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "status": 500})
        await send({"type": "http.response.body", "body": b"told"})
        raise ValueError

    with serve(app) as talk:
        assert talk.answer(talk.ask(end=False)) == (500, b"told")
        assert talk.answer(talk.ask()) == (500, b"told")


@pytest.mark.parametrize("raises", [True, False])
def test_an_answer_that_breaks_off_does_not_look_whole(serve: Serve, raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        if raises:
            raise ValueError

    with serve(app) as talk:
        stream = talk.ask()
        assert talk.reset_of(stream) == ErrorCodes.INTERNAL_ERROR
        assert b"".join(one.data or b"" for one in talk.all(DataReceived, stream)) == b"part"


def test_requests_taken_back_at_once_never_reach_the_application(serve: Serve) -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await send(START)
        await send({"type": "http.response.body", "body": b"x"})

    with serve(app) as talk:
        for _ in range(100):
            stream = talk.h2.get_next_available_stream_id()
            talk.h2.send_headers(stream, talk.head("/taken-back"), end_stream=True)
            talk.h2.reset_stream(stream, ErrorCodes.CANCEL)
        talk.flush()
        assert talk.answer(talk.ask("/wanted"))[0] == 200
    assert asked == ["/wanted"]


def test_an_application_hears_that_nobody_waits_any_more(serve: Serve) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while not heard or heard[-1] != "http.disconnect":
            heard.append((await receive())["type"])

    with serve(app) as talk:
        stream = talk.ask(end=False)
        talk.listen(lambda: bool(talk.all(DataReceived, stream)))
        talk.h2.reset_stream(stream, ErrorCodes.CANCEL)
        talk.flush()
        deadline = time.monotonic() + 120
        while "http.disconnect" not in heard:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert heard[-1] == "http.disconnect"


def test_a_client_that_reads_nothing_of_what_it_causes_is_cut_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "UNSENT_BYTES", 1 << 16)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    with serve(app) as talk:
        stream = talk.h2.get_next_available_stream_id()
        talk.h2.send_headers(stream, talk.head("/"))
        talk.h2.reset_stream(stream, ErrorCodes.CANCEL)
        talk.flush()
        unwanted = DataFrame(stream, data=b"").serialize()  # each is answered with a reset
        with pytest.raises(ConnectionError):
            talk.socket.sendall(unwanted * 500_000)

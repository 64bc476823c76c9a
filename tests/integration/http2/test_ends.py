"""SIGTERM ends a server cleanly whatever its connections of HTTP/2 are at."""

import json
import re
import signal
import time
from collections.abc import Generator

import psutil
import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, StreamReset

from tests.integration.http2.talking import Talk, talking
from tests.serving import ServerProcess, serving


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[ServerProcess, str]]:
    """A server that may be stopped, and a devbox on it. Each test gets it started."""
    with serving(tmp_path_factory.mktemp("http2") / "data") as server:
        with server.client() as client:
            devbox = client.devboxes.create_and_await_running()
        yield server, devbox.id


@pytest.fixture
def stoppable(own: tuple[ServerProcess, str]) -> tuple[ServerProcess, str]:
    if not own[0].alive:
        own[0].start()
    return own


def _end(server: ServerProcess) -> None:
    psutil.Process(server.pid).send_signal(signal.SIGTERM)


def _ended_cleanly(server: ServerProcess, begun: float, most: float) -> None:
    assert server.wait_dead() == 0
    assert time.monotonic() - begun < most
    assert not re.search("Traceback|ERROR", server.log), server.log


def _post(talk: Talk, path: str, body: object) -> int:
    stream = talk.h2.get_next_available_stream_id()
    talk.h2.send_headers(stream, [*talk.head(path, "POST"), ("content-type", "application/json")])
    talk.h2.send_data(stream, json.dumps(body).encode(), end_stream=True)
    talk.flush()
    return stream


def test_an_idle_connection_is_told_goodbye(stoppable: tuple[ServerProcess, str]) -> None:
    server, _ = stoppable
    with talking(server) as talk, talking(server) as unused:
        assert talk.answer(talk.ask())[0] == 200
        begun = time.monotonic()
        _end(server)
        assert talk.goodbye() == ErrorCodes.NO_ERROR
        assert unused.goodbye() == ErrorCodes.NO_ERROR
        _ended_cleanly(server, begun, 5)


def test_a_stream_of_events_is_cut_off(stoppable: tuple[ServerProcess, str]) -> None:
    server, devbox = stoppable
    with server.client() as client:
        execution = client.devboxes.execute_async(devbox, command="echo begun; sleep 60")
    with talking(server) as talk:
        events = talk.ask(f"/v1/devboxes/{devbox}/executions/{execution.execution_id}/stream_stdout_updates")
        talk.listen(lambda: bool(talk.all(DataReceived, events)))
        begun = time.monotonic()
        _end(server)
        talk.listen_to_end()
        assert talk.all(StreamReset, events), "it is not to look whole"
        _ended_cleanly(server, begun, 5)


def test_what_only_waits_is_answered_to_ask_again(stoppable: tuple[ServerProcess, str]) -> None:
    server, devbox = stoppable
    with talking(server) as talk:
        body = {"statuses": ["shutdown"], "timeout_seconds": 25}
        stream = _post(talk, f"/v1/devboxes/{devbox}/wait_for_status", body)
        assert talk.answer(talk.ask())[0] == 200
        time.sleep(0.5)
        begun = time.monotonic()
        _end(server)
        status, said = talk.answer(stream)
        assert (status, json.loads(said)["code"]) == (503, "server_ending")
        assert talk.goodbye() == ErrorCodes.NO_ERROR
        _ended_cleanly(server, begun, 5)


def test_an_upload_that_does_not_end_is_ended(stoppable: tuple[ServerProcess, str]) -> None:
    server, devbox = stoppable
    with talking(server) as talk:
        stream = talk.h2.get_next_available_stream_id()
        kind = ("content-type", "multipart/form-data; boundary=x")
        talk.h2.send_headers(stream, [*talk.head(f"/v1/devboxes/{devbox}/upload_file", "POST"), kind])
        talk.h2.send_data(stream, b'--x\r\nContent-Disposition: form-data; name="path"\r\n\r\nslow')
        talk.flush()
        assert talk.answer(talk.ask())[0] == 200
        begun = time.monotonic()
        _end(server)
        assert talk.answer(stream)[0] == 503
        _ended_cleanly(server, begun, 15)

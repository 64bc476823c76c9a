"""Subscriptions of axons by HTTP/2 end with an error that says why, also when the server goes."""

import json
import signal
from collections.abc import Generator
from contextlib import ExitStack

import psutil
import pytest
from h2.events import DataReceived, StreamEnded, StreamReset

from loopyard.kit.http.sse import error_message
from tests.integration.http2.talking import Talk, talking
from tests.serving import ServerProcess

CONNECTIONS, STREAMS, EVENTS = 3, 40, 3


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server that may be stopped."""
    server = ServerProcess(tmp_path_factory.mktemp("subscriptions") / "data").start()
    yield server
    if server.alive:
        server.stop()


def _read(talk: Talk, stream: int) -> bytes:
    return b"".join(one.data or b"" for one in talk.all(DataReceived, stream))


def _sequences(text: bytes) -> list[int]:
    """Sequences of the events that are there as a whole."""
    whole = text.rpartition(b"\n\n")[0]
    messages = [json.loads(line[6:]) for line in whole.split(b"\n") if line.startswith(b"data: ")]
    return [one["sequence"] for one in messages if "sequence" in one]


def test_all_streams_of_all_connections_end_with_408_when_the_server_does(own: ServerProcess) -> None:
    client = own.client(max_retries=0)
    axon = client.axons.create().id
    with ExitStack() as stack:
        talks = [stack.enter_context(talking(own)) for _ in range(CONNECTIONS)]
        streams = [[talk.ask(f"/v1/axons/{axon}/subscribe/sse") for _ in range(STREAMS)] for talk in talks]
        for _ in range(EVENTS):
            client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="{}", source="s")
        seen = list(range(1, EVENTS + 1))
        for talk, asked in zip(talks, streams, strict=True):
            for stream in asked:
                talk.listen(lambda talk=talk, stream=stream: _sequences(_read(talk, stream)) == seen)
        psutil.Process(own.pid).send_signal(signal.SIGTERM)
        for talk, asked in zip(talks, streams, strict=True):
            talk.listen_to_end()
            for stream in asked:
                assert not talk.all(StreamReset, stream)
                assert talk.all(StreamEnded, stream)
                expected = error_message(408, "The server ends. Subscribe again after the last sequence.")
                assert _read(talk, stream).endswith(expected)
                assert _sequences(_read(talk, stream)) == seen
    assert own.wait_dead(120) == 0


def test_a_reader_that_does_not_read_sees_no_clean_end_and_does_not_keep_the_server(own: ServerProcess) -> None:
    client = own.client(max_retries=0)
    axon = client.axons.create().id
    for _ in range(4):
        client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="x" * 100_000, source="s")
    with talking(own) as slow, talking(own) as quick:
        stuck = slow.ask(f"/v1/axons/{axon}/subscribe/sse")
        slow.listen(lambda: len(_read(slow, stuck)) >= 65_535, take=False)  # no more is allowed for
        other = quick.ask(f"/v1/axons/{axon}/subscribe/sse")
        quick.listen(lambda: len(_sequences(_read(quick, other))) >= 3)
        psutil.Process(own.pid).send_signal(signal.SIGTERM)
        quick.listen_to_end()
        slow.listen(lambda: False, take=False)
        assert b"event: error" in _read(quick, other)
        assert quick.all(StreamEnded, other)
        assert not slow.all(StreamEnded, stuck), "it looks whole"
    assert own.wait_dead(120) == 0

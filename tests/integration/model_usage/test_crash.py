"""What is known of calls of models when the server, or its proxy, is killed in their middle."""

from collections.abc import Generator

import pytest

from tests.integration.model_usage.conftest import ENVIRONMENT, Run, StartRun, starting
from tests.integration.model_usage.model_server import ModelServer
from tests.model_answers import MESSAGES_TOKENS
from tests.processes import descendants
from tests.serving import ServerProcess, serving

RECORDING = {**ENVIRONMENT, "LOOPYARD_GATEWAY__RECORD": "true"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server that may be killed. It comes back at the same port, where its clients expect it."""
    with serving(tmp_path_factory.mktemp("crash") / "data", env=RECORDING) as process:
        process.port = int(process.base_url.rpartition(":")[2])
        yield process


@pytest.fixture
def start(own: ServerProcess, models: ModelServer) -> Generator[StartRun]:
    with own.client(max_retries=5) as client:
        yield starting(client, models)


def in_the_middle(run: Run, models: ModelServer) -> None:
    """A call that was counted, and one that goes on."""
    assert run.call("messages", "-o /dev/null").endswith("200")
    run.until(lambda usage: usage["counted"] == 1)
    run.begin("messages-stream", query="held=1")
    assert models.held.acquire(timeout=20)
    assert run.usage["counted"] == 1  # what has begun is written down by now


def test_the_server_is_killed(own: ServerProcess, start: StartRun, models: ModelServer) -> None:
    run = start(metadata={"loopyard.max_tokens": str(MESSAGES_TOKENS.total + 1)})
    in_the_middle(run, models)
    own.kill()
    own.start(RECORDING)
    usage = run.usage
    assert (usage["calls"], usage["counted"], usage["cut_off"]) == (2, 1, 1)
    assert usage["input_tokens"] == MESSAGES_TOKENS.input
    assert run.call("messages", "-o /dev/null").endswith("200")
    run.until(lambda usage: usage["counted"] == 2)
    assert run.call("messages", "-o /dev/null").endswith("429")


def test_the_proxy_is_killed(own: ServerProcess, start: StartRun, models: ModelServer) -> None:
    run = start()
    in_the_middle(run, models)
    (proxy,) = descendants(own.pid, "loopyard.gateway_process")
    proxy.kill()
    run.until(lambda usage: usage["cut_off"] == 1)
    assert run.call("messages", "-o /dev/null --retry 10 --retry-all-errors").endswith("200")
    usage = run.until(lambda usage: usage["counted"] == 2)
    assert usage["calls"] == 3


def test_a_recording_outlives_the_server(own: ServerProcess, start: StartRun) -> None:
    recorded, not_recorded = start(), start(metadata={"loopyard.record_model_calls": "false"})
    for run in (recorded, not_recorded):
        run.call("chat", "-o /dev/null")
        run.until(lambda usage: usage["counted"] == 1)
    own.kill()
    own.start(RECORDING)
    with recorded.logs as logs:
        assert logs.read("model_calls.jsonl").count(b"\n") == 1
    with not_recorded.logs as logs:
        assert "model_calls.jsonl" not in logs.namelist()

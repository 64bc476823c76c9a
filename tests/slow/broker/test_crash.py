"""SIGKILL of the server in the middle of conversations: no event is lost or published twice, and the agent goes on."""

import json
import secrets
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.broker.conftest import install_acp, puppet
from tests.integration.broker.talking import Conversation
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store

FAILPOINTS = ("broker.step", "broker.stepped", "broker.delivered", "broker.woken")
OF_A_PROCESS = ("broker.exited", "broker.launching")


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[ServerProcess]:
    url = None
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = new_store(cluster)
    with serving(tmp_path / "data", database_url=url) as process:
        process.port = int(process.base_url.rpartition(":")[2])
        yield process


def _start(server: ServerProcess) -> tuple[Conversation, str]:
    talk = Conversation(server).create(**puppet(install_acp(server.client())))
    return talk, talk.open_session()


def _check(talk: Conversation, prompts: list[str]) -> None:
    """Each prompt was acted on once, in order, and each message of the agent published once."""
    assert talk.said() == [text for prompt in prompts for text in _texts(prompt)]
    names = [one.event_type for one in talk.events() if one.source == "broker"]
    assert names.count("turn.started") == names.count("turn.completed") == len(prompts)
    assert names.count("agent.error") == names.count("broker.error") == 0
    count = talk.client.devboxes.execute(talk.devbox, command="pgrep -fc '^/opt/agents/[^ ]*/bin/python'")
    assert (count.stdout or "").strip() == "1"


def _texts(prompt: str) -> list[str]:
    command, _, argument = prompt.partition(" ")
    return [argument] if command == "say" else [str(number) for number in range(int(argument))]


def test_a_kill_at_each_place_loses_and_doubles_nothing(server: ServerProcess) -> None:
    talk, session = _start(server)
    prompts: list[str] = []
    for failpoint in FAILPOINTS:
        server.stop()
        server.start({"LOOPYARD_FAILPOINT": failpoint})
        prompts.append(f"say at {failpoint}")
        _publish_through(talk, session, prompts[-1])
        server.wait_dead()
        server.start()
        talk.wait("turn.completed")
    _check(talk, prompts)


def _publish_through(talk: Conversation, session: str, prompt: str) -> None:
    """Publish a prompt to a server that may die of it: the repeat of the call finds what it did."""
    client = talk.server.client(max_retries=0)
    content = {"sessionId": session, "prompt": [{"type": "text", "text": prompt}]}
    client.axons.publish(
        talk.axon, event_type="session/prompt", origin="USER_EVENT", payload=json.dumps(content), source="tests"
    )


def test_a_kill_at_the_end_or_start_of_a_process_doubles_neither(server: ServerProcess) -> None:
    talk, session = _start(server)
    for failpoint, prompt in zip(OF_A_PROCESS, ("crash 3", "recall"), strict=True):
        server.stop()
        server.start({"LOOPYARD_FAILPOINT": failpoint})
        _publish_through(talk, session, prompt)
        server.wait_dead()
        server.start()
        talk.wait("agent.error" if prompt == "crash 3" else "turn.completed")
    names = [one.event_type for one in talk.events()]
    assert (names.count("turn.started"), names.count("turn.failed"), names.count("agent.error")) == (2, 1, 1)
    assert json.loads(talk.said()[-1]) == ["crash 3", "recall"]


def test_kills_at_any_moment_lose_and_double_nothing(server: ServerProcess) -> None:
    talk, session = _start(server)
    prompts = [f"count {100 + number}" for number in range(4)]
    for prompt in prompts:
        talk.prompt(session, prompt)
    for _ in range(5):
        time.sleep(0.2 + secrets.randbelow(800) / 1000)
        server.kill()
        server.start()
    for _ in prompts:
        talk.wait("turn.completed")
    _check(talk, prompts)


def test_a_server_that_is_killed_while_a_devbox_comes_to_rest_goes_on(server: ServerProcess) -> None:
    talk, session = _start(server)
    talk.prompt(session, "sleep 3")
    talk.wait("turn.started")
    talk.client.devboxes.suspend(talk.devbox)
    server.kill()
    server.start()
    talk.wait("turn.completed")
    talk.wait("devbox.suspended")
    talk.client.devboxes.resume(talk.devbox)
    talk.wait("devbox.resumed")
    after = talk.prompt(session, "recall")
    talk.wait("turn.completed")
    assert talk.said(after) == [json.dumps(["sleep 3", "recall"])]
    names = [one.event_type for one in talk.events()]
    assert names.count("devbox.suspended") == names.count("devbox.resumed") == 1


def test_permission_is_granted_where_no_client_answers(server: ServerProcess) -> None:
    talk, session = _start(server)
    talk.prompt(session, "ask")
    talk.wait("turn.completed")
    assert talk.said() == ["yes"]

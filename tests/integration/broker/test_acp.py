"""An agent that speaks ACP, driven by an axon through its whole life."""

import json
import time
from typing import Any

import pytest
from runloop_api_client import BadRequestError, Runloop

from tests.integration.broker.conftest import Start
from tests.integration.broker.talking import Conversation, payload
from tests.serving import ServerProcess

LIFECYCLE: dict[str, Any] = {"lifecycle": {"resume_triggers": {"axon_event": True}}}


def test_turns_come_one_after_the_other(start: Start) -> None:
    talk = start()
    assert payload(talk.wait("devbox.running")) == {"devbox_id": talk.devbox}
    session = talk.open_session()
    asked = [talk.prompt(session, f"say {word}") for word in ("one", "two", "three")]
    for _ in range(3):
        started = talk.wait("turn.started")
        ended = talk.wait("turn.completed")
        assert payload(ended) == {**payload(started), "stop_reason": "end_turn"}
    assert talk.said() == ["one", "two", "three"]
    origins = {one.event_type: one.origin for one in talk.events() if one.sequence not in asked}
    assert (origins["session/update"], origins["turn.started"]) == ("AGENT_EVENT", "SYSTEM_EVENT")

    # A prompt of megabytes passes whole, and a cancel does not wait for the turn.
    talk.prompt(session, "length " + "x" * 3_000_000)
    talk.wait("turn.completed")
    assert talk.said()[-1] == "3000000"
    talk.prompt(session, "wait")
    talk.wait("turn.started")
    talk.publish("session/cancel", {"sessionId": session})
    assert payload(talk.wait("turn.completed"))["stop_reason"] == "cancelled"

    # What the agent itself, or the server, published is not acted on.
    talk.publish("session/prompt", {"sessionId": session, "prompt": []}, origin="AGENT_EVENT")
    talk.prompt(session, "say more")
    talk.wait("turn.completed")
    assert [one.event_type for one in talk.events()].count("turn.started") == 6


def test_a_client_decides_on_permissions(start: Start) -> None:
    talk = start()
    session = talk.open_session()
    talk.prompt(session, "ask")
    talk.wait("session/request_permission")
    answer = {"outcome": {"outcome": "selected", "optionId": "no"}}
    talk.publish("session/request_permission", answer)
    talk.wait("turn.completed")
    assert talk.said() == ["no"]


def test_faults_of_the_agent_are_told_and_it_goes_on(start: Start) -> None:
    talk = start()
    session = talk.open_session()
    talk.prompt(session, "print this is no JSON")
    assert "this is no JSON" in payload(talk.wait("agent.error"))["message"]
    talk.wait("turn.completed")
    talk.prompt(session, "log to standard error")
    talk.wait("turn.completed")
    logged = talk.find(lambda one: one.event_type == "agent.log" and "standard error" in one.payload)
    assert payload(logged) == {"log_type": "stderr", "message": "to standard error"}
    talk.prompt(session, f"large {16 * 1024**2}")
    assert payload(talk.wait("agent.error"))["type"] == "frame_too_large"
    talk.wait("turn.completed")
    talk.prompt(session, "nonsense")
    assert payload(talk.wait("turn.failed"))["stop_reason"] == "error"
    talk.publish("session/prompt", "no object")
    assert payload(talk.wait("agent.error"))["type"] == "invalid_event"

    talk.prompt(session, "crash 3")
    failed, told = payload(talk.wait("turn.failed")), payload(talk.wait("agent.error"))
    assert "exited with 3" in failed["error"]
    assert (told["type"], "going down" in told["message"]) == ("exited", True)
    after = talk.prompt(session, "recall")
    talk.wait("turn.completed")
    remembered = json.loads(talk.said(after)[0])
    assert remembered[-2:] == ["crash 3", "recall"]
    assert not any("replayed" in text for text in talk.said())


def test_a_suspended_agent_is_woken_by_an_event_and_has_its_session(start: Start) -> None:
    talk = start(launch_parameters=LIFECYCLE)
    session = talk.open_session()
    talk.prompt(session, "sleep 2")
    talk.wait("turn.started")
    waiting = talk.prompt(session, "say later")
    talk.client.devboxes.suspend(talk.devbox)
    assert payload(talk.wait("turn.completed"))["stop_reason"] == "end_turn"
    talk.wait("devbox.suspended")
    assert talk.said() == ["slept"]
    assert talk.client.devboxes.retrieve(talk.devbox).status == "suspended"

    talk.prompt(session, "recall")
    assert payload(talk.wait("devbox.resumed")) == {"devbox_id": talk.devbox}
    talk.wait("turn.completed")
    talk.wait("turn.completed")
    assert talk.said(waiting)[-2:] == ["later", json.dumps(["sleep 2", "say later", "recall"])]
    talk.client.devboxes.shutdown(talk.devbox)
    talk.wait("devbox.shutdown")


def test_a_turn_is_abandoned_when_the_time_to_come_to_rest_is_over(start: Start) -> None:
    hooks = {"lifecycle_hooks": {"suspend_deadline_ms": 1000}}
    talk = start(launch_parameters={"lifecycle": hooks})
    session = talk.open_session()
    talk.prompt(session, "wait")
    talk.wait("turn.started")
    began = time.monotonic()
    talk.client.devboxes.suspend(talk.devbox)
    assert "suspended" in payload(talk.wait("turn.failed"))["error"]
    talk.wait("devbox.suspended")
    assert time.monotonic() - began < 60


def test_a_missing_program_is_told(server: ServerProcess) -> None:
    talk = Conversation(server).create(binary="no-such-agent")
    assert "no-such-agent" in payload(talk.wait("broker.error"))["message"]
    talk.publish("initialize", {})
    talk.wait("broker.error")
    talk.client.devboxes.shutdown(talk.devbox)


def test_an_axon_that_is_deleted_ends_the_agent(start: Start) -> None:
    talk = start()
    talk.open_session()
    talk.client.axons.delete(talk.axon)
    command = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    deadline = time.monotonic() + 120
    while "python -u /home/user/puppet.py" in str(talk.client.devboxes.execute(talk.devbox, command=command).stdout):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert talk.client.devboxes.retrieve(talk.devbox).status == "running"


def test_a_mount_without_an_axon_is_refused(client: Runloop) -> None:
    def refused(*mounts: Any) -> str:
        with pytest.raises(BadRequestError) as error:
            client.devboxes.create(mounts=mounts)
        return error.value.body["field"]  # type: ignore[index, no-any-return]

    axon = client.axons.create().id
    deleted = client.axons.create().id
    client.axons.delete(deleted)
    assert refused({"type": "broker_mount", "axon_id": "axn_1"}) == "mounts.0.axon_id"
    assert refused({"type": "broker_mount", "axon_id": deleted}) == "mounts.0.axon_id"
    assert refused(*[{"type": "broker_mount", "axon_id": axon}] * 2) == "mounts.1.type"
    assert refused({"type": "broker_mount", "axon_id": axon, "protocol": "smoke"}) == "mounts.0.protocol"

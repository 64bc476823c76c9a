"""An `x-request-id` stands for one request: a repeat gets the first answer, and another request is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from runloop_api_client import APIStatusError, ConflictError, Runloop

from tests.integration.api.answers import error_of
from tests.integration.devbox.waiting import POLL, execute
from tests.integration.scenario.definitions import bash, scenario

Call = Callable[[Runloop, str, str, str], Any]
"""Makes a request; arguments: the client, a devbox that runs, the key, and a word that the body differs by."""


def _scenario(api: Runloop, _: str, key: str, word: str) -> str:
    fields: dict[str, Any] = {**scenario(bash("one", "echo score=1.0")), "name": word}
    return api.scenarios.create(**fields, idempotency_key=key).id


CREATES: dict[str, Call] = {
    "devboxes.create": lambda api, _, key, word: api.devboxes.create(name=word, idempotency_key=key).id,
    "snapshots": lambda api, box, key, word: api.devboxes.snapshot_disk_async(box, name=word, idempotency_key=key).id,
    "scenarios": _scenario,
    "benchmarks": lambda api, _, key, word: api.benchmarks.create(name=word, idempotency_key=key).id,
    "secrets": lambda api, _, key, word: api.secrets.create(name="REPEATED_BY_KEY", value=word, idempotency_key=key).id,
    "objects": lambda api, _, key, word: api.objects.create(name=word, content_type="text", idempotency_key=key).id,
    "network_policies": lambda api, _, key, word: api.network_policies.create(name=word, idempotency_key=key).id,
    "axons": lambda api, _, key, word: api.axons.create(name=word, idempotency_key=key).id,
}


@pytest.mark.parametrize("name", CREATES)
def test_another_body_is_refused_and_a_repeat_is_answered(api: Runloop, devbox_id: str, name: str) -> None:
    call, key = CREATES[name], f"request-{name}"
    first = call(api, devbox_id, key, "first")
    with pytest.raises(ConflictError) as refused:
        call(api, devbox_id, key, "second")
    assert error_of(refused.value)["code"] == "request_id_reused"
    assert error_of(refused.value)["field"] == "x-request-id"
    assert call(api, devbox_id, key, "first") == first
    if name == "secrets":
        api.secrets.delete("REPEATED_BY_KEY")


def test_the_same_key_for_another_operation_is_another_request(api: Runloop) -> None:
    made = api.devboxes.create(name="one", idempotency_key="operations")
    assert api.axons.create(name="two", idempotency_key="operations").id != made.id
    api.devboxes.shutdown(made.id)


@pytest.mark.parametrize("way", ["execute_sync", "execute_async"])
def test_a_second_command_is_refused_and_not_run(api: Runloop, devbox_id: str, way: str) -> None:
    def send(command: str, **fields: Any) -> Any:
        return getattr(api.devboxes, way)(devbox_id, command=command, idempotency_key=f"command-{way}", **fields)

    first = send(f"echo one >> {way}")
    for other in ({"command": f"echo two >> {way}"}, {"command": f"echo one >> {way}", "shell_name": "main"}):
        with pytest.raises(ConflictError) as refused:
            send(**other)
        assert error_of(refused.value)["code"] == "request_id_reused"
    again = send(f"echo one >> {way}")
    if way == "execute_async":
        assert again.execution_id == first.execution_id
        api.devboxes.executions.await_completed(first.execution_id, devbox_id=devbox_id, polling_config=POLL)
    assert execute(api, devbox_id, f"cat {way}").stdout == "one\n"


def test_a_named_shell_refuses_a_second_command_too(api: Runloop, devbox_id: str) -> None:
    def send(command: str) -> str:
        return api.devboxes.execute_sync(
            devbox_id, command=command, shell_name="repeated", idempotency_key="in-a-shell"
        ).stdout

    first = send("echo one")
    with pytest.raises(ConflictError):
        send("echo two")
    assert send("echo one") == first


def test_a_second_text_is_refused_and_not_sent(api: Runloop, devbox_id: str) -> None:
    running = api.devboxes.execute_async(devbox_id, command="cat", attach_stdin=True)

    def send(**fields: Any) -> bool:
        return api.devboxes.executions.send_std_in(running.execution_id, devbox_id=devbox_id, **fields).success

    assert send(text="one\n", idempotency_key="a-text")
    with pytest.raises(ConflictError):
        send(text="two\n", idempotency_key="a-text")
    assert send(text="one\n", idempotency_key="a-text")
    assert send(signal="EOF")
    ended = api.devboxes.executions.await_completed(running.execution_id, devbox_id=devbox_id, polling_config=POLL)
    assert ended.stdout == "one\n"


def test_a_second_event_is_refused_and_not_published(api: Runloop) -> None:
    axon = api.axons.create(name="once")

    def publish(payload: str) -> int:
        return api.axons.publish(
            axon.id,
            event_type="note",
            origin="EXTERNAL_EVENT",
            source="test",
            payload=payload,
            idempotency_key="an-event",
        ).sequence

    assert publish('"one"') == 1
    with pytest.raises(ConflictError):
        publish('"two"')
    assert publish('"one"') == 1
    assert len(list(api.axons.events.list(axon.id).events)) == 1


def test_an_unusable_key_is_named(api: Runloop) -> None:
    with pytest.raises(APIStatusError) as refused:
        api.devboxes.create(idempotency_key="k" * 300)
    assert refused.value.status_code == 400

"""Devboxes through the official client: making, finding, changing, ending."""

import time

import httpx
import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, NotFoundError, Runloop

from tests.serving import ServerProcess


@pytest.mark.semantic
def test_create_answers_at_once_and_then_runs(client: Runloop) -> None:
    made = client.devboxes.create(name="n", metadata={"team": "a"}, environment_variables={"GREETING": "hé llo"})
    assert made.status == "provisioning"
    devbox = client.devboxes.await_running(made.id)
    assert devbox.status == "running"
    assert (devbox.name, devbox.metadata) == ("n", {"team": "a"})
    assert devbox.initiator_type == "api"
    result = client.devboxes.execute_sync(devbox.id, command="echo $GREETING; whoami; pwd; id -u")
    assert result.stdout.splitlines() == ["hé llo", "user", "/home/user", "1000"]
    ended = client.devboxes.shutdown(devbox.id)
    assert (ended.status, ended.shutdown_reason) == ("shutdown", "api_shutdown")
    assert ended.end_time_ms is not None
    assert ended.end_time_ms >= ended.create_time_ms


@pytest.mark.semantic
def test_transitions_are_recorded_with_rising_times(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    devbox = client.devboxes.shutdown(devbox.id)
    statuses = [transition.status for transition in devbox.state_transitions]
    assert statuses == ["queued", "provisioning", "initializing", "running", "shutdown"]
    times = [transition.transition_time_ms for transition in devbox.state_transitions]
    assert all(isinstance(time_ms, int) for time_ms in times)
    assert times == sorted(times)  # type: ignore[type-var]


@pytest.mark.semantic
def test_shutdown_twice_is_the_same_shutdown(client: Runloop) -> None:
    devbox = client.devboxes.create()
    first = client.devboxes.shutdown(devbox.id)
    assert client.devboxes.shutdown(devbox.id) == first


@pytest.mark.semantic
def test_file_mounts_and_launch_commands_come_before_running(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        file_mounts={"/home/user/app/config.txt": "one\n"},
        mounts=[{"type": "file_mount", "target": "~/über uns.txt", "content": "zwei"}],
        launch_parameters={"launch_commands": ["cat app/config.txt > seen", "echo two >> seen"]},
    )
    result = client.devboxes.execute_sync(devbox.id, command="cat seen; cat '/home/user/über uns.txt'; stat -c %U app")
    assert result.stdout == "one\ntwo\nzweiuser\n"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_launch_command_that_fails_fails_the_devbox_and_says_why(client: Runloop) -> None:
    made = client.devboxes.create(launch_parameters={"launch_commands": ["true", "echo no such luck >&2; exit 7"]})
    deadline = time.monotonic() + 120
    while (devbox := client.devboxes.retrieve(made.id)).status != "failure":
        assert time.monotonic() < deadline, devbox
        time.sleep(0.05)
    assert devbox.failure_reason == "execution_failed"
    reason = devbox.state_transitions[-1].failure_reason
    assert reason is not None
    assert "exited with 7" in reason
    assert "no such luck" in reason


def test_keep_alive_ends_a_devbox(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(launch_parameters={"keep_alive_time_seconds": 1})
    assert _ended(client, devbox.id) == "keep_alive_timeout"


def test_an_idle_devbox_is_shut_down_and_a_used_one_is_not(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"lifecycle": {"after_idle": {"idle_time_seconds": 2, "on_idle": "shutdown"}}}
    )
    running = client.devboxes.execute_sync(devbox.id, command="sleep 4; echo still here")
    assert running.stdout == "still here\n"
    assert _ended(client, devbox.id) == "idle"


def _ended(client: Runloop, devbox_id: str) -> str | None:
    deadline = time.monotonic() + 120
    while (devbox := client.devboxes.retrieve(devbox_id)).status != "shutdown":
        assert time.monotonic() < deadline, devbox
        time.sleep(0.1)
    return devbox.shutdown_reason


@pytest.mark.semantic
def test_list_pages_newest_first_and_filters_by_status(client: Runloop) -> None:
    made = [client.devboxes.create(name=f"page {index}").id for index in range(3)]
    ended = client.devboxes.create()
    client.devboxes.shutdown(ended.id)
    first = client.devboxes.list(limit=2)
    assert [devbox.id for devbox in first.devboxes] == [ended.id, made[2]]
    assert first.has_more
    rest = client.devboxes.list(limit=2, starting_after=made[2])
    assert [devbox.id for devbox in rest.devboxes] == [made[1], made[0]]
    assert first.total_count is not None
    assert first.total_count >= 4
    assert client.devboxes.list(limit=1, include_total_count=False).total_count is None
    shut = client.devboxes.list(status="shutdown", limit=5000)
    assert ended.id in {devbox.id for devbox in shut.devboxes}
    assert not {*made} & {devbox.id for devbox in shut.devboxes}
    for devbox_id in made:
        client.devboxes.shutdown(devbox_id)


@pytest.mark.semantic
def test_update_changes_what_is_given(client: Runloop) -> None:
    devbox = client.devboxes.create(name="before", metadata={"a": "1"})
    assert client.devboxes.update(devbox.id, name="after").metadata == {"a": "1"}
    assert client.devboxes.update(devbox.id, metadata={}).name == "after"
    assert client.devboxes.retrieve(devbox.id).metadata == {}
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_retried_create_makes_one_devbox(client: Runloop) -> None:
    first = client.devboxes.create(name="once", idempotency_key="the-same-call")
    assert client.devboxes.create(name="once", idempotency_key="the-same-call").id == first.id
    client.devboxes.shutdown(first.id)


@pytest.mark.semantic
def test_unknown_devboxes_are_not_found(client: Runloop) -> None:
    with pytest.raises(NotFoundError):
        client.devboxes.retrieve("dbx_nope")
    with pytest.raises(NotFoundError):
        client.devboxes.shutdown("dbx_nope")
    with pytest.raises(NotFoundError):
        client.devboxes.execute_sync("dbx_nope", command="true")
    with pytest.raises(NotFoundError):
        client.devboxes.read_file_contents("dbx_nope", file_path="x")


@pytest.mark.semantic
def test_an_ended_devbox_runs_nothing_and_the_client_does_not_retry(client: Runloop) -> None:
    devbox = client.devboxes.create()
    client.devboxes.shutdown(devbox.id)
    with pytest.raises(ConflictError) as conflict:
        client.devboxes.execute_sync(devbox.id, command="true")
    assert conflict.value.request.headers["x-stainless-retry-count"] == "0"


@pytest.mark.semantic
def test_wait_for_status_gives_up_with_408(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    with pytest.raises(APIStatusError) as error:
        client.with_options(max_retries=0).post(
            f"/v1/devboxes/{devbox.id}/wait_for_status",
            body={"statuses": ["shutdown"], "timeout_seconds": 0.2},
            cast_to=object,
        )
    assert error.value.status_code == 408
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"launch_parameters": {"resource_size_request": "GIANT"}}, "launch_parameters.resource_size_request"),
        ({"launch_parameters": {"keep_alive_time_seconds": 999_999}}, "launch_parameters.keep_alive_time_seconds"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"environment_variables": {"A": "x\x00y"}}, "environment_variables.A"),
        ({"name": "\ud800"}, "name"),
        ({"secrets": {"TOKEN": "MISSING"}}, "secrets"),
        ({"mounts": [{"type": "broker_mount", "axon_id": "axn_1"}]}, "mounts.0.axon_id"),
    ],
)
def test_bad_input_names_the_field(server: ServerProcess, body: dict[str, object], field: str) -> None:
    import json  # the client would not send some of these

    answer = httpx.post(
        f"{server.base_url}/v1/devboxes",
        content=json.dumps(body),
        headers={"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    error = answer.json()
    assert error["code"] == "invalid_request"
    assert error["field"].startswith(field)
    assert error["message"]


@pytest.mark.semantic
@pytest.mark.parametrize("limit", [0, -1, 5001])
def test_a_limit_out_of_range_is_refused(client: Runloop, limit: int) -> None:
    with pytest.raises(BadRequestError) as error:
        client.devboxes.list(limit=limit)
    assert error.value.body["field"] == "limit"  # type: ignore[index, call-overload]

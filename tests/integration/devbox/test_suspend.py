"""Suspending and resuming devboxes: the disk stays, processes go, what runs at a start runs again."""

import time
from typing import Any

import pytest
from runloop_api_client import APIStatusError, ConflictError, NotFoundError, Runloop
from runloop_api_client.types.shared_params import LifecycleConfiguration

from tests.integration.devbox.waiting import POLL, execute, run, statuses, wait_for, wait_until


def suspended(client: Runloop, devbox_id: str) -> None:
    assert client.devboxes.suspend(devbox_id).status == "suspending"
    assert client.devboxes.await_suspended(devbox_id, polling_config=POLL).status == "suspended"


def resumed(client: Runloop, devbox_id: str) -> None:
    assert client.devboxes.resume(devbox_id).status == "resuming"
    client.devboxes.await_running(devbox_id, polling_config=POLL)


def hooks(*commands: str, deadline_ms: int | None = None) -> LifecycleConfiguration:
    return {"lifecycle_hooks": {"suspend_commands": list(commands), "suspend_deadline_ms": deadline_ms}}


@pytest.mark.semantic
def test_the_disk_is_kept_and_processes_are_gone(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        file_mounts={"mounted": "first\n"},
        environment_variables={"GREETING": "hello"},
        launch_parameters={"launch_commands": ["echo launched >> log"]},
    )
    run(client, devbox.id, "echo kept > file; echo changed > mounted; sudo touch /etc/by-root; (sleep 1000 &)")
    running = client.devboxes.execute_async(devbox.id, command="sleep 1000")
    suspended(client, devbox.id)
    ended = client.devboxes.executions.retrieve(running.execution_id, devbox_id=devbox.id)
    assert (ended.status, ended.exit_status) == ("completed", 137)
    resumed(client, devbox.id)
    shown = "cat file mounted log; ls /etc/by-root; echo $GREETING; pgrep -c sleep || true"
    assert run(client, devbox.id, shown).split() == [
        *("kept", "changed", "launched", "launched"),
        *("/etc/by-root", "hello", "0"),
    ]
    devbox = client.devboxes.shutdown(devbox.id)
    assert statuses(devbox) == [
        *("queued", "provisioning", "initializing", "running"),
        *("suspending", "suspended", "resuming", "running", "shutdown"),
    ]


@pytest.mark.semantic
def test_it_can_be_suspended_again_and_again(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(launch_parameters={"launch_commands": ["echo x >> log"]})
    for count in range(2, 5):
        suspended(client, devbox.id)
        resumed(client, devbox.id)
        assert run(client, devbox.id, "cat log").split() == ["x"] * count
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_suspend_commands_run_before_and_their_failure_stops_nothing(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"lifecycle": hooks("whoami > before", "exit 7", "pwd >> before")}
    )
    suspended(client, devbox.id)
    resumed(client, devbox.id)
    assert run(client, devbox.id, "cat before") == "user\n/home/user\n"
    failed = [log for log in client.devboxes.logs.list(devbox.id).logs if log.exit_code == 7]
    assert [(log.source, log.level, log.cmd_id) for log in failed] == [("setup_commands", "error", "suspend.0.1")]
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_suspend_commands_have_no_longer_than_their_deadline(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"lifecycle": hooks("echo one > one; sleep 600", "touch two", deadline_ms=1000)}
    )
    started = time.monotonic()
    suspended(client, devbox.id)
    assert 0.9 < time.monotonic() - started < 15
    resumed(client, devbox.id)
    assert run(client, devbox.id, "ls") == "one\n"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_suspended_devbox_is_not_usable_and_the_client_does_not_retry(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    suspended(client, devbox.id)
    for use in (
        lambda: execute(client, devbox.id, "true"),
        lambda: client.devboxes.read_file_contents(devbox.id, file_path="x"),
        lambda: client.devboxes.keep_alive(devbox.id),
    ):
        with pytest.raises(ConflictError) as refused:
            use()
        assert refused.value.request.headers["x-stainless-retry-count"] == "0"
    assert client.devboxes.suspend(devbox.id).status == "suspended"
    ended = client.devboxes.shutdown(devbox.id)
    assert (ended.status, ended.shutdown_reason) == ("shutdown", "api_shutdown")
    with pytest.raises(ConflictError):
        client.devboxes.resume(devbox.id)
    with pytest.raises(ConflictError):
        client.devboxes.suspend(devbox.id)
    with pytest.raises(NotFoundError):
        client.devboxes.resume("dbx_nope")


@pytest.mark.semantic
def test_resuming_what_runs_changes_nothing(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    assert client.devboxes.resume(devbox.id) == client.devboxes.retrieve(devbox.id)
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_one_that_is_just_coming_up_or_going_down_asks_for_patience(client: Runloop) -> None:
    impatient = client.with_options(max_retries=0)
    devbox = client.devboxes.create(launch_parameters={"launch_commands": ["sleep 1"], "lifecycle": hooks("sleep 1")})
    with pytest.raises(ConflictError) as error:
        impatient.devboxes.suspend(devbox.id)
    assert error.value.body["code"] == "busy"  # type: ignore[index, call-overload]
    client.devboxes.await_running(devbox.id, polling_config=POLL)
    client.devboxes.suspend(devbox.id)
    with pytest.raises(ConflictError) as error:
        impatient.devboxes.resume(devbox.id)
    assert error.value.body["code"] == "busy"  # type: ignore[index, call-overload]
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_devbox_can_be_shut_down_while_it_is_suspended_or_resumed(client: Runloop) -> None:
    going = client.devboxes.create_and_await_running(launch_parameters={"lifecycle": hooks("sleep 600")})
    client.devboxes.suspend(going.id)
    coming = client.devboxes.create_and_await_running(
        launch_parameters={"launch_commands": ["[ ! -e seen ] || sleep 600; touch seen"]}
    )
    suspended(client, coming.id)
    client.devboxes.resume(coming.id)
    for devbox_id in (going.id, coming.id):
        assert client.devboxes.shutdown(devbox_id).status == "shutdown"


@pytest.mark.semantic
def test_a_launch_command_that_fails_at_resume_fails_the_devbox(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"launch_commands": ["[ ! -e seen ] || exit 9; touch seen"]}
    )
    suspended(client, devbox.id)
    client.devboxes.resume(devbox.id)
    failed = wait_for(client, devbox.id, "failure")
    assert failed.failure_reason == "execution_failed"
    assert "exited with 9" in (failed.state_transitions[-1].failure_reason or "")


def test_an_idle_devbox_is_suspended_where_that_is_asked_for(client: Runloop) -> None:
    policy: Any = {"idle_time_seconds": 3, "on_idle": "suspend"}
    asked: list[Any] = [{"after_idle": policy}, {"lifecycle": {"after_idle": policy}}]
    made = [client.devboxes.create_and_await_running(launch_parameters=launch).id for launch in asked]
    busy = [client.devboxes.execute_async(each, command="sleep 5; echo busy").execution_id for each in made]
    for each, execution in zip(made, busy, strict=True):
        assert client.devboxes.executions.await_completed(execution, each, polling_config=POLL).stdout == "busy\n"
        assert client.devboxes.retrieve(each).status == "running"
    for each in made:
        wait_for(client, each, "suspended")
    for each in made:
        client.devboxes.resume(each)
        client.devboxes.await_running(each, polling_config=POLL)
    for each in made:
        wait_for(client, each, "suspended")
        client.devboxes.shutdown(each)


def test_keep_alive_puts_off_the_idle_time_and_the_end_of_its_time(client: Runloop) -> None:
    idle: Any = {"lifecycle": {"after_idle": {"idle_time_seconds": 3, "on_idle": "shutdown"}}}
    ends: dict[str, Any] = {"idle": idle, "keep_alive_timeout": {"keep_alive_time_seconds": 3}}
    made = {
        reason: client.devboxes.create_and_await_running(launch_parameters=launch).id for reason, launch in ends.items()
    }
    for _ in range(4):
        time.sleep(1.5)
        for devbox_id in made.values():
            client.devboxes.keep_alive(devbox_id)
    for devbox_id in made.values():
        assert client.devboxes.retrieve(devbox_id).status == "running"
    for reason, devbox_id in made.items():
        assert wait_for(client, devbox_id, "shutdown").shutdown_reason == reason


def test_the_time_of_a_suspended_devbox_does_not_run(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(launch_parameters={"keep_alive_time_seconds": 2})
    suspended(client, devbox.id)
    time.sleep(3)
    assert client.devboxes.retrieve(devbox.id).status == "suspended"
    resumed(client, devbox.id)
    ended = wait_for(client, devbox.id, "shutdown")
    times = {t.status: t.transition_time_ms for t in ended.state_transitions}
    assert 1900 < times["shutdown"] - times["running"] < 15_000  # type: ignore[operator]


def test_time_asleep_costs_disk_only(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(launch_parameters={"resource_size_request": "MEDIUM"})
    suspended(client, devbox.id)
    time.sleep(2.1)
    used = client.devboxes.retrieve_resource_usage(devbox.id)
    assert (used.status, used.start_time_ms, used.end_time_ms) == ("suspended", devbox.create_time_ms, None)
    assert used.total_elapsed_seconds >= used.total_active_seconds + 2
    assert used.vcpu_seconds == 2 * used.total_active_seconds
    assert used.memory_gb_seconds == 4 * used.total_active_seconds
    assert used.disk_gb_seconds == 8 * used.total_elapsed_seconds
    ended = client.devboxes.shutdown(devbox.id)
    used = client.devboxes.retrieve_resource_usage(devbox.id)
    assert (used.status, used.end_time_ms) == ("shutdown", ended.end_time_ms)
    wait_until(lambda: client.devboxes.retrieve_resource_usage(devbox.id) == used, lambda: "it goes on counting")


@pytest.mark.semantic
def test_a_deadline_past_a_minute_is_refused(client: Runloop) -> None:
    with pytest.raises(APIStatusError) as error:
        client.devboxes.create(launch_parameters={"lifecycle": hooks("true", deadline_ms=60_001)})
    assert error.value.status_code == 400
    assert error.value.body["field"] == "launch_parameters.lifecycle.lifecycle_hooks.suspend_deadline_ms"  # type: ignore[index, call-overload]

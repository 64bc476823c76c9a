"""What devboxes are launched with: entrypoint, user, environment, size."""

from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.waiting import POLL, execute, run, wait_for


def sized(client: Runloop, **launch: Any) -> str:
    return client.devboxes.create_and_await_running(launch_parameters=launch).id  # type: ignore[arg-type]


@pytest.mark.semantic
@pytest.mark.parametrize("status", [0, 3])
def test_a_devbox_ends_with_its_entrypoint(client: Runloop, status: int) -> None:
    devbox = client.devboxes.create_and_await_running(
        entrypoint=f"cat mounted; echo from $WHERE; sleep 1; exit {status}",
        environment_variables={"WHERE": "the entrypoint"},
        file_mounts={"mounted": "a file\n"},
    )
    ended = wait_for(client, devbox.id, "shutdown", "failure")
    assert (ended.status, ended.shutdown_reason) == ("shutdown", "entrypoint_exit")
    logs = [log for log in client.devboxes.logs.list(devbox.id).logs if log.source == "entrypoint"]
    assert [log.message for log in logs if log.message] == ["a file", "from the entrypoint"]
    assert logs[-1].exit_code == status


@pytest.mark.semantic
def test_the_entrypoint_comes_after_the_launch_commands_and_again_after_a_resume(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        entrypoint="echo entered >> log; exec sleep 1000", launch_parameters={"launch_commands": ["echo set up >> log"]}
    )
    client.devboxes.suspend(devbox.id)
    client.devboxes.await_suspended(devbox.id, polling_config=POLL)
    client.devboxes.resume(devbox.id)
    client.devboxes.await_running(devbox.id, polling_config=POLL)
    wanted = ["set up", "entered"] * 2
    assert run(client, devbox.id, "until [ $(wc -l < log) = 4 ]; do sleep 0.05; done; cat log").splitlines() == wanted
    assert run(client, devbox.id, "pgrep -xc sleep") == "1\n"
    assert client.devboxes.shutdown(devbox.id).shutdown_reason == "api_shutdown"


def test_an_entrypoint_does_not_keep_a_devbox_from_idling(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        entrypoint="sleep 1000",
        launch_parameters={"lifecycle": {"after_idle": {"idle_time_seconds": 1, "on_idle": "shutdown"}}},
    )
    assert wait_for(client, devbox.id, "shutdown").shutdown_reason == "idle"


def test_a_launch_command_that_fills_the_disk_fails_for_that(client: Runloop) -> None:
    size = {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 1, "custom_gb_memory": 2, "custom_disk_size": 2}
    launch: Any = {**size, "launch_commands": ["fallocate -l 3G ~/large"]}
    made = client.devboxes.create(launch_parameters=launch)
    ended = wait_for(client, made.id, "running", "failure")
    assert (ended.status, ended.failure_reason) == ("failure", "out_of_disk")


@pytest.mark.semantic
def test_everything_runs_as_the_user_that_is_asked_for(client: Runloop) -> None:
    devbox_id = sized(
        client,
        user_parameters={"uid": 1234, "username": "builder"},
        launch_commands=["id -un > who"],
    )
    assert run(client, devbox_id, "cat who; id -un; id -u; pwd; sudo id -u; stat -c %U .").split() == [
        *("builder", "builder", "1234", "/home/builder", "0", "builder"),
    ]
    client.devboxes.write_file_contents(devbox_id, file_path="f", contents="x")
    assert run(client, devbox_id, "stat -c %U:%n /home/builder/f") == "builder:/home/builder/f\n"
    client.devboxes.shutdown(devbox_id)


@pytest.mark.semantic
def test_root_is_a_user_like_others(client: Runloop) -> None:
    devbox_id = sized(client, user_parameters={"uid": 0, "username": "root"})
    assert run(client, devbox_id, "id -un; pwd; touch /etc/x && echo yes").split() == ["root", "/root", "yes"]
    client.devboxes.shutdown(devbox_id)


@pytest.mark.semantic
def test_file_mounts_reach_where_only_root_may_write(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        mounts=[{"type": "file_mount", "target": "/etc/app/config.toml", "content": "a = 1\n"}]
    )
    assert run(client, devbox.id, "cat /etc/app/config.toml; stat -c %U /etc/app/config.toml") == "a = 1\nroot\n"
    client.devboxes.shutdown(devbox.id)


def test_a_size_is_what_the_devbox_can_use(client: Runloop) -> None:
    devbox_id = sized(client, resource_size_request="X_SMALL")
    allocate = "python3 -c 'x = bytearray({} << 20); print(len(x) >> 20)'"
    assert run(client, devbox_id, allocate.format(700)) == "700\n"
    hog = execute(client, devbox_id, allocate.format(1500))
    assert hog.exit_status == 137
    spin = (
        "import time; t=time.time(); c=time.process_time()\nwhile time.time()-t<2: pass\nprint(time.process_time()-c)"
    )
    assert float(run(client, devbox_id, f"python3 -c '{spin}'")) < 1.5  # half a core for two seconds
    logs = client.devboxes.logs.list(devbox_id).logs
    assert [log.level for log in logs if log.source == "kmsg"] == ["error"]
    client.devboxes.shutdown(devbox_id)


def test_a_custom_size(client: Runloop) -> None:
    devbox_id = sized(
        client, resource_size_request="CUSTOM_SIZE", custom_cpu_cores=0.5, custom_gb_memory=2, custom_disk_size=2
    )
    full = execute(client, devbox_id, "fallocate -l 1700M big; head -c 600M /dev/zero > more; stat -c %s big more")
    assert "No space left" in full.stderr or "Disk quota exceeded" in full.stderr
    assert 1700 << 20 < sum(map(int, full.stdout.split())) < 2 << 30
    assert run(client, devbox_id, "rm big more; python3 -c 'print(len(bytearray(1500 << 20)) >> 20)'") == "1500\n"
    client.devboxes.shutdown(devbox_id)


def test_a_launch_command_that_uses_all_memory_is_told_as_such(client: Runloop) -> None:
    made = client.devboxes.create(
        launch_parameters={
            "resource_size_request": "X_SMALL",
            "launch_commands": ["exec python3 -c 'bytearray(3 << 30)'"],
        }
    )
    failed = wait_for(client, made.id, "failure")
    assert failed.failure_reason == "out_of_memory"
    assert "kmsg" in {log.source for log in client.devboxes.logs.list(made.id).logs}


def test_an_entrypoint_that_uses_all_memory_takes_the_devbox_down(client: Runloop) -> None:
    made = client.devboxes.create(
        entrypoint="exec python3 -c 'bytearray(3 << 30)'", launch_parameters={"resource_size_request": "X_SMALL"}
    )
    failed = wait_for(client, made.id, "failure")
    assert failed.failure_reason == "out_of_memory"


def test_a_devbox_whose_first_process_ends_has_failed(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    client.devboxes.execute_async(devbox.id, command="sudo kill -TERM 1")
    failed = wait_for(client, devbox.id, "failure")
    assert failed.failure_reason == "health_check_failed"
    assert "first process" in (failed.state_transitions[-1].failure_reason or "")


@pytest.mark.semantic
def test_long_launch_commands_do_not_hold_up_other_devboxes(client: Runloop) -> None:
    slow = [client.devboxes.create(launch_parameters={"launch_commands": ["sleep 20"]}).id for _ in range(20)]
    quick = client.devboxes.create()
    assert wait_for(client, quick.id, "running", seconds=15).status == "running"
    for devbox_id in (*slow, quick.id):
        client.devboxes.shutdown(devbox_id)

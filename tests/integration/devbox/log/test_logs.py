"""Logs of devboxes through the official client."""

import uuid

import pytest
from runloop_api_client import NotFoundError, Runloop
from runloop_api_client.types.devboxes.devbox_logs_list_view import Log

from loopyard.devbox.log.sampler import OUT_OF_PROCESSES
from loopyard.devbox.log.service import MOST_OUTPUT_BYTES
from tests.integration.devbox.waiting import execute, run, wait_until


def logs(client: Runloop, devbox_id: str, source: str | None = None) -> list[Log]:
    found = client.devboxes.logs.list(devbox_id).logs
    return [log for log in found if source in (None, log.source)]


@pytest.mark.semantic
def test_the_log_tells_all_that_happened_from_every_source(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        entrypoint="echo entered; sleep 1000",
        file_mounts={"notes": "12345"},
        launch_parameters={"launch_commands": ["echo out; echo err >&2"]},
    )
    result = execute(client, devbox.id, "echo hello; exit 5")
    assert result.exit_status == 5
    client.devboxes.write_file_contents(devbox.id, file_path="written", contents="x")

    setup = logs(client, devbox.id, "setup_commands")
    assert [(log.level, log.cmd, log.message, log.exit_code) for log in setup] == [
        ("info", "echo out; echo err >&2", None, None),
        ("info", None, "out", None),
        ("error", None, "err", None),
        ("info", None, None, 0),
    ]
    assert {log.cmd_id for log in setup} == {"launch.0"}
    executed = logs(client, devbox.id, "exec")
    assert [(log.level, log.cmd, log.message, log.exit_code) for log in executed] == [
        ("info", "echo hello; exit 5", None, None),
        ("info", None, "hello", None),
        ("error", None, None, 5),
    ]
    wait_until(lambda: len(logs(client, devbox.id, "files")) == 2, lambda: str(logs(client, devbox.id)), seconds=10)
    files = [log.message or "" for log in logs(client, devbox.id, "files")]
    assert "notes" in files[0]
    assert "5 bytes" in files[0]
    assert "written" in files[1]
    assert [log.message for log in logs(client, devbox.id, "entrypoint")][1:] == ["entered"]
    (stats,) = logs(client, devbox.id, "stats")
    assert "memory" in (stats.message or "")
    assert logs(client, devbox.id, "kmsg") == []
    times = [log.timestamp_ms for log in logs(client, devbox.id)]
    assert times == sorted(times)
    assert times[0] >= devbox.create_time_ms
    client.devboxes.shutdown(devbox.id)
    ended = logs(client, devbox.id)
    assert {log.source for log in ended} == {"setup_commands", "exec", "files", "entrypoint"}
    entrypoint = [log for log in ended if log.source == "entrypoint"]
    assert (entrypoint[0].cmd, entrypoint[1].message) == ("echo entered; sleep 1000", "entered")


@pytest.mark.semantic
def test_filters(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    client.devboxes.execute(devbox.id, command_id=one, command="echo one")
    client.devboxes.execute(devbox.id, command_id=two, command="echo two", shell_name="work")
    only = client.devboxes.logs.list(devbox.id, execution_id=one).logs
    assert {log.cmd_id for log in only} == {one}
    assert [log.message for log in only if log.message] == ["one"]
    shell = client.devboxes.logs.list(devbox.id, shell_name="work").logs
    assert {(log.cmd_id, log.shell_name) for log in shell} == {(two, "work")}
    assert client.devboxes.logs.list(devbox.id, shell_name="work", execution_id=one).logs == []
    assert client.devboxes.logs.list(devbox.id, execution_id="exe_nope").logs == []
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_command_that_runs_is_there_already(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    client.devboxes.execute_async(devbox.id, command="echo begun; sleep 1000")
    wait_until(
        lambda: [log.message for log in logs(client, devbox.id, "exec")] == [None, "begun"],
        lambda: str(logs(client, devbox.id)),
        seconds=10,
    )
    client.devboxes.shutdown(devbox.id)


def test_endless_output_leaves_the_log_small_and_its_newest_lines_whole(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    run(client, devbox.id, "echo the oldest")
    client.devboxes.execute(
        devbox.id, command_id="much", command="yes 0123456789012345678901234567890123456789 | head -n 100000; echo end"
    )
    found = logs(client, devbox.id, "exec")
    messages = [log.message for log in found if log.message]
    assert sum(len(message) for message in messages) <= MOST_OUTPUT_BYTES + 200
    assert messages[-1] == "end"
    assert "left out" in messages[0]
    assert "the oldest" not in messages
    assert next(log.cmd for log in found if log.cmd) == "echo the oldest"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_an_unknown_devbox_has_no_log(client: Runloop) -> None:
    with pytest.raises(NotFoundError):
        client.devboxes.logs.list("dbx_nope")


ALL_PROCESSES = (
    "python3 -c 'import threading, time\n"
    "while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()'"
)


def test_a_devbox_that_has_all_the_processes_it_may_have_says_so(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    ended = execute(client, devbox.id, ALL_PROCESSES)
    assert ended.exit_status == 1
    assert "can't start new thread" in (ended.stderr or "")
    (end,) = [log for log in logs(client, devbox.id, "exec") if log.exit_code is not None]
    assert (end.level, end.message) == ("error", "It failed: it had as many processes as it may have.")
    (told,) = logs(client, devbox.id, "kmsg")
    assert (told.level, told.message) == ("error", OUT_OF_PROCESSES)
    assert execute(client, devbox.id, "echo on").stdout == "on\n"


def test_a_launch_command_that_meets_the_limit_of_processes_is_named_with_it(client: Runloop) -> None:
    devbox = client.devboxes.create(launch_parameters={"launch_commands": [ALL_PROCESSES]})
    wait_until(
        lambda: client.devboxes.retrieve(devbox.id).status == "failure",
        lambda: client.devboxes.retrieve(devbox.id).status,
        seconds=60,
    )
    (last,) = client.devboxes.retrieve(devbox.id).state_transitions[-1:]
    assert "it had as many processes as it may have" in str(last.to_dict())


def test_a_devbox_that_is_full_of_processes_still_takes_a_command(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running()
    full = (
        "python3 -c 'import threading, time\n"
        "try:\n"
        " while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        'except RuntimeError: print("full", flush=True); time.sleep(600)\''
    )
    hog = client.devboxes.execute_async(devbox.id, command=full)
    said = client.devboxes.executions.stream_stdout_updates(hog.execution_id, devbox_id=devbox.id)
    assert next(iter(said)).output == "full\n"
    assert execute(client, devbox.id, "echo on").stdout == "on\n"
    refused = execute(client, devbox.id, "sleep 0 & wait")
    assert "fork: " in (refused.stderr or "")
    assert client.devboxes.retrieve(devbox.id).status == "running"
    client.devboxes.executions.kill(hog.execution_id, devbox_id=devbox.id)
    assert execute(client, devbox.id, "echo on").stdout == "on\n"

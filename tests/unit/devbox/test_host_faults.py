"""Devboxes on a host that refuses, loses and stops things."""

import pytest
from runloop_api_client import ConflictError, InternalServerError, Runloop
from runloop_api_client.types import DevboxView

from loopyard.runtime.errors import CommandStartFailed, ImageNotFound, NoSpaceLeft, SandboxStartFailed, SandboxStuck
from tests.integration.devbox.waiting import POLL, run, statuses, wait_for, wait_until
from tests.unit.in_process.server import InProcessServer


def _refused(own: Runloop) -> DevboxView:
    made = own.devboxes.create()
    return wait_for(own, made.id, "running", "failure")


def test_a_sandbox_that_does_not_start_is_tried_three_times(own_server: InProcessServer, own: Runloop) -> None:
    own_server.host.refusals["create"] = [SandboxStartFailed("no luck")] * 2
    assert _refused(own).status == "running"
    own_server.host.refusals["create"] = [SandboxStartFailed("no luck")] * 3
    failed = _refused(own)
    assert (failed.status, failed.failure_reason) == ("failure", "health_check_failed")
    assert statuses(failed)[-1] == "failure"
    assert own_server.host.refusals["create"] == []


def test_a_resume_that_the_host_refuses_keeps_disk_and_devbox(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    run(own, made.id, "echo kept > file")
    own.devboxes.suspend(made.id)
    wait_for(own, made.id, "suspended")
    own_server.host.refusals["create"] = [SandboxStartFailed("no luck")] * 3
    own.devboxes.resume(made.id)
    refused = wait_for(own, made.id, "suspended", "running", "failure")
    assert refused.status == "suspended"
    assert "no luck" in (refused.state_transitions[-1].failure_reason or "")
    assert statuses(refused)[-2:] == ["resuming", "suspended"]
    own.devboxes.resume(made.id)
    own.devboxes.await_running(made.id, polling_config=POLL)
    assert run(own, made.id, "cat file") == "kept\n"


def test_an_image_that_is_gone_is_not_tried_again(own_server: InProcessServer, own: Runloop) -> None:
    own_server.host.refusals["create"] = [ImageNotFound("no such image"), SandboxStartFailed("not reached")]
    assert _refused(own).status == "failure"
    assert len(own_server.host.refusals["create"]) == 1


def test_a_full_disk_is_the_devboxs_own_fault(own_server: InProcessServer, own: Runloop) -> None:
    own_server.host.refusals["write_file"] = [NoSpaceLeft("full")]
    made = own.devboxes.create(file_mounts={"file": "content"})
    failed = wait_for(own, made.id, "running", "failure")
    assert (failed.status, failed.failure_reason) == ("failure", "out_of_disk")


def test_what_failed_leaves_nothing_on_the_host(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create(launch_parameters={"launch_commands": ["exit 3"]})
    assert wait_for(own, made.id, "running", "failure").failure_reason == "execution_failed"
    wait_until(lambda: made.id not in own_server.host.boxes, lambda: str(own_server.host.boxes))


def test_a_sandbox_that_is_stuck_is_freed_in_the_end(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    own_server.host.refusals["destroy"] = [SandboxStuck("busy")] * 2
    assert own.devboxes.shutdown(made.id).status == "shutdown"
    wait_until(lambda: made.id not in own_server.host.boxes, lambda: "it is still there")


@pytest.mark.parametrize("out_of_memory", [False, True])
def test_a_devbox_whose_first_process_ends_has_failed(
    own_server: InProcessServer, own: Runloop, out_of_memory: bool
) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    running = own.devboxes.execute_async(made.id, command="echo begun; sleep 1000")
    own_server.run(own_server.host.end_first_process(made.id, out_of_memory=out_of_memory))
    failed = wait_for(own, made.id, "failure")
    assert failed.failure_reason == ("out_of_memory" if out_of_memory else "health_check_failed")
    ended = own.devboxes.executions.retrieve(running.execution_id, devbox_id=made.id)
    assert (ended.status, ended.exit_status, ended.stdout) == ("completed", 137, "begun\n")
    with pytest.raises(ConflictError):
        own.devboxes.execute_async(made.id, command="true")


def test_a_command_that_the_host_cannot_start_is_told_and_ended(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    own_server.host.refusals["start_command"] = [CommandStartFailed("no more processes")]
    with pytest.raises(InternalServerError) as raised:
        own.devboxes.execute_async(made.id, command="true")
    assert raised.value.status_code == 503
    assert run(own, made.id, "echo works") == "works\n"


def test_a_suspension_that_is_stuck_is_carried_through(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    run(own, made.id, "echo kept > file")
    own_server.host.refusals["suspend"] = [SandboxStuck("busy")]
    own.devboxes.suspend(made.id)
    wait_for(own, made.id, "suspended")
    own.devboxes.resume(made.id)
    wait_for(own, made.id, "running")
    assert run(own, made.id, "cat file") == "kept\n"


def test_output_that_a_full_disk_did_not_take_is_told(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    own_server.host.full_after = 6
    try:
        answer = own.devboxes.execute_sync(made.id, command="echo kept; echo lost; echo END; echo fine >&2")
        begun = own.devboxes.execute_async(made.id, command="echo kept; echo lost")
    finally:
        own_server.host.full_after = None
    assert answer.exit_status == 0
    assert answer.stdout.startswith("kept\n")
    assert "END" not in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("[loopyard:")
    assert answer.stderr == "fine\n"
    ended = own.devboxes.executions.await_completed(begun.execution_id, devbox_id=made.id, polling_config=POLL)
    assert (ended.stdout_truncated, ended.stderr_truncated) == (True, False)
    assert ended.stdout is not None
    assert ended.stdout.splitlines()[-1].startswith("[loopyard:")
    with own.devboxes.executions.stream_stdout_updates(begun.execution_id, devbox_id=made.id) as stream:
        text = "".join(chunk.output for chunk in stream)
    assert text.startswith("kept\n")
    assert text.count("[loopyard:") == 1
    assert text.splitlines()[-1].startswith("[loopyard:")

"""Killing commands and writing to their standard input."""

import time

import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, Runloop


def _output(client: Runloop, devbox_id: str, execution_id: str) -> str:
    stream = client.devboxes.executions.stream_stdout_updates(execution_id, devbox_id=devbox_id)
    return "".join(chunk.output for chunk in stream)


def _await_output(client: Runloop, devbox_id: str, execution_id: str, text: str) -> None:
    seen = ""
    for chunk in client.devboxes.executions.stream_stdout_updates(execution_id, devbox_id=devbox_id):
        seen += chunk.output
        if text in seen:
            return
    raise AssertionError(f"{text!r} is not in {seen!r}")


def _alive(client: Runloop, devbox_id: str, marker: str) -> bool:
    return client.devboxes.execute_sync(devbox_id, command=f"pgrep -f '[s]leep {marker}'").exit_status == 0


@pytest.mark.semantic
def test_kill_ends_the_process_alone(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="sleep 7001 & echo up; wait")
    _await_output(module_client, devbox_id, started.execution_id, "up")
    killed = module_client.devboxes.executions.kill(started.execution_id, devbox_id=devbox_id)
    assert (killed.status, killed.exit_status, killed.stdout) == ("completed", 137, "up\n")
    assert _alive(module_client, devbox_id, "7001")


@pytest.mark.semantic
def test_kill_ends_the_whole_group_if_asked(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="trap '' TERM INT; sleep 7002 & echo up; wait")
    _await_output(module_client, devbox_id, started.execution_id, "up")
    killed = module_client.devboxes.executions.kill(started.execution_id, devbox_id=devbox_id, kill_process_group=True)
    assert (killed.status, killed.exit_status) == ("completed", 137)
    time.sleep(0.2)
    assert not _alive(module_client, devbox_id, "7002")


@pytest.mark.semantic
def test_kill_of_what_has_ended_changes_nothing(module_client: Runloop, devbox_id: str) -> None:
    done = module_client.devboxes.execute(devbox_id, command="echo out; exit 5")
    killed = module_client.devboxes.executions.kill(done.execution_id, devbox_id=devbox_id)
    assert (killed.status, killed.exit_status, killed.stdout) == ("completed", 5, "out\n")


@pytest.mark.semantic
def test_text_reaches_the_command_and_eof_ends_its_input(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="cat; echo end", attach_stdin=True)
    send = module_client.devboxes.executions.send_std_in
    for text in ("one\n", "zwei ü 𝄞\n", "a\x00b\n"):
        assert send(started.execution_id, devbox_id=devbox_id, text=text).success
    _await_output(module_client, devbox_id, started.execution_id, "a\x00b\n")
    assert send(started.execution_id, devbox_id=devbox_id, text="last", signal="EOF").success
    assert _output(module_client, devbox_id, started.execution_id) == "one\nzwei ü 𝄞\na\x00b\nlastend\n"


@pytest.mark.semantic
def test_a_text_larger_than_a_pipe_arrives_whole(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="sleep 0.5; wc -c", attach_stdin=True)
    send = module_client.devboxes.executions.send_std_in
    assert send(started.execution_id, devbox_id=devbox_id, text="x" * 1_000_000).success
    assert send(started.execution_id, devbox_id=devbox_id, signal="EOF").success
    assert _output(module_client, devbox_id, started.execution_id) == "1000000\n"


def test_interrupt_is_ctrl_c(module_client: Runloop, devbox_id: str) -> None:
    command = """python3 -c '
import time
print("up", flush=True)
try: time.sleep(600)
except KeyboardInterrupt: print("caught")
'"""
    started = module_client.devboxes.execute_async(devbox_id, command=command)
    _await_output(module_client, devbox_id, started.execution_id, "up")
    sent = module_client.devboxes.executions.send_std_in(started.execution_id, devbox_id=devbox_id, signal="INTERRUPT")
    assert sent.success
    done = module_client.devboxes.executions.await_completed(started.execution_id, devbox_id=devbox_id)
    assert (done.exit_status, done.stdout) == (0, "up\ncaught\n")


@pytest.mark.semantic
def test_a_retried_call_sends_once(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="cat", attach_stdin=True)
    send = module_client.devboxes.executions.send_std_in
    for _ in range(3):
        assert send(started.execution_id, devbox_id=devbox_id, text="once\n", idempotency_key="one-send").success
    assert send(started.execution_id, devbox_id=devbox_id, signal="EOF").success
    assert _output(module_client, devbox_id, started.execution_id) == "once\n"


@pytest.mark.semantic
def test_what_has_ended_takes_nothing(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="true", attach_stdin=True)
    module_client.devboxes.executions.await_completed(started.execution_id, devbox_id=devbox_id)
    sent = module_client.devboxes.executions.send_std_in(started.execution_id, devbox_id=devbox_id, text="x")
    assert (sent.success, sent.execution_id, sent.devbox_id) == (False, started.execution_id, devbox_id)


@pytest.mark.semantic
def test_bad_input_is_refused(module_client: Runloop, devbox_id: str) -> None:
    plain = module_client.devboxes.execute_async(devbox_id, command="sleep 5")
    send = module_client.devboxes.executions.send_std_in
    with pytest.raises(BadRequestError) as error:
        send(plain.execution_id, devbox_id=devbox_id, text="x")
    assert error.value.body["field"] == "text"  # type: ignore[index, call-overload]
    with pytest.raises(BadRequestError):
        send(plain.execution_id, devbox_id=devbox_id, signal="EOF")
    with pytest.raises(BadRequestError):
        send(plain.execution_id, devbox_id=devbox_id)
    with pytest.raises(BadRequestError):
        send(plain.execution_id, devbox_id=devbox_id, signal="STOP")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        send("exe_nope", devbox_id=devbox_id, text="x")
    with pytest.raises(NotFoundError):
        module_client.devboxes.executions.kill("exe_nope", devbox_id=devbox_id)
    with pytest.raises(APIStatusError) as refused:
        module_client.devboxes.execute_sync(devbox_id, command="cat", attach_stdin=True)
    assert refused.value.status_code == 400

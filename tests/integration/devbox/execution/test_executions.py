"""Commands through the official client."""

import time
import uuid

import psutil
import pytest
from runloop_api_client import BadRequestError, NotFoundError, Runloop
from runloop_api_client.lib.polling import PollingConfig

from loopyard.runtime.output import CUT_NOTE
from loopyard.runtime.protocol import MOST_OUTPUT_BYTES
from tests.serving import ServerProcess


@pytest.mark.semantic
def test_output_and_exit_status(module_client: Runloop, devbox_id: str) -> None:
    result = module_client.devboxes.execute_sync(devbox_id, command="echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_status) == ("out\n", "err\n", 3)


@pytest.mark.semantic
def test_a_death_by_signal_is_told_as_a_shell_tells_it(module_client: Runloop, devbox_id: str) -> None:
    assert module_client.devboxes.execute_sync(devbox_id, command="kill -TERM $$").exit_status == 143


@pytest.mark.semantic
def test_execute_and_await_completion(module_client: Runloop, devbox_id: str) -> None:
    result = module_client.devboxes.execute_and_await_completion(devbox_id, command="echo hi")
    assert (result.status, result.stdout, result.exit_status) == ("completed", "hi\n", 0)


@pytest.mark.semantic
def test_the_same_command_id_runs_once(module_client: Runloop, devbox_id: str) -> None:
    command_id = str(uuid.uuid4())
    for _ in range(3):
        answer = module_client.devboxes.execute(devbox_id, command="echo run >> runs; cat runs", command_id=command_id)
        assert (answer.execution_id, answer.stdout) == (command_id, "run\n")


def test_optimistic_timeout_answers_before_the_end(module_client: Runloop, devbox_id: str) -> None:
    answer = module_client.devboxes.execute(devbox_id, command="sleep 2; echo done", optimistic_timeout=0)
    assert (answer.status, answer.stdout, answer.exit_status) == ("running", None, None)
    ended = module_client.devboxes.wait_for_command(
        answer.execution_id, devbox_id=devbox_id, statuses=["completed"], timeout_seconds=25
    )
    assert (ended.status, ended.stdout, ended.exit_status) == ("completed", "done\n", 0)


@pytest.mark.semantic
def test_execute_async_and_await(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(devbox_id, command="sleep 0.3; echo later")
    assert started.status == "running"
    ended = module_client.devboxes.executions.await_completed(started.execution_id, devbox_id=devbox_id)
    assert ended.stdout == "later\n"


@pytest.mark.semantic
def test_last_n_lines(module_client: Runloop, devbox_id: str) -> None:
    answer = module_client.devboxes.execute(devbox_id, command="seq 1 500", last_n="3")
    assert (answer.stdout, answer.stdout_truncated) == ("498\n499\n500\n", True)
    by_default = module_client.devboxes.executions.retrieve(answer.execution_id, devbox_id=devbox_id)
    assert by_default.stdout is not None
    assert len(by_default.stdout.splitlines()) == 100
    assert by_default.stderr_truncated is False


@pytest.mark.semantic
def test_truncated_output_is_whole_in_the_stream(module_client: Runloop, devbox_id: str) -> None:
    answer = module_client.devboxes.execute(devbox_id, command="seq 1 200000")
    assert answer.stdout_truncated
    stream = module_client.devboxes.executions.stream_stdout_updates(answer.execution_id, devbox_id=devbox_id)
    assert "".join(chunk.output for chunk in stream) == "".join(f"{n}\n" for n in range(1, 200_001))


def test_output_past_the_limit_is_cut_and_says_so(
    server: ServerProcess, module_client: Runloop, devbox_id: str
) -> None:
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    started = module_client.devboxes.execute_async(
        devbox_id, command=f"yes 0123456 | head -c {MOST_OUTPUT_BYTES + 50_000_000}; echo end >&2"
    )
    done = module_client.devboxes.executions.await_completed(
        started.execution_id, devbox_id=devbox_id, polling_config=PollingConfig(timeout_seconds=200, max_attempts=1000)
    )
    assert (done.exit_status, done.stderr, done.stdout_truncated) == (0, "end\n", True)
    assert done.stdout is not None
    assert done.stdout.endswith(f"0123456\n{CUT_NOTE}")
    last = MOST_OUTPUT_BYTES - 8
    stream = module_client.devboxes.executions.stream_stdout_updates(
        started.execution_id, devbox_id=devbox_id, offset=str(last)
    )
    assert [(chunk.output, chunk.offset) for chunk in stream] == [
        ("0123456\n", MOST_OUTPUT_BYTES),
        (CUT_NOTE, MOST_OUTPUT_BYTES),
    ]
    assert process.memory_info().rss - before < 64 << 20


def test_a_command_too_long_for_the_kernel_is_refused(module_client: Runloop, devbox_id: str) -> None:
    longest = ": " + "#" * 119_998
    assert module_client.devboxes.execute_sync(devbox_id, command=longest).exit_status == 0
    assert module_client.devboxes.execute_sync(devbox_id, command=longest, shell_name="long").exit_status == 0
    for command in (f"{longest}#", ": " + "€" * 40_000):
        with pytest.raises(BadRequestError):
            module_client.devboxes.execute_sync(devbox_id, command=command)


@pytest.mark.semantic
def test_a_stream_follows_a_running_command_to_its_end(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(
        devbox_id, command="for i in 1 2 3; do echo $i; sleep 0.3; done; echo bad >&2"
    )
    stream = module_client.devboxes.executions.stream_stdout_updates(started.execution_id, devbox_id=devbox_id)
    arrivals = [(chunk.output, time.monotonic()) for chunk in stream]
    assert "".join(output for output, _ in arrivals) == "1\n2\n3\n"
    assert arrivals[-1][1] - arrivals[0][1] > 0.3, "the output came all at once, at the end"
    errors = module_client.devboxes.executions.stream_stderr_updates(started.execution_id, devbox_id=devbox_id)
    assert "".join(chunk.output for chunk in errors) == "bad\n"


@pytest.mark.semantic
def test_a_stream_resumes_at_any_byte(module_client: Runloop, devbox_id: str) -> None:
    text = "añb€c𝄞d\n" * 3
    answer = module_client.devboxes.execute(devbox_id, command=f"printf %s '{text}'")
    data = text.encode()
    for offset in range(len(data) + 1):
        stream = module_client.devboxes.executions.stream_stdout_updates(
            answer.execution_id, devbox_id=devbox_id, offset=str(offset)
        )
        chunks = list(stream)
        assert "".join(chunk.output for chunk in chunks) == data[offset:].decode(errors="replace")
        if chunks:
            assert chunks[-1].offset == len(data)


@pytest.mark.semantic
def test_binary_output_is_replaced_not_fatal(module_client: Runloop, devbox_id: str) -> None:
    result = module_client.devboxes.execute_sync(devbox_id, command=r"printf 'a\xff\xfe\x00b'")
    assert result.stdout == "a\ufffd\ufffd\x00b"


@pytest.mark.semantic
def test_a_background_process_does_not_hold_the_execution(module_client: Runloop, devbox_id: str) -> None:
    started = time.monotonic()
    result = module_client.devboxes.execute_sync(devbox_id, command="sleep 60 & echo started")
    assert result.stdout == "started\n"
    assert time.monotonic() - started < 20


@pytest.mark.semantic
def test_standard_input_is_empty(module_client: Runloop, devbox_id: str) -> None:
    result = module_client.devboxes.execute_sync(devbox_id, command="cat; echo end")
    assert result.stdout == "end\n"


@pytest.mark.semantic
def test_a_retried_call_runs_once(module_client: Runloop, devbox_id: str) -> None:
    for _ in range(2):
        result = module_client.devboxes.execute_sync(
            devbox_id, command="echo x >> retried; cat retried", idempotency_key="one-call"
        )
        assert result.stdout == "x\n"


@pytest.mark.semantic
def test_unknown_executions_are_not_found(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(NotFoundError):
        module_client.devboxes.executions.retrieve("exe_nope", devbox_id=devbox_id)
    with pytest.raises(NotFoundError):
        list(module_client.devboxes.executions.stream_stdout_updates("exe_nope", devbox_id=devbox_id))


@pytest.mark.semantic
def test_bad_input_is_refused(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(BadRequestError):
        module_client.devboxes.execute(devbox_id, command="true", command_id="../../etc")
    with pytest.raises(BadRequestError):
        module_client.devboxes.execute(devbox_id, command="true", last_n="many")
    with pytest.raises(BadRequestError):
        module_client.devboxes.execute_sync(devbox_id, command="")


@pytest.mark.semantic
def test_many_commands_at_once(module_client: Runloop, devbox_id: str) -> None:
    started = [module_client.devboxes.execute_async(devbox_id, command=f"echo {n}") for n in range(30)]
    for number, execution in enumerate(started):
        ended = module_client.devboxes.executions.await_completed(execution.execution_id, devbox_id=devbox_id)
        assert ended.stdout == f"{number}\n"

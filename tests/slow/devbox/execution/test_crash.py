"""The server is killed at each step of a command's life. Each command runs exactly once, and all it wrote is kept."""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Generator

import httpx
import pytest
from runloop_api_client import APIConnectionError, Runloop

from tests.serving import ServerProcess, serving

ONCE = "echo run >> runs; echo out; echo err >&2; exit 3"


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server of this module's own, to be killed."""
    with serving(tmp_path_factory.mktemp("crashing") / "data") as server:
        yield server


@pytest.fixture
def box(crashing: ServerProcess) -> str:
    """A running devbox."""
    if not crashing.alive:
        crashing.start()
    with crashing.client() as client:
        return client.devboxes.create_and_await_running().id


def _runs(client: Runloop, box: str) -> str:
    return client.devboxes.read_file_contents(box, file_path="runs")


def _die_at(server: ServerProcess, failpoint: str, box: str, **call: object) -> None:
    """Start the server so that it dies at the failpoint, make the call, and see it die."""
    server.stop()
    server.start({"LOOPYARD_FAILPOINT": failpoint})
    with server.client(max_retries=0) as client, pytest.raises(APIConnectionError):
        client.devboxes.execute(box, timeout=60, **call)  # type: ignore[arg-type]
    server.wait_dead()


@pytest.mark.parametrize("shell_name", [None, "main"])
@pytest.mark.parametrize("failpoint", ["execution.recorded", "execution.started", "execution.ended"])
def test_a_command_runs_once_wherever_the_server_is_killed(
    crashing: ServerProcess, box: str, failpoint: str, shell_name: str | None
) -> None:
    shell = {} if shell_name is None else {"shell_name": shell_name}
    _die_at(crashing, failpoint, box, command=ONCE, command_id="once", **shell)
    crashing.start()
    with crashing.client() as client:
        for _ in range(2):  # the client tries again with the same id
            answer = client.devboxes.execute(box, command=ONCE, command_id="once", **shell)  # type: ignore[arg-type]
            assert (answer.status, answer.exit_status) == ("completed", 3)
            assert (answer.stdout, answer.stderr, answer.shell_name) == ("out\n", "err\n", shell_name)
        assert _runs(client, box) == "run\n"


def test_a_call_that_is_retried_through_the_crash_runs_once(crashing: ServerProcess, box: str) -> None:
    crashing.stop()
    crashing.start({"LOOPYARD_FAILPOINT": "execution.started"})
    with crashing.client(max_retries=0) as client, pytest.raises(APIConnectionError):
        client.devboxes.execute_sync(box, command=ONCE, idempotency_key="through")
    crashing.wait_dead()
    crashing.start()
    with crashing.client() as client:
        result = client.devboxes.execute_sync(box, command=ONCE, idempotency_key="through")
        assert (result.exit_status, result.stdout) == (3, "out\n")
        assert _runs(client, box) == "run\n"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_command_runs_on_while_the_server_is_away(crashing: ServerProcess, box: str, end: str) -> None:
    command = "for i in $(seq 1 40); do echo line $i ü; sleep 0.1; done; echo run >> runs; exit 4"
    with crashing.client() as client:
        execution_id = client.devboxes.execute_async(box, command=command).execution_id
    time.sleep(1)
    getattr(crashing, end)()
    crashing.start()
    with crashing.client() as client:
        done = client.devboxes.executions.await_completed(execution_id, box)
        assert (done.exit_status, done.stdout) == (4, "".join(f"line {i} ü\n" for i in range(1, 41)))
        assert _runs(client, box) == "run\n"


def _read_stream(url: str, key: str, offset: int, seen: list[tuple[str, int]]) -> None:
    """Collect the chunks of a stream until it ends or breaks off."""
    try:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", url, params={"offset": offset}, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    chunk = json.loads(line.removeprefix("data:"))
                    seen.append((chunk["output"], chunk["offset"]))
    except httpx.TransportError:
        return


def test_a_stream_is_resumed_where_the_crash_broke_it_off(crashing: ServerProcess, box: str) -> None:
    command = "for i in $(seq 1 60); do printf 'öäü%s;' $i; sleep 0.05; done"
    with crashing.client() as client:
        execution_id = client.devboxes.execute_async(box, command=command).execution_id
    path = f"/v1/devboxes/{box}/executions/{execution_id}/stream_stdout_updates"
    seen: list[tuple[str, int]] = []
    reader = threading.Thread(target=_read_stream, args=(crashing.base_url + path, crashing.api_key, 0, seen))
    reader.start()
    while len(seen) < 5:
        time.sleep(0.01)
    crashing.kill()
    reader.join()
    before = len(seen)
    crashing.start()
    _read_stream(crashing.base_url + path, crashing.api_key, seen[-1][1], seen)
    assert before < len(seen)
    assert "".join(output for output, _ in seen) == "".join(f"öäü{i};" for i in range(1, 61))


def test_queued_commands_run_once_each_and_in_order_after_a_crash(crashing: ServerProcess, box: str) -> None:
    with crashing.client() as client:
        run = client.devboxes.execute_async
        first = run(box, command="cd /tmp; N=0; sleep 2", shell_name="line")
        others = [run(box, command='echo "$N $PWD" >> ~/runs; N=$((N + 1))', shell_name="line") for _ in range(5)]
        assert [first.status, *(other.status for other in others)] == ["running", *["queued"] * 5]
        cancelled = run(box, command="echo cancelled >> ~/runs", shell_name="line")
        client.devboxes.executions.kill(cancelled.execution_id, devbox_id=box)
    crashing.kill()
    crashing.start()
    with crashing.client() as client:
        late = client.devboxes.execute_async(box, command="echo late >> ~/runs", shell_name="line")
        for execution in (*others, late):
            done = client.devboxes.executions.await_completed(execution.execution_id, box)
            assert (done.exit_status, done.stderr) == (0, "")
        killed = client.devboxes.executions.retrieve(cancelled.execution_id, devbox_id=box)
        assert (killed.status, killed.exit_status) == ("completed", 137)
        assert _runs(client, box) == "".join(f"{n} /tmp\n" for n in range(5)) + "late\n"


def test_a_command_that_gets_its_turn_as_the_server_dies_runs_once(crashing: ServerProcess, box: str) -> None:
    crashing.stop()
    crashing.start({"LOOPYARD_FAILPOINT": "execution.dequeued"})
    with crashing.client(max_retries=0) as client:
        until_told = "A=kept; until [ -e go ]; do sleep 0.05; done"
        client.devboxes.execute_async(box, command=until_told, shell_name="turn")
        second = client.devboxes.execute_async(box, command="echo $A >> runs", shell_name="turn")
        assert second.status == "queued"
        with contextlib.suppress(APIConnectionError):  # it may die before it answers
            client.devboxes.write_file_contents(box, file_path="go", contents="")
    crashing.wait_dead()
    crashing.start()
    with crashing.client() as client:
        client.devboxes.executions.await_completed(second.execution_id, box)
        assert _runs(client, box) == "kept\n"


def test_standard_input_stays_open_through_a_crash(crashing: ServerProcess, box: str) -> None:
    with crashing.client() as client:
        started = client.devboxes.execute_async(box, command="cat", attach_stdin=True)
        assert client.devboxes.executions.send_std_in(started.execution_id, devbox_id=box, text="one ").success
    crashing.kill()
    crashing.start()
    with crashing.client() as client:
        send = client.devboxes.executions.send_std_in
        assert send(started.execution_id, devbox_id=box, text="two", signal="EOF").success
        assert client.devboxes.executions.await_completed(started.execution_id, box).stdout == "one two"


def test_a_command_of_a_box_that_ended_is_lost_and_says_so(crashing: ServerProcess, box: str) -> None:
    with crashing.client() as client:
        started = client.devboxes.execute_async(box, command="echo before; sleep 600")
        queued = client.devboxes.execute_async(box, command="sleep 600", shell_name="s")
        waiting = client.devboxes.execute_async(box, command="echo never", shell_name="s")
        time.sleep(0.5)
        client.devboxes.shutdown(box)
    crashing.kill()
    crashing.start()
    with crashing.client() as client:
        for execution in (started, queued, waiting):
            done = client.devboxes.executions.await_completed(execution.execution_id, box)
            assert (done.status, done.exit_status) == ("completed", 137)
        assert client.devboxes.executions.retrieve(started.execution_id, devbox_id=box).stdout == "before\n"


def test_nothing_is_left_unfinished(crashing: ServerProcess, box: str) -> None:
    """After all of the above."""
    with crashing.client() as client:
        assert client.devboxes.execute_sync(box, command="echo fine").stdout == "fine\n"
    crashing.stop()
    crashing.start()
    with sqlite3.connect(f"file:{crashing.data_dir / 'loopyard.db'}?mode=ro", uri=True) as store:
        assert store.execute("SELECT id, command FROM execution WHERE status <> 'completed'").fetchall() == []

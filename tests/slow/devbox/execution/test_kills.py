"""Accepted means runs once, and its output is whole or says that it is not: whoever is killed, and on a full disk.

`LOOPYARD_KILL_SECONDS` is how long the random test goes on (20 by default; an hour by hand), `LOOPYARD_KILL_SEED` its
seed, which the words of its commands have in them.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from runloop_api_client import APIError, Runloop

from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import POLL
from tests.serving import ServerProcess

LINES = 4000
WHOLE = "".join(f"{number}\n" for number in range(1, LINES + 1)) + "END\n"
SECONDS = float(os.environ.get("LOOPYARD_KILL_SECONDS", "20"))
SEED = int(os.environ.get("LOOPYARD_KILL_SEED", "0")) or time.time_ns() % 1_000_000
FAILPOINTS = (None, None, None, "execution.recorded", "execution.started", "execution.ended")
LEFT = (0, 4096, 1 << 20, 20 << 20)
"""How much room is left to commands, in bytes, when their disk is filled."""

COMMANDS_BYTES = 96 << 20
"""The size of the file system that holds what commands wrote."""

_NO_PROCESS = (ProcessLookupError, FileNotFoundError)


@dataclass
class Sent:
    """A command that was sent, with a word of its own."""

    word: str
    accepted: str | None = None
    """Its execution's id, once the server has answered."""
    harmed: bool = False
    """True if a process that had begun it may have been killed."""
    done: bool = False


@dataclass
class Crowd:
    """A server, its launcher, and the launcher's children, all to be killed; and a devbox in which commands run."""

    server: ServerProcess
    host: Host
    box: str = ""
    sent: list[Sent] = field(default_factory=list[Sent])
    armed: bool = False
    """True if the server dies at a failpoint."""

    def start(self, failpoint: str | None = None) -> None:
        env: dict[str, str | None] = {"LOOPYARD_RUNTIME__SPARE_SLOTS": "2", "LOOPYARD_RUNTIME__READY_SANDBOXES": "0"}
        self.armed = failpoint is not None
        self.server.start({**env, "LOOPYARD_FAILPOINT": failpoint})
        self.host.begin()

    def end(self) -> None:
        """Kill the server, which may be about to die at its failpoint."""
        if self.server._process is None:  # pyright: ignore[reportPrivateUsage]
            return
        try:
            self.server.kill()
        except ProcessLookupError:
            self.server.wait_dead()

    def launcher(self) -> int:
        return self.host.launcher(self.server.pid)

    def workers(self) -> list[int]:
        """Children of the launcher: some watch over commands, the others wait for work."""
        return _children(self.launcher())

    def send(self, one: Sent, *, lines: int = LINES) -> None:
        """Send a command; it is accepted if the server says so."""
        command = f"echo {one.word} >> ~/runs; seq 1 {lines}; echo END"
        try:
            with self.server.client(max_retries=0, timeout=60) as api:
                one.accepted = api.devboxes.execute_async(self.box, command=command).execution_id
        except (APIError, httpx.HTTPError, OSError):
            return

    def recorded(self, one: Sent) -> str | None:
        """The id of the execution that the store has for a command; None if it has none."""
        with contextlib.closing(sqlite3.connect(self.server.data_dir / "loopyard.db", timeout=30)) as store:
            found = store.execute(
                "SELECT id, lost FROM execution WHERE command LIKE ?", (f"echo {one.word} >>%",)
            ).fetchall()
        assert len(found) <= 1, found
        return found[0][0] if found else None

    def harm(self, batch: list[Sent]) -> None:
        """Note that commands which may go on just now can be lost with those who watch over them."""
        for one in (*self.sent, *batch):
            results = self.server.data_dir / "commands" / self.box / str(one.accepted) / "result.json"
            one.done = one.done or results.exists()
            one.harmed = one.harmed or not one.done

    def runs(self, api: Runloop) -> list[str]:
        return api.devboxes.execute_sync(self.box, command="cat ~/runs 2>/dev/null; true").stdout.split()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(*_NO_PROCESS):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Generator[Crowd]:
    """Its commands write to a file system of their own, small enough to be filled."""
    data = tmp_path_factory.mktemp("kills") / "data"
    (data / "commands").mkdir(parents=True)
    data.chmod(0o700)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={COMMANDS_BYTES}", "loopyard-test", str(data / "commands")], check=True
    )
    server = ServerProcess(data)
    crowd = Crowd(server, Host(data, 2))
    try:
        crowd.start()
        with server.client() as api:
            crowd.box = api.devboxes.create_and_await_running(polling_config=POLL).id
        yield crowd
        if not server.alive:
            crowd.start()
        with server.client() as api:
            api.devboxes.shutdown(crowd.box)
        server.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(data / "commands")], check=False)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1, 0.25, 0.5], ids=lambda after: f"{after}s")
def test_a_command_sent_to_a_dead_launcher_runs_once_though_the_server_dies_too(crowd: Crowd, after: float) -> None:
    _revive(crowd)
    one = Sent(f"launcher-{after}")
    _kill(crowd.launcher())
    sending = threading.Thread(target=crowd.send, args=(one,))
    sending.start()
    time.sleep(after)
    crowd.server.kill()
    sending.join()
    crowd.start()
    _check(crowd, one)


def test_a_command_whose_worker_is_killed_before_it_begins_is_begun_by_another(crowd: Crowd) -> None:
    _revive(crowd)
    for worker in crowd.workers():
        _kill(worker)
    one = Sent("idle-workers")
    crowd.send(one)
    assert one.accepted is not None
    _check(crowd, one)


def test_the_launcher_comes_back_though_a_command_of_a_killed_worker_still_writes(crowd: Crowd) -> None:
    """The lock of an act must not live on in the child that moves the output of what a command left running."""
    _revive(crowd)
    with crowd.server.client() as api:
        snapshot = api.devboxes.snapshot_disk(crowd.box).id  # every worker that is free has had the lock once
        api.devboxes.disk_snapshots.delete(snapshot)
        api.devboxes.execute_sync(crowd.box, command="(while sleep 0.2; do echo on; done) & echo left")
    began = time.monotonic()
    for pid in (*crowd.workers(), crowd.launcher()):
        _kill(pid)
    with crowd.server.client() as api:
        assert api.devboxes.execute_sync(crowd.box, command="echo back").stdout == "back\n"
        api.devboxes.execute_sync(crowd.box, command="pkill sleep; pkill -f 'echo on'; true")
    assert time.monotonic() - began < 30


def test_the_end_that_a_full_disk_did_not_take_is_told(crowd: Crowd) -> None:
    _revive(crowd)
    ballast = _fill(crowd, 60 << 20)
    try:
        with crowd.server.client() as api:
            begun = api.devboxes.execute_async(crowd.box, command="seq 1 12000000; echo END")
            ended = api.devboxes.executions.await_completed(
                begun.execution_id, devbox_id=crowd.box, polling_config=POLL
            )
            assert (ended.exit_status, ended.stdout_truncated, ended.stderr_truncated) == (0, True, False)
            assert ended.stdout is not None
            assert ended.stdout.splitlines()[-1].startswith("[loopyard:")
            assert "END" not in ended.stdout
    finally:
        ballast.unlink()
    text = _all_of(crowd, begun.execution_id)
    lines = text.splitlines()
    assert lines[:1000] == [str(number) for number in range(1, 1001)]
    assert lines[-1].startswith("[loopyard:")


def test_whoever_is_killed_a_command_runs_once_and_its_output_is_whole_or_says_so(crowd: Crowd) -> None:
    _revive(crowd)
    chance = random.Random(SEED)  # noqa: S311
    deadline = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < deadline:
        batch = [Sent(f"random-{SEED}-{number + more}") for more in range(chance.randint(1, 6))]
        number += len(batch)
        threads = [threading.Thread(target=crowd.send, args=(one,)) for one in batch]
        ballast = _fill(crowd, chance.choice(LEFT)) if chance.random() < 0.3 else None
        for thread in threads:
            thread.start()
        time.sleep(chance.choice([0.0, 0.01, 0.05, 0.2, 0.5]))
        for act in chance.sample(_ACTS, chance.randint(1, 3)):
            act(crowd, chance, batch)
            time.sleep(chance.choice([0.0, 0.01, 0.1]))
        for thread in threads:
            thread.join()
        if ballast is not None:
            ballast.unlink()
        _revive(crowd, chance.choice(FAILPOINTS))
        crowd.sent += batch
    _revive(crowd)
    for one in crowd.sent:
        _check(crowd, one)


def _fill(crowd: Crowd, left: int) -> Path:
    """Leave so many bytes of room where commands write."""
    ballast = crowd.server.data_dir / "commands" / "ballast"
    found = os.statvfs(ballast.parent)
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - left))
    return ballast


def _kill_server(crowd: Crowd, _chance: random.Random, _batch: list[Sent]) -> None:
    crowd.end()


def _kill_launcher(crowd: Crowd, _chance: random.Random, _batch: list[Sent]) -> None:
    if crowd.server.alive:
        with contextlib.suppress(AssertionError):
            _kill(crowd.launcher())


def _kill_a_worker(crowd: Crowd, chance: random.Random, batch: list[Sent]) -> None:
    """Kill a worker, which may be at a command, and may watch over one."""
    if crowd.server.alive:
        with contextlib.suppress(AssertionError):
            if workers := crowd.workers():
                crowd.harm(batch)
                _kill(chance.choice(workers))


def _kill_the_supervisors(crowd: Crowd, chance: random.Random, batch: list[Sent]) -> None:
    """All that watch over commands, and all that are about to."""
    if crowd.server.alive:
        with contextlib.suppress(AssertionError):
            crowd.harm(batch)
            for worker in crowd.workers():
                if chance.random() < 0.7:
                    _kill(worker)


_ACTS: list[Callable[[Crowd, random.Random, list[Sent]], None]] = [
    _kill_server,
    _kill_launcher,
    _kill_a_worker,
    _kill_the_supervisors,
]


def _revive(crowd: Crowd, failpoint: str | None = None) -> None:
    """Have a server that answers; with a failpoint, one that the next command kills there."""
    if failpoint is not None or crowd.armed or not crowd.server.alive:
        crowd.end()
        crowd.start(failpoint)


def _check(crowd: Crowd, one: Sent) -> None:
    """A command that the store knows has run once, unless it was lost with who had begun it, and says so; one that the
    store does not know was neither accepted nor run."""
    found = crowd.recorded(one)
    with crowd.server.client(timeout=120) as api:
        if found is None:
            assert one.accepted is None, one
            assert one.word not in crowd.runs(api), one
            return
        assert one.accepted in (None, found), one
        ended = api.devboxes.executions.await_completed(found, devbox_id=crowd.box, polling_config=POLL)
        count = crowd.runs(api).count(one.word)
        text = _all_of(crowd, found)
    assert count <= 1, (one, "ran twice")
    if ended.exit_status == 0:
        assert count == 1, one
        last = text.splitlines()[-1]
        assert text == WHOLE or (last.startswith("[loopyard:") and ended.stdout_truncated), (one, last)
        return
    assert ended.exit_status == 137, (one, ended.exit_status)
    # Refused before it was begun, or lost with its supervisor.
    assert one.harmed or (one.accepted is None and count == 0), (one, count)


def _all_of(crowd: Crowd, execution_id: str) -> str:
    with (
        crowd.server.client() as api,
        api.devboxes.executions.stream_stdout_updates(execution_id, devbox_id=crowd.box) as stream,
    ):
        return "".join(chunk.output for chunk in stream)

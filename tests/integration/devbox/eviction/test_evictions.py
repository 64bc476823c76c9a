"""Evictions: decided by the operator's command, told to those who watch, carried out in time."""

import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.commands import loopyard
from tests.integration.devbox.waiting import POLL, run, wait_for, wait_until
from tests.serving import ServerProcess, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


def evict(data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return loopyard("evict", "--data-dir", str(data_dir), *arguments)


class Watcher:
    """Collects the events that the client is told, for as long as the server sends any."""

    def __init__(self, server: ServerProcess) -> None:
        self.told: list[tuple[str, int]] = []
        self._client = server.client()
        self._stream = self._client.devboxes.watch_evictions()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self._stream:
            self.told.append((event.devbox_id, event.eviction_deadline_ms))

    def wait(self, count: int) -> None:
        wait_until(lambda: len(self.told) >= count, lambda: str(self.told), seconds=15)


def test_watchers_are_told_what_is_pending_and_what_comes(client: Runloop, server: ServerProcess) -> None:
    early = client.devboxes.create_and_await_running()
    late = client.devboxes.create_and_await_running()
    ended = client.devboxes.create()
    client.devboxes.shutdown(ended.id)
    before = time.time() * 1000
    assert evict(server.data_dir, "--in", "600", early.id, ended.id).stdout.split() == [early.id]
    watcher = Watcher(server)
    watcher.wait(1)
    assert evict(server.data_dir, "--in", "300").stdout.split() == sorted([early.id, late.id])
    watcher.wait(3)
    devbox_id, deadline = watcher.told[0]
    assert devbox_id == early.id
    assert before + 599_000 < deadline < before + 660_000
    assert {devbox_id for devbox_id, _ in watcher.told[1:]} == {early.id, late.id}
    assert evict(server.data_dir, "--cancel").returncode == 0
    time.sleep(1.5)
    assert len(watcher.told) == 3
    assert client.devboxes.retrieve(early.id).status == "running"
    for devbox_id in (early.id, late.id):
        client.devboxes.shutdown(devbox_id)


def test_an_evicted_devbox_is_suspended_and_can_be_resumed(client: Runloop, server: ServerProcess) -> None:
    devbox = client.devboxes.create_and_await_running()
    run(client, devbox.id, "echo kept > file")
    watcher = Watcher(server)
    evict(server.data_dir, "--in", "2", devbox.id)
    watcher.wait(1)
    wait_for(client, devbox.id, "suspended", seconds=15)
    assert int(time.time() * 1000) >= watcher.told[0][1]
    client.devboxes.resume(devbox.id)
    client.devboxes.await_running(devbox.id, polling_config=POLL)
    assert run(client, devbox.id, "cat file") == "kept\n"
    time.sleep(2.5)
    assert client.devboxes.retrieve(devbox.id).status == "running"
    assert len(watcher.told) == 1
    client.devboxes.shutdown(devbox.id)


def test_a_folder_without_a_server_is_told(tmp_path: Path) -> None:
    told = evict(tmp_path)
    assert told.returncode == 1
    assert "loopyard.db" in told.stderr
    assert list(tmp_path.iterdir()) == []

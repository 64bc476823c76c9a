"""SIGTERM ends a server cleanly, and leaves its devboxes running for the next one."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.serving import ServerProcess, serving


def test_devboxes_and_commands_outlive_the_server(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        with server.client() as client:
            devbox = client.devboxes.create_and_await_running()
            execution = client.devboxes.execute_async(devbox.id, command="echo before; sleep 3; echo after")
        assert server.stop() == 0
        assert _processes_of(devbox.id)
        server.start()
        with server.client() as client:
            ended = client.devboxes.executions.await_completed(execution.execution_id, devbox_id=devbox.id)
            assert (ended.exit_status, ended.stdout) == (0, "before\nafter\n")
            assert client.devboxes.retrieve(devbox.id).status == "running"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_soon_though_clients_wait(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "data") as server:
        with server.client() as client:
            devbox = client.devboxes.create_and_await_running()
            execution = client.devboxes.execute_async(devbox.id, command="sleep 60")
        waiting = [
            threading.Thread(target=_wait, args=(server, path, body))
            for path, body in (
                (f"/v1/devboxes/{devbox.id}/wait_for_status", {"statuses": ["shutdown"], "timeout_seconds": 25}),
                (f"/v1/devboxes/{devbox.id}/executions/{execution.execution_id}/stream_stdout_updates", None),
            )
        ]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        begun = time.monotonic()
        psutil.Process(server.pid).send_signal(number)
        assert server.wait_dead() == 0
        assert time.monotonic() - begun < 20
        for thread in waiting:
            thread.join(30)
            assert not thread.is_alive()
        assert "Application shutdown complete" in server.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_as_soon_as_it_has_spoken(tmp_path: Path, number: signal.Signals) -> None:
    server = ServerProcess(tmp_path / "data")
    server.start()
    for _ in range(5):  # at once when it has spoken, before it serves
        psutil.Process(server.pid).send_signal(number)
        assert server.wait_dead() == 0
        server.start()
    assert server.stop() == 0


def test_it_ends_cleanly_while_it_makes_the_base_image(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loopyard", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    images = tmp_path / "images"
    with subprocess.Popen(command, env={**os.environ, "LOOPYARD_RUNTIME__IMAGES": str(images)}) as process:
        deadline = time.monotonic() + 60
        while not list(images.glob("making-*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(2)
        process.terminate()
        assert process.wait(60) == 0
    assert not list(images.glob("making-*"))
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(images) in " ".join(p.info["cmdline"] or ())]


def _wait(server: ServerProcess, path: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    try:
        httpx.request("GET" if body is None else "POST", server.base_url + path, headers=headers, json=body, timeout=30)
    except httpx.TransportError:
        return  # the server may cut it off


def test_nothing_is_left_once_the_devboxes_are_ended_too(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        with server.client() as client:
            devbox = client.devboxes.create_and_await_running()
            client.devboxes.execute_async(devbox.id, command="sleep 100 & sleep 100")
            client.devboxes.shutdown(devbox.id)
        assert server.stop() == 0
        assert not _processes_of(devbox.id)
        assert not _processes_of(str(server.data_dir))
        links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
        assert devbox.id not in links


def _processes_of(mark: str) -> list[str]:
    """Command lines and cgroups in which this occurs."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline()) + Path(f"/proc/{process.pid}/cgroup").read_text()
        except (psutil.Error, OSError):
            continue
        if mark in told:
            found.append(told)
    return found

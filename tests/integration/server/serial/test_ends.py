"""SIGTERM ends a server cleanly, and leaves its devboxes running for the next one."""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
            execution = client.devboxes.execute_async(devbox.id, command="echo begun; sleep 60")
        path = f"/v1/devboxes/{devbox.id}"
        polls = (
            (f"{path}/wait_for_status", {"statuses": ["shutdown"], "timeout_seconds": 25}),
            (f"{path}/executions/{execution.execution_id}/wait_for_status", {"statuses": ["completed"]}),
            (f"{path}/execute_sync", {"command": "sleep 60"}),
        )
        streams = (
            f"{path}/executions/{execution.execution_id}/stream_stdout_updates",
            "/v1/devboxes/evictions/watch",
        )
        with ThreadPoolExecutor() as pool:
            polled = [pool.submit(_post, server, path, body) for path, body in polls]
            streamed = [pool.submit(_read_stream, server, path) for path in streams]
            time.sleep(1)
            begun = time.monotonic()
            psutil.Process(server.pid).send_signal(number)
            assert server.wait_dead() == 0
            took = time.monotonic() - begun
            for poll in polled:
                answer = poll.result()
                assert (answer.status_code, answer.json()["code"]) == (503, "server_ending")
                assert answer.headers["x-should-retry"] == "true"
            assert [stream.result() for stream in streamed] == ["cut off", "cut off"]
        assert took < 5, "what only waits is not waited for"
        assert "Application shutdown complete" in server.log
        assert not re.search("Traceback|ERROR", server.log), server.log


def test_a_request_that_takes_too_long_is_ended_without_noise(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        with server.client() as client:
            devbox = client.devboxes.create_and_await_running()
        content = (time.sleep(1) or b"a" * 1024 for _ in range(20))
        with ThreadPoolExecutor() as pool:
            upload = pool.submit(_upload, server, f"/v1/devboxes/{devbox.id}/upload_file", content)
            time.sleep(1)
            assert server.stop() == 0
            assert upload.result() in (503, None)
        assert "Application shutdown complete" in server.log
        assert not re.search("Traceback|ERROR", server.log), server.log


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


def _headers(server: ServerProcess) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.api_key}"}


def _post(server: ServerProcess, path: str, body: object) -> httpx.Response:
    return httpx.post(server.base_url + path, headers=_headers(server), json=body, timeout=30)


def _read_stream(server: ServerProcess, path: str) -> str:
    """How a stream ends: as one that is whole, or not."""
    try:
        httpx.get(server.base_url + path, headers=_headers(server), timeout=30)
    except httpx.RemoteProtocolError:
        return "cut off"
    return "whole"


def _upload(server: ServerProcess, path: str, content: Iterator[bytes]) -> int | None:
    """The status of the answer; None if there was none."""
    head = b'--x\r\nContent-Disposition: form-data; name="path"\r\n\r\nslow\r\n--x\r\n' + (
        b'Content-Disposition: form-data; name="file"; filename="slow"\r\n\r\n'
    )
    headers = {**_headers(server), "Content-Type": "multipart/form-data; boundary=x"}
    try:
        body = itertools.chain([head], content)
        return httpx.post(server.base_url + path, headers=headers, content=body, timeout=30).status_code
    except httpx.TransportError:
        return None


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

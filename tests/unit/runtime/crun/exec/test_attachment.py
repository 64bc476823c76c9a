"""Signals to commands whose streams the server holds."""

import asyncio
import os
import pty
import signal
from pathlib import Path

import pytest

from loopyard.runtime.crun.exec import attachment
from loopyard.runtime.crun.exec.attachment import CrunAttached

pytestmark = pytest.mark.anyio


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[tuple[int, int]]:
    """Signals that were sent: the process and the number."""
    queue: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    def kill_group(pid: int, number: int) -> None:
        queue.put_nowait((pid, number))

    monkeypatch.setattr(attachment, "kill_group", kill_group)
    return queue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "attached"
    folder.mkdir()
    return folder


async def test_a_signal_waits_until_the_process_is_known(folder: Path, sent: asyncio.Queue[tuple[int, int]]) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    CrunAttached(folder, ended, 0, 1, 2).signal(signal.SIGTERM)
    await asyncio.sleep(0.05)
    (folder / "pid").write_text("")  # just being written
    await asyncio.sleep(0.05)
    assert sent.empty()
    (folder / "pid").write_text("123")
    assert await asyncio.wait_for(sent.get(), 60) == (123, signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert sent.empty(), "it was sent twice"
    ended.set_result(143)


async def test_a_signal_to_what_has_ended_is_given_up(folder: Path, sent: asyncio.Queue[tuple[int, int]]) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    CrunAttached(folder, ended, 0, 1, 2).signal(signal.SIGTERM)
    ended.set_result(0)
    await asyncio.sleep(0.05)
    folder.mkdir(exist_ok=True)
    (folder / "pid").write_text("123")
    await asyncio.sleep(0.05)
    assert sent.empty()


async def test_a_terminal_without_a_group_sends_this_process_nothing(folder: Path) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ours, theirs = pty.openpty()
    try:
        CrunAttached(folder, ended, ours, ours, None).signal(signal.SIGUSR1)
        await asyncio.sleep(0.05)
        assert received == []
    finally:
        ended.set_result(0)
        signal.signal(signal.SIGUSR1, before)
        os.close(ours)
        os.close(theirs)

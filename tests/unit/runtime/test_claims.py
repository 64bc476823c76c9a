"""The right to start a command is had by one at a time and used once, whoever lets go of it."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from loopyard.kit.host.full_disk import LEAST_FREE_BYTES
from loopyard.runtime.commands import kept
from loopyard.runtime.commands.claim import claim, described, use
from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.errors import HostDiskFull
from loopyard.runtime.layout import Layout, write_whole

ME = described(os.getpid(), 1)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    folder, live = tmp_path / "kept", tmp_path / "live"
    folder.mkdir()
    live.mkdir()
    return str(folder), str(live)


def test_it_is_had_by_one_at_a_time(folders: tuple[str, str]) -> None:
    first = claim(*folders)
    assert first is not None
    with pytest.raises(BlockingIOError):
        claim(*folders, wait=False)
    os.close(first)
    second = claim(*folders, wait=False)
    assert second is not None
    os.close(second)


def test_once_it_is_used_nobody_gets_it(folders: tuple[str, str]) -> None:
    first = claim(*folders)
    assert first is not None
    use(first, ME)
    use(first, described(1, 1))
    os.close(first)
    assert claim(*folders) is None
    assert (Path(folders[1]) / "supervisor.json").read_bytes() == ME


def test_a_copy_that_is_open_holds_it(folders: tuple[str, str]) -> None:
    first = claim(*folders)
    assert first is not None
    copy = os.dup(first)
    os.close(first)
    with pytest.raises(BlockingIOError):
        claim(*folders, wait=False)
    os.close(copy)
    second = claim(*folders, wait=False)
    assert second is not None
    os.close(second)


def test_nobody_gets_it_for_a_command_that_has_ended_or_was_given_up(folders: tuple[str, str]) -> None:
    write_whole(Path(folders[0]) / "result.json", {"exit_status": 0})
    assert claim(*folders) is None
    shutil.rmtree(folders[1])
    assert claim(*folders) is None


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(Layout(tmp_path))


def test_a_command_that_a_killed_server_left_unbegun_is_prepared_again(commands: Commands, tmp_path: Path) -> None:
    folder = commands.prepare("box", "one", stdin_for=None)
    assert folder is not None
    assert commands.prepare("box", "one", stdin_for=None) is None  # this server is about to start it
    after = Commands(Layout(tmp_path))
    assert after.result("box", "one") is None
    assert after.prepare("box", "one", stdin_for=None) == folder


def test_a_command_that_was_begun_is_not_prepared_again(commands: Commands, tmp_path: Path) -> None:
    folder = commands.prepare("box", "one", stdin_for=None)
    assert folder is not None
    first = claim(str(folder), str(commands.live(folder)))
    assert first is not None
    use(first, ME)
    os.close(first)
    assert Commands(Layout(tmp_path)).prepare("box", "one", stdin_for=None) is None


def test_a_command_whose_live_folder_went_with_the_power_is_not_run_again(commands: Commands, tmp_path: Path) -> None:
    folder = commands.prepare("box", "one", stdin_for=None)
    assert folder is not None
    shutil.rmtree(commands.running)
    assert Commands(Layout(tmp_path)).prepare("box", "one", stdin_for=None) is None


@pytest.mark.anyio
async def test_a_command_that_nobody_begins_is_lost_to_those_who_wait(commands: Commands, tmp_path: Path) -> None:
    folder = commands.prepare("box", "one", stdin_for=None)
    assert folder is not None
    result = await Commands(Layout(tmp_path)).wait("box", "one")
    assert (result.exit_status, result.lost) == (137, True)
    assert claim(str(folder), str(commands.live(folder))) is None


def test_a_command_that_is_given_up_is_begun_by_nobody(commands: Commands) -> None:
    folder = commands.prepare("box", "one", stdin_for=None)
    assert folder is not None
    live = str(commands.live(folder))
    waiting = os.open(f"{live}/supervisor.json", os.O_RDWR | os.O_CREAT)
    assert commands.give_up(folder)
    fcntl.flock(waiting, fcntl.LOCK_EX)
    assert os.fstat(waiting).st_nlink == 0  # by this it knows that it came too late
    os.close(waiting)
    assert not folder.exists()


def test_on_a_disk_that_is_nearly_full_no_command_is_begun(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly_full(_: object) -> bool:
        return False

    with monkeypatch.context() as disk:
        disk.setattr(kept, "has_room", nearly_full)
        with pytest.raises(HostDiskFull):
            commands.prepare("box", "one", stdin_for=None)
    assert commands.prepare("box", "one", stdin_for=None) is not None
    assert LEAST_FREE_BYTES < 64 << 20

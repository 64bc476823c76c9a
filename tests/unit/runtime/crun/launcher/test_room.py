"""Processes that keep room for the sandboxes' disk: one for each disk, whoever started it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher import room
from loopyard.runtime.proc import start_ticks

GIB = 1 << 30


class Disk:
    """A disk whose sandboxes run until `ends`, with a keeper whose launcher is gone."""

    def __init__(self, image: Path) -> None:
        self.image = str(image)
        self.looks = 0
        self.given_back = False
        self.at_look: Callable[[], object] = lambda: None
        self.ends = 3

    def any_runs(self, _: str) -> bool:
        self.looks += 1
        self.at_look()
        assert self.looks < 10, "it stays"
        return self.looks < self.ends

    def give_back(self, *_: str) -> None:
        self.given_back = True

    def keep(self) -> None:
        launcher, gone = os.pipe()
        os.close(gone)
        try:
            room._keep(launcher, self.image, "pool", ["sandboxes"])  # pyright: ignore[reportPrivateUsage]
        finally:
            os.close(launcher)

    def name_keeper(self, told: str) -> None:
        Path(room.mark(self.image)).write_text(told)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    image = tmp_path / "pool.btrfs"
    image.touch()
    disk = Disk(image)
    monkeypatch.setattr(room, "_any_runs", disk.any_runs)
    monkeypatch.setattr(room, "give_back", disk.give_back)
    monkeypatch.setattr(room, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(room.btrfs, "device", lambda _: (100 * GIB, 200 * GIB))  # type: ignore[attr-defined]
    return disk


def test_it_stays_without_its_launcher_until_no_sandbox_runs(disk: Disk) -> None:
    disk.keep()
    assert disk.looks == disk.ends
    assert disk.given_back
    assert room.is_kept(disk.image)


def test_it_goes_once_another_has_taken_over_and_gives_nothing_back(disk: Disk) -> None:
    other = os.getppid()
    disk.ends = 100
    disk.at_look = lambda: disk.name_keeper(f"{other} {start_ticks(other)}\n")
    disk.keep()
    assert disk.looks == 1
    assert not disk.given_back


@pytest.mark.parametrize("told", ["", "x", f"{os.getppid()} 1", "4194305 1", "1 2 3"])
def test_it_stays_while_the_other_does_not_live(disk: Disk, told: str) -> None:
    disk.at_look = lambda: disk.name_keeper(told)
    disk.keep()
    assert disk.given_back


def test_a_file_without_a_btrfs_is_told(tmp_path: Path) -> None:
    for content in (b"", b"\0" * (1 << 17)):
        image = tmp_path / "pool.btrfs"
        image.write_bytes(content)
        with pytest.raises(room.NoFileSystem):
            room.fill(str(image))

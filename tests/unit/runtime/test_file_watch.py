"""Waiting for writes to files: who is woken, when, and what is left of it."""

import asyncio
import errno
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from loopyard.runtime.commands import file_watch
from loopyard.runtime.commands.file_watch import FileWatch

pytestmark = pytest.mark.anyio


@pytest.fixture
async def watch() -> AsyncGenerator[FileWatch]:
    watch = FileWatch()
    yield watch
    watch.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "stdout"
    file.write_bytes(b"")
    return file


def append(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


async def done(waiting: asyncio.Future[None] | None, seconds: float = 10) -> bool:
    assert waiting is not None
    return bool((await asyncio.wait([waiting], timeout=seconds))[0])


async def test_a_write_wakes_all_who_wait_for_this_file(watch: FileWatch, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "stderr"
    other.write_bytes(b"")
    first, second, apart = watch.next_write(file), watch.next_write(file), watch.next_write(other)
    append(file)
    assert await done(first)
    assert await done(second)
    assert not await done(apart, 0.05)


async def test_each_wait_is_for_a_write_after_it(watch: FileWatch, file: Path) -> None:
    for _ in range(3):
        waiting = watch.next_write(file)
        assert not await done(waiting, 0.02)
        append(file)
        assert await done(waiting)


async def test_a_removed_file_wakes(watch: FileWatch, file: Path) -> None:
    waiting = watch.next_write(file)
    file.unlink()
    assert await done(waiting)


async def test_a_file_that_is_not_there_yet_wakes_when_it_is_made_and_written_to(
    watch: FileWatch, tmp_path: Path
) -> None:
    waiting = watch.next_write(tmp_path / "later")
    assert not await done(waiting, 0.02)
    append(tmp_path / "later")
    assert await done(waiting)


async def test_a_file_in_a_folder_that_is_not_there_cannot_be_watched(watch: FileWatch, tmp_path: Path) -> None:
    assert watch.next_write(tmp_path / "none" / "stdout") is None


async def test_closing_wakes_whoever_waits(watch: FileWatch, file: Path) -> None:
    waiting = watch.next_write(file)
    watch.close()
    assert await done(waiting)


async def test_a_flood_of_writes_to_many_files_loses_no_wait(watch: FileWatch, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(300)]
    for file in files:
        file.write_bytes(b"")
    waiting = [watch.next_write(file) for file in files]
    for _ in range(5):
        for file in files:
            append(file)
    assert all([await done(one) for one in waiting])


async def test_without_inotify_nothing_is_watched(
    watch: FileWatch, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError(errno.EMFILE, "inotify_init1")

    monkeypatch.setattr(file_watch, "inotify", refuse)
    assert watch.next_write(file) is None


async def test_a_renamed_file_wakes_and_a_write_to_it_does_not(watch: FileWatch, file: Path, tmp_path: Path) -> None:
    waiting = watch.next_rename(file)
    append(file)
    assert not await done(waiting, 0.05)
    file.rename(tmp_path / "whole")
    assert await done(waiting)
    assert watch.next_rename(file) is None

"""Output on its way to files of the host: whole, or known not to be."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher.streams import KeptStream

ROOM = 1 << 30
Write = Callable[[bytes], None]


@pytest.fixture
def pipe(tmp_path: Path) -> tuple[KeptStream, Write]:
    """A stream, and a function that writes to its pipe."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stream = KeptStream("stdout", reader, str(tmp_path / "stdout"), ROOM, str(tmp_path / "stdout.lost"))

    def write(data: bytes) -> None:
        os.write(writer, data)
        stream.move(all=True)

    return stream, write


def _fails(number: int) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_all_that_is_written_is_kept(pipe: tuple[KeptStream, Write], tmp_path: Path) -> None:
    stream, write = pipe
    for piece in (b"one", b"two" * 10_000, b"three"):
        write(piece)
    assert (tmp_path / "stdout").read_bytes() == b"one" + b"two" * 10_000 + b"three"
    assert not stream.lost
    assert not (tmp_path / "stdout.lost").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_is_full_in_the_middle_keeps_the_beginning(
    pipe: tuple[KeptStream, Write], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    stream, write = pipe
    write(b"kept")
    with monkeypatch.context() as full:
        full.setattr(os, "splice", _fails(number))
        write(b"lost")
    write(b"later, when there is room")
    assert (tmp_path / "stdout").read_bytes() == b"kept"
    assert stream.lost
    assert (tmp_path / "stdout.lost").exists()


@pytest.mark.parametrize("call", ["open", "write"])
def test_a_disk_that_is_full_from_the_start_loses_all(
    pipe: tuple[KeptStream, Write], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    stream, write = pipe
    real = getattr(os, call)

    def refuse(target: object, *given: object, **named: object) -> object:
        if target == stream.path or target == stream.file:
            raise OSError(errno.ENOSPC, "full")
        return real(target, *given, **named)

    monkeypatch.setattr(os, call, refuse)
    write(b"lost")
    monkeypatch.undo()
    write(b"later")
    assert stream.lost
    assert not (tmp_path / "stdout").exists() or (tmp_path / "stdout").read_bytes() == b""


def test_another_error_is_not_taken_for_a_full_disk(
    pipe: tuple[KeptStream, Write], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, write = pipe
    write(b"kept")
    monkeypatch.setattr(os, "splice", _fails(errno.EBADF))
    with pytest.raises(OSError, match="Bad file descriptor"):
        write(b"more")
    assert not stream.lost


def test_what_is_past_the_room_is_thrown_away_and_not_lost_to_the_disk(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stream = KeptStream("stdout", reader, str(tmp_path / "stdout"), 5, str(tmp_path / "stdout.lost"))
    for piece in (b"123", b"456", b"789"):
        os.write(writer, piece)
        stream.move(all=True)
    assert (tmp_path / "stdout").read_bytes() == b"12345"
    assert not stream.lost


def test_a_large_stream_leaves_the_last_room_of_the_disk_to_others(
    pipe: tuple[KeptStream, Write], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, write = pipe

    def nearly_full(_: int) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 1000, 1, 1, 10, 10, 10, 0, 255))

    monkeypatch.setattr(os, "fstatvfs", nearly_full)
    piece = b"x" * 65_536
    for _ in range(128):
        write(piece)
    assert not stream.lost  # nothing more has come so far, so it may be whole
    write(b"more")
    assert stream.lost
    assert (tmp_path / "stdout").stat().st_size == 128 * len(piece)

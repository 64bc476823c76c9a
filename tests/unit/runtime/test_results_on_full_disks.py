"""A command's result finds room on a disk that is full."""

import errno
import json
import os
from pathlib import Path

import pytest

from loopyard.kit.host.full_disk import RESERVED_BYTES, reserve
from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.errors import HostDiskFull
from loopyard.runtime.layout import Layout, read_json, write_whole


def test_room_that_was_taken_is_not_given_away_before_it_is_used(tmp_path: Path) -> None:
    reserve(str(tmp_path / "result.json"))
    (reserved,) = tmp_path.iterdir()
    before = reserved.stat()
    assert before.st_size == RESERVED_BYTES
    write_whole(tmp_path / "result.json", {"exit_status": 0})
    after = (tmp_path / "result.json").stat()
    assert (after.st_ino, read_json(tmp_path / "result.json")) == (before.st_ino, {"exit_status": 0})


def test_a_shorter_content_replaces_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "one.json.new").write_text("left by a kill " * 100)
    write_whole(tmp_path / "one.json", [1])
    assert json.loads((tmp_path / "one.json").read_text()) == [1]


def test_a_command_without_room_for_its_result_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    layout = Layout(tmp_path)
    commands = Commands(layout)
    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        with pytest.raises(HostDiskFull):
            commands.prepare("box", "one", stdin_for=None)
    assert not layout.command("box", "one").exists()
    assert commands.prepare("box", "one", stdin_for=None) is not None

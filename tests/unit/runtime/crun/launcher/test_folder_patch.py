"""Patches of what differs between two disks over one image."""

import os
import shutil
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher.folder_patch import FolderPatch, folder_patch


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A folder with `image`, `kept` and `disk`, of which the latter are copies."""
    (tmp_path / "image/work/sub").mkdir(parents=True)
    (tmp_path / "image/work/of-image").write_text("one\ntwo\n")
    (tmp_path / "image/work/sub/deep").write_text("deep\n")
    (tmp_path / "kept/upper/work").mkdir(parents=True)
    (tmp_path / "kept/upper/work/made").write_text("made\n")
    (tmp_path / "kept/upper/work/left").write_text("left\n")
    shutil.copytree(tmp_path / "kept", tmp_path / "disk")
    return tmp_path


def _told(top: Path, path: str = "/work") -> FolderPatch:
    return folder_patch(str(top / "disk"), str(top / "kept"), str(top / "image"), path)


def _files(told: FolderPatch) -> list[str]:
    lines = told.patch.data.decode().splitlines()
    return [line.split(" b/")[-1] for line in lines if line.startswith("diff --git")]


def test_nothing_was_changed(top: Path) -> None:
    told = _told(top)
    assert (told.patch.data, told.patch.files, told.skipped, told.complete) == (b"", 0, [], True)


def test_files_of_the_image_and_of_the_disk_are_compared(top: Path) -> None:
    work = top / "disk/upper/work"
    (work / "of-image").write_text("one\n2\n")
    (work / "made").unlink()
    (work / "sub").mkdir()
    (work / "sub/new").write_text("new\n")
    (work / "link").symlink_to("/etc/passwd")
    (top / "disk/upper/elsewhere").write_text("elsewhere\n")
    told = _told(top)
    assert _files(told) == ["link", "made", "of-image", "sub/new"]
    data = told.patch.data.decode()
    assert "@@ -1,2 +1,2 @@\n one\n-two\n+2\n" in data
    assert "deleted file mode 100644\n--- a/made" in data
    assert "+/etc/passwd" in data
    assert "root:" not in data
    assert (told.patch.added, told.patch.removed) == (3, 2)


def test_a_folder_that_took_the_place_of_a_file(top: Path) -> None:
    work = top / "disk/upper/work"
    (work / "made").unlink()
    (work / "made").mkdir()
    (work / "made/in").write_text("in\n")
    assert _files(_told(top)) == ["made/in", "made"]


def test_folders_of_tools_are_left_out_and_named(top: Path) -> None:
    git = top / "disk/upper/work/.git"
    git.mkdir()
    (git / "index").write_text("bytes\n")
    told = _told(top)
    assert (told.skipped, told.patch.files) == ([".git"], 0)


def test_links_on_the_way_to_the_folder_are_followed_in_the_box_only(top: Path) -> None:
    for disk in ("kept", "disk"):
        (top / disk / "upper/app").symlink_to("/work")
        (top / disk / "upper/out").symlink_to(f"{top}/image")
        (top / disk / "upper/round").symlink_to("/round")
    (top / "disk/upper/work/made").write_text("other\n")
    assert _files(_told(top, "/app")) == ["made"]
    assert _told(top, "/out/work").patch.files == 0
    assert _told(top, "/round").patch.files == 0
    assert _files(_told(top, "/")) == ["work/made"]


def test_what_is_no_file_is_not_opened(top: Path) -> None:
    work = top / "disk/upper/work"
    os.mkfifo(work / "pipe")
    (work / "made").unlink()
    os.mkfifo(work / "made")
    assert _files(_told(top)) == ["made"]


def test_depth_and_names_are_limited(top: Path) -> None:
    deep = top / "disk/upper/work"
    for _ in range(100):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep\n")
    (top / "disk/upper/work/z").write_text("z\n")
    told = _told(top)
    assert _files(told) == ["z"]
    assert not told.complete


def test_large_files_are_told_to_differ(top: Path) -> None:
    with (top / "disk/upper/work/large").open("wb") as file:
        file.truncate(5 << 20)
    told = _told(top)
    assert _files(told) == ["large"]
    assert b"too large to be shown: 5242880 bytes" in told.patch.data

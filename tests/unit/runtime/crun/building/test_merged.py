"""Stacks of layers, and what is written over them. What the kernel alone makes (whiteouts) is in
`tests/slow/blueprint/test_instructions.py`."""

import os
import stat
from pathlib import Path

import pytest

from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.building.writing import CannotWrite, TooMuch, Writer


def fill(folder: Path, files: dict[str, str]) -> str:
    """Write files; a content that begins with `->` is a link."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("->"):
            place.symlink_to(content[2:])
        else:
            place.write_text(content)
    return str(folder)


@pytest.fixture
def files(tmp_path: Path) -> Merged:
    (tmp_path / "outside").write_text("secret")
    top = fill(tmp_path / "top", {"etc/passwd": "top", "b/new": "n", "over": "file"})
    below = fill(
        tmp_path / "below",
        {
            "etc/passwd": "below",
            "etc/group": "group",
            "b/old": "o",
            "over/hidden": "h",
            "up": "->../../../../outside",
            "absolute": "->/etc/group",
            "folder": "->b",
            "loop": "->loop2",
            "loop2": "->loop",
            "dangling": "->nothing/here",
        },
    )
    return Merged((top, below))


def test_the_topmost_layer_counts_and_folders_are_merged(files: Merged) -> None:
    assert (files.read("etc/passwd"), files.read("/etc/group")) == ("top", "group")
    assert [name for name, _ in files.children("b")] == ["new", "old"]
    assert files.children("over") == []
    assert files.find("over/hidden") is None


def test_links_never_lead_out(files: Merged) -> None:
    assert files.read("absolute") == "group"
    assert files.resolve("folder/old") == "b/old"
    assert files.walk("up") == ("outside", None)
    assert files.find("loop") is None
    assert files.find("../../outside") is None
    assert files.walk("dangling")[0] == "nothing/here"
    found = files.find("up", follow=False)
    assert found is not None
    assert (found.kind, found.target) == ("link", "../../../../outside")


def writer(files: Merged, tmp_path: Path, most: int = 1000) -> Writer:
    (tmp_path / "upper").mkdir()
    return Writer(str(tmp_path / "upper"), files.layers, most, lambda: None)


def test_what_is_written_through_links_stays_inside(files: Merged, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("owners need root")
    written = writer(files, tmp_path)
    source = files.find("etc/group")
    assert source is not None
    written.file("folder/more/copied", source)
    written.file("absolute", source, mode=0o600)
    written.finish()
    upper = tmp_path / "upper"
    assert sorted(str(one.relative_to(upper)) for one in upper.rglob("*")) == [
        "absolute",
        "b",
        "b/more",
        "b/more/copied",
    ]
    assert (upper / "b/more/copied").stat().st_ino == Path(source.real).stat().st_ino
    assert stat.S_IMODE((upper / "absolute").stat().st_mode) == 0o600
    assert (tmp_path / "outside").read_text() == "secret"


def test_what_is_in_the_way_is_told(files: Merged, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("owners need root")
    written = writer(files, tmp_path, most=3)
    source = files.find("etc/passwd")
    assert source is not None
    for path in ("b", "over/x", "etc/passwd/x", ""):
        with pytest.raises(CannotWrite):
            written.file(path, source)
    written.file("one", source)
    with pytest.raises(TooMuch):
        written.file("two", source)

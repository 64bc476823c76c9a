"""What is told of changes where disks are copies of each other, as they are without btrfs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher.changes import Changes, changes


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with files, and beside it `kept`, a copy of it, and `image`."""
    upper = tmp_path / "disk/upper/etc"
    upper.mkdir(parents=True)
    (tmp_path / "image/etc").mkdir(parents=True)
    for name in ("same", "edited", "touched", "reopened", "gone"):
        (upper / name).write_text("first")
    (upper / "link").symlink_to("same")
    (upper / "relinked").symlink_to("same")
    (upper / "below").mkdir()
    (upper / "below/same").write_bytes(os.urandom(3 << 20))
    subprocess.run(["cp", "--archive", tmp_path / "disk", tmp_path / "kept"], check=True)
    return tmp_path / "disk"


def _changes(disk: Path) -> Changes:
    return changes(str(disk), str(disk.parent / "kept"), str(disk.parent / "image"), ["/etc"], None)


def test_what_was_not_touched_is_not_told(disk: Path) -> None:
    assert _changes(disk) == Changes()


def test_what_was_changed_is_told_also_where_its_time_was_put_back(disk: Path) -> None:
    upper = disk / "upper/etc"
    times = (upper / "edited").stat()
    (upper / "edited").write_text("other")
    os.utime(upper / "edited", ns=(times.st_atime_ns, times.st_mtime_ns))
    (upper / "touched").touch()
    (upper / "reopened").chmod(0o777)
    (upper / "gone").unlink()
    (upper / "relinked").unlink()
    (upper / "relinked").symlink_to("edited")
    (upper / "new").touch()
    shutil.rmtree(upper / "below")
    (upper / "below").mkdir()
    found = _changes(disk)
    assert found.changed == [f"/etc/{name}" for name in ("edited", "relinked", "reopened", "touched")]
    assert found.removed == ["/etc/below/same", "/etc/gone"]
    assert found.added == ["/etc/new"]
    assert (found.count, found.complete) == (7, True)

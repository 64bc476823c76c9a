"""The server's own lines in files of the network are taken out of a layer; others stay."""

from pathlib import Path

import pytest

from loopyard.runtime.crun.building.cleaning import clean, missing_targets
from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.launcher.placing import with_own_lines

OWN = ["127.0.0.1 localhost build", "::1 localhost"]


@pytest.fixture
def below(tmp_path: Path) -> Merged:
    folder = tmp_path / "below"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/hosts").write_text("1.1.1.1 image\n")
    (folder / "etc/resolv.conf").symlink_to("../run/nothing")
    return Merged((str(folder),))


def upper(tmp_path: Path, hosts: bytes) -> Path:
    folder = tmp_path / "upper"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/hosts").write_bytes(hosts)
    (folder / "etc/resolv.conf").write_bytes(with_own_lines(b"", ["nameserver 10.0.0.1"]))
    (folder / "etc/hostname").write_text("build\n")
    (folder / "dev").mkdir()
    return folder


def test_nothing_is_left_of_a_step_that_changed_none(tmp_path: Path, below: Merged) -> None:
    folder = upper(tmp_path, with_own_lines(b"1.1.1.1 image\n", OWN))
    clean(str(folder), below, "build", missing_targets(below, ()))
    assert list(folder.iterdir()) == []


def test_lines_of_the_step_are_kept_wherever_they_stand(tmp_path: Path, below: Merged) -> None:
    written = with_own_lines(b"1.1.1.1 image\n", OWN) + b"2.2.2.2 step\n"
    folder = upper(tmp_path, written)
    clean(str(folder), below, "build", missing_targets(below, ()))
    assert (folder / "etc/hosts").read_bytes() == b"1.1.1.1 image\n2.2.2.2 step\n"
    assert not (folder / "etc/resolv.conf").exists()


def test_places_of_mounts_go_unless_something_is_in_them(tmp_path: Path, below: Merged) -> None:
    stubs = missing_targets(below, ["/opt/a/cache", "/etc/secret"])
    assert stubs[0] == "opt/a/cache"
    folder = upper(tmp_path, b"1.1.1.1 image\n")
    (folder / "opt/a/cache").mkdir(parents=True)
    (folder / "opt/kept").write_text("by the step")
    (folder / "etc/secret").touch()
    clean(str(folder), below, "build", stubs)
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*")) == ["opt", "opt/kept"]

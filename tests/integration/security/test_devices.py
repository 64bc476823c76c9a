"""Device files of the host that a devbox sees stay the host's."""

import os
import stat
from pathlib import Path

from loopyard.runtime.crun.launcher.null_device import open_null, reclaim_null
from tests.integration.security.conftest import Box

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def _owners() -> dict[str, tuple[int, int, int]]:
    found = {name: Path("/dev", name).stat() for name in DEVICES}
    return {name: (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) for name, status in found.items()}


def test_root_of_a_devbox_does_not_own_the_devices_that_it_sees(box: Box) -> None:
    before = _owners()
    assert {owner[0] for owner in before.values()} == {0}
    for name in DEVICES:
        assert box.root(f"chmod 600 /dev/{name}").exit_status != 0, name
        assert box.root(f"chown 1000 /dev/{name}").exit_status != 0, name
    box.root("chmod 600 /proc/1/fd/0 /proc/1/fd/1 /proc/1/fd/2")
    assert box.user("true </dev/null").exit_status == 0
    assert _owners() == before


def test_a_null_device_of_its_own_reads_as_empty_and_takes_all(tmp_path: Path) -> None:
    null = open_null(str(tmp_path))
    try:
        os.fchown(null, 1000, 1000)
        assert os.read(null, 1) == b""
        assert os.write(null, b"gone") == 4
    finally:
        os.close(null)
    assert [*tmp_path.iterdir()] == []
    assert Path("/dev/null").stat().st_uid == 0


def test_a_null_device_that_an_earlier_version_gave_away_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "null"
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.chown(path, 1 << 30, 1 << 30)
    reclaim_null(str(path))
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o666)


def test_commands_read_an_empty_input_from_a_device(box: Box) -> None:
    assert box.user("test -c /dev/stdin && wc -c").stdout == "0\n"

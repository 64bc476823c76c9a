"""A damaged file of the sandboxes' disk: the server does not start, says what to do, and changes nothing."""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.integration.server.starting import refused
from tests.serving import ServerProcess, serving

ENVIRONMENT = {
    "LOOPYARD_RUNTIME__DISK_GIB": "4",
    "LOOPYARD_RUNTIME__READY_SANDBOXES": "0",
    "LOOPYARD_RUNTIME__SPARE_SLOTS": "1",
}
_MIB = 1 << 20
_SUPERBLOCK_AT = 64 << 10


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("broken") / "data", env=ENVIRONMENT) as server:
        yield server


def zeroed(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(_SUPERBLOCK_AT)
        file.write(bytes(4096))


def damaged(disk: Path) -> None:
    """The superblock says what cannot be: its checksum does not fit."""
    with disk.open("r+b") as file:
        file.seek(_SUPERBLOCK_AT + 0x200)
        file.write(b"\xff" * 64)


def truncated(disk: Path) -> None:
    os.truncate(disk, 100 * _MIB)


def empty(disk: Path) -> None:
    os.truncate(disk, 0)


def of_another_kind(disk: Path) -> None:
    size = disk.stat().st_size
    disk.unlink()
    with disk.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)


def _devices(disk: Path) -> str:
    """Loop devices on a file."""
    return subprocess.run(["losetup", "-j", str(disk)], check=True, capture_output=True, text=True).stdout


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not there():  # nobody tells
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _digest(disk: Path) -> str:
    with disk.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_the_start_is_refused_and_all_is_there_once_the_file_is_back(own: ServerProcess) -> None:
    disk = own.data_dir / "pool.btrfs"
    with own.client() as client:
        devbox = client.devboxes.create_and_await_running()
        client.devboxes.write_file_contents(devbox.id, file_path="kept", contents="kept")
        snapshot = client.devboxes.snapshot_disk(devbox.id)
        client.devboxes.suspend(devbox.id)
        client.devboxes.await_suspended(devbox.id)
    assert own.stop() == 0
    _until(lambda: not _devices(disk))
    good = disk.with_name("good")
    disk.rename(good)
    store = _digest(own.data_dir / "loopyard.db")
    for harm in (zeroed, damaged, truncated, empty, of_another_kind):
        subprocess.run(["cp", "--sparse=always", str(good), str(disk)], check=True)
        harm(disk)
        before = _digest(disk)
        ended = refused("--data-dir", str(own.data_dir), env=ENVIRONMENT)
        assert ended.status == 1, harm
        assert "Loopyard cannot start." in ended.err
        assert f"{disk} cannot be mounted" in ended.err, (harm, ended.err)
        assert "Put a copy of the file back from a backup, or repair it" in ended.err
        assert f"btrfs check {disk}" in ended.err
        assert _digest(disk) == before, harm
        assert not _devices(disk), harm
        assert _digest(own.data_dir / "loopyard.db") == store, harm
    good.rename(disk)
    own.start(ENVIRONMENT)
    with own.client() as client:
        client.devboxes.resume(devbox.id)
        client.devboxes.await_running(devbox.id)
        assert client.devboxes.read_file_contents(devbox.id, file_path="kept") == "kept"
        other = client.devboxes.create_and_await_running(snapshot_id=snapshot.id)
        assert client.devboxes.read_file_contents(other.id, file_path="kept") == "kept"

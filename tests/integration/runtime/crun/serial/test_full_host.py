"""A host whose disk is full: the sandboxes' disk never meets that, and all is there afterwards."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.errors import HostDiskFull
from loopyard.runtime.protocol import Runtime, SandboxSpec, SandboxState
from tests.integration.runtime.box import Box

pytestmark = pytest.mark.anyio

_MIB = 1 << 20
_HOST_BYTES = 6 << 30


@pytest.fixture
def small_host(tmp_path: Path) -> Generator[Path]:
    """A file system of its own, which can be filled."""
    image, mounted = tmp_path / "host.ext4", tmp_path / "host"
    with image.open("wb") as file:
        file.truncate(_HOST_BYTES)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mounted.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)


async def _open(host: Path) -> Runtime:
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    runtime = CrunConfig(images=images, disk_gib=4, ready_sandboxes=0, spare_slots=1).build(host / "data")
    await runtime.open()
    return runtime


def _fill(host: Path, left: int = 0) -> Path:
    """Take all of the disk but so many bytes."""
    ballast = host / "ballast"
    found = os.statvfs(host)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left)
    return ballast


async def test_the_disk_of_the_sandboxes_never_meets_a_full_host(small_host: Path) -> None:
    runtime = await _open(small_host)
    await runtime.create(SandboxSpec(id="box"))
    box = Box(runtime, "box")
    await box.sure("head -c 100M /dev/urandom > kept; sha256sum < kept > sum; sync")
    ballast = _fill(small_host, 40 * _MIB)
    # More than is reserved by far: the sandbox meets the end of its disk, as a full disk of its own.
    full = await box.shell("head -c 3500M /dev/zero | tr '\\0' x > big; echo $?; sync")
    assert b"No space left" in full.stderr
    # What is freed can be used for other kinds of things after a while.
    again = "rm big; sync; until echo again 2>/dev/null > more; do sleep 1; done; sync; cat more"
    assert await box.sure(f"{again}; sha256sum < kept | diff - sum") == "again"
    with ballast.open("ab") as file:
        found = os.statvfs(small_host)
        os.posix_fallocate(file.fileno(), ballast.stat().st_size, max(1, found.f_bavail * found.f_frsize - _MIB))
    with pytest.raises(HostDiskFull):
        await box.start("true")
    await runtime.close()
    ballast.unlink()
    again = await _open(small_host)
    try:
        assert (await again.status("box")).state == SandboxState.RUNNING
        box = Box(again, "box")
        assert await box.sure("sha256sum < kept | diff - sum; cat more") == "again"
        # The host has room again, and so the disk grows.
        assert await box.sure("head -c 1500M /dev/zero | tr '\\0' y > big; sync; stat -c %s big") == str(1500 * _MIB)
        await again.suspend("box")
        await again.create(SandboxSpec(id="box"))
        assert await box.sure("sha256sum < kept | diff - sum; stat -c %s big") == str(1500 * _MIB)
    finally:
        await again.destroy("box")
        await again.close()


async def test_room_is_given_back_when_no_sandbox_runs(small_host: Path) -> None:
    runtime = await _open(small_host)
    pool = small_host / "data" / "pool.btrfs"
    assert pool.stat().st_blocks * 512 >= 1 << 30
    await runtime.create(SandboxSpec(id="box"))
    await Box(runtime, "box").sure("head -c 300M /dev/urandom > kept; sync")
    await runtime.suspend("box")
    await runtime.close()
    await _until(lambda: 300 * _MIB < pool.stat().st_blocks * 512 < 600 * _MIB)
    again = await _open(small_host)
    assert pool.stat().st_blocks * 512 >= 1 << 30
    await again.create(SandboxSpec(id="box"))
    assert await Box(again, "box").sure("stat -c %s kept") == str(300 * _MIB)
    await again.destroy("box")
    await again.close()


def _enlarge(pool: Path) -> None:
    """Make the file system as large as its file, as it was made before."""
    script = 'mount -o loop "$1" "$2" && btrfs filesystem resize max "$2" && umount "$2"'
    subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(pool), str(pool.with_name("pool"))], check=True)


async def test_a_disk_of_before_gets_its_room_and_keeps_what_is_on_it(small_host: Path) -> None:
    runtime = await _open(small_host)
    await runtime.create(SandboxSpec(id="box"))
    await Box(runtime, "box").sure("head -c 200M /dev/urandom > kept; sha256sum < kept > sum; sync")
    await runtime.suspend("box")
    await runtime.close()
    pool, mark = small_host / "data" / "pool.btrfs", small_host / "data" / "pool.reserved"
    await _until(lambda: pool.stat().st_blocks * 512 < 600 * _MIB)
    mark.unlink()
    _enlarge(pool)
    again = await _open(small_host)
    assert mark.exists()
    assert 1 << 30 <= pool.stat().st_blocks * 512 < 3 << 30
    await again.create(SandboxSpec(id="box"))
    assert await Box(again, "box").sure("sha256sum < kept | diff - sum; echo same") == "same"
    await again.destroy("box")
    await again.close()


async def _until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not there():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.1)

"""A host whose disk is full: the sandboxes' disk never meets that, and all is there afterwards."""

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path

import pytest

from loopyard.kit.ids import new_id
from loopyard.runtime.config import CrunConfig
from loopyard.runtime.errors import HostDiskFull
from loopyard.runtime.factory import open_runtime
from loopyard.runtime.protocol import Runtime, SandboxSpec, SandboxState
from tests.integration.runtime.box import Box

pytestmark = pytest.mark.anyio

Open = Callable[[], Awaitable[Runtime]]

BOX = new_id("box")
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


@pytest.fixture
async def opened(small_host: Path) -> AsyncGenerator[Open]:
    """Opens a runtime there, again and again; the last one is closed without its sandboxes."""
    last: list[Runtime] = []

    async def open_it() -> Runtime:
        images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
        config = CrunConfig(images=images, disk_gib=4, ready_sandboxes=0, spare_slots=1)
        runtime = await open_runtime(config, small_host / "data")
        last[:] = [runtime]
        return runtime

    yield open_it
    for runtime in last:
        for sandbox_id in await runtime.sandboxes():
            await runtime.destroy(sandbox_id)
        await runtime.close()


def _fill(host: Path, left: int = 0) -> Path:
    """Take all of the disk but so many bytes."""
    ballast = host / "ballast"
    found = os.statvfs(host)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left)
    return ballast


async def test_the_disk_of_the_sandboxes_never_meets_a_full_host(small_host: Path, opened: Open) -> None:
    runtime = await opened()
    await runtime.create(SandboxSpec(id=BOX))
    box = Box(runtime, BOX)
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
    again = await opened()
    assert (await again.status(BOX)).state == SandboxState.RUNNING
    box = Box(again, BOX)
    assert await box.sure("sha256sum < kept | diff - sum; cat more") == "again"
    # The host has room again, and so the disk grows.
    assert await box.sure("head -c 1500M /dev/zero | tr '\\0' y > big; sync; stat -c %s big") == str(1500 * _MIB)
    await again.suspend(BOX)
    await again.create(SandboxSpec(id=BOX))
    assert await box.sure("sha256sum < kept | diff - sum; stat -c %s big") == str(1500 * _MIB)


async def test_room_is_given_back_when_no_sandbox_runs(small_host: Path, opened: Open) -> None:
    runtime = await opened()
    pool = small_host / "data" / "pool.btrfs"
    assert pool.stat().st_blocks * 512 >= 1 << 30
    await runtime.create(SandboxSpec(id=BOX))
    await Box(runtime, BOX).sure("head -c 300M /dev/urandom > kept; sync")
    await runtime.suspend(BOX)
    await runtime.close()
    await _until(lambda: 300 * _MIB < pool.stat().st_blocks * 512 < 600 * _MIB)
    again = await opened()
    assert pool.stat().st_blocks * 512 >= 1 << 30
    await again.create(SandboxSpec(id=BOX))
    assert await Box(again, BOX).sure("stat -c %s kept") == str(300 * _MIB)


def _enlarge(pool: Path) -> None:
    """Make the file system as large as its file, as it was made before."""
    script = 'mount -o loop "$1" "$2" && btrfs filesystem resize max "$2" && umount "$2"'
    subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(pool), str(pool.with_name("pool"))], check=True)


async def test_a_disk_of_before_gets_its_room_and_keeps_what_is_on_it(small_host: Path, opened: Open) -> None:
    runtime = await opened()
    await runtime.create(SandboxSpec(id=BOX))
    await Box(runtime, BOX).sure("head -c 200M /dev/urandom > kept; sha256sum < kept > sum; sync")
    await runtime.suspend(BOX)
    await runtime.close()
    pool, mark = small_host / "data" / "pool.btrfs", small_host / "data" / "pool.reserved"
    await _until(lambda: pool.stat().st_blocks * 512 < 600 * _MIB)
    mark.unlink()
    _enlarge(pool)
    again = await opened()
    assert mark.exists()
    assert 1 << 30 <= pool.stat().st_blocks * 512 < 3 << 30
    await again.create(SandboxSpec(id=BOX))
    assert await Box(again, BOX).sure("sha256sum < kept | diff - sum; echo same") == "same"


async def _until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not there():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.1)

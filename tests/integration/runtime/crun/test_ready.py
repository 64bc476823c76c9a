"""Sandboxes that are made before anybody asks for one."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import anyio
import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.launcher.requests import ListDisks
from loopyard.runtime.crun.opening import open_crun
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.crun.sandbox.leftovers import BoxesKeeper
from loopyard.runtime.crun.storage import disk
from loopyard.runtime.crun.storage.image_references import references
from loopyard.runtime.errors import ImageNotFound, SandboxStartFailed, SnapshotNotFound
from loopyard.runtime.protocol import Limits, NetworkPolicy, SandboxSpec, User
from tests.integration.runtime.box import Box, until_ready

pytestmark = pytest.mark.anyio

KEPT = 3
LIKE = SandboxSpec(id="", limits=Limits(memory_bytes=256 << 20))


async def _runtime(folder: Path) -> CrunRuntime:
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    return await open_crun(CrunConfig(images=images, disk_gib=20, ready_sandboxes=KEPT), folder)


def _pids(folder: Path) -> Mapping[str, int]:
    """Name to first process, of all that were made ready and are still there."""
    return {
        state.parent.name: json.loads(state.read_text())["pid"] for state in (folder / "ready").glob("*/state.json")
    }


async def _disks(runtime: CrunRuntime) -> set[str]:
    folder = runtime._layout.pool / "boxes"  # pyright: ignore[reportPrivateUsage]
    answer = await runtime._launcher.ask(ListDisks(str(folder), after=""))  # pyright: ignore[reportPrivateUsage]
    return {*answer.names}


def _name(folder: Path, sandbox_id: str) -> str:
    """Under which name a sandbox was made."""
    return json.loads((folder / "sandboxes" / sandbox_id / "meta.json").read_text())["name"]


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncGenerator[CrunRuntime]:
    """One that keeps some ready."""
    runtime = await _runtime(tmp_path)
    runtime.keep_ready(LIKE)
    await until_ready(runtime, KEPT)
    yield runtime
    for sandbox_id in await runtime.sandboxes():
        await runtime.destroy(sandbox_id)
    await runtime.close()
    assert _pids(tmp_path) == {}, "they end with who keeps them"
    assert not any((tmp_path / "ready").iterdir())


def _like(sandbox_id: str, **fields: object) -> SandboxSpec:
    return SandboxSpec(**{"id": sandbox_id, "limits": LIKE.limits, **fields})  # type: ignore[arg-type]


async def test_they_are_in_no_list_before_somebody_gets_them(runtime: CrunRuntime, tmp_path: Path) -> None:
    assert await runtime.sandboxes() == {}
    assert len(_pids(tmp_path)) == KEPT


async def test_one_is_handed_over_as_it_was_asked_for(runtime: CrunRuntime, tmp_path: Path) -> None:
    ready = _pids(tmp_path)
    policy = NetworkPolicy(hostnames=("example.org",))
    await runtime.create(_like("a", environment={"WORD": "two words"}, user=User("root", 0), network_policy=policy))
    assert list(await runtime.sandboxes()) == ["a"]
    assert _name(tmp_path, "a") in ready
    box = Box(runtime, "a")
    assert await box.sure("echo $WORD; id -un; hostname") == "two words\nroot\ndevbox"
    # What asks for another network than the world at large is closed in by the time it is there.
    closed = await box.shell("exec 3<>/dev/tcp/192.0.2.1/80", timeout_seconds=5)
    assert closed.status != 0
    assert b"refused" in closed.stderr or closed.result.timed_out
    assert int(await box.sure("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || echo 0")) in (
        0,
        256 << 20,
    )


async def test_each_is_handed_over_once_and_made_up_for(runtime: CrunRuntime, tmp_path: Path) -> None:
    ready = {*_pids(tmp_path)}
    ids = [f"box-{number}" for number in range(KEPT + 2)]
    await asyncio.gather(*(runtime.create(_like(one)) for one in ids))
    names = [_name(tmp_path, one) for one in ids]
    assert len(set(names)) == len(ids)
    assert {name for name in names if name in ready} == ready
    assert sorted(name for name in names if name not in ready) == sorted(
        one for one in ids if _name(tmp_path, one) == one
    )
    said = await asyncio.gather(*(Box(runtime, one).sure(f"echo {one} > mine; cat mine; ls") for one in ids))
    assert said == [f"{one}\nmine" for one in ids]
    await until_ready(runtime, KEPT)
    assert {*_pids(tmp_path)} - ready, "there are new ones"


@pytest.mark.parametrize(
    "fields",
    [
        {"limits": Limits(cpu_cores=0.5, memory_bytes=512 << 20, disk_bytes=1 << 30, pids=77)},
        {"limits": Limits(memory_bytes=128 << 20)},
        {"hostname": "other"},
        {"user": User("someone", 4711)},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_one_that_is_unlike_what_is_asked_for_is_refitted(
    runtime: CrunRuntime, tmp_path: Path, fields: dict[str, object]
) -> None:
    ready = {*_pids(tmp_path)}
    spec = _like("a", **fields)
    await runtime.create(spec)
    name = _name(tmp_path, "a")
    assert name in ready
    box = Box(runtime, "a")
    assert await box.sure("hostname; id -un; id -u; pwd; hostname > /tmp/one; cat /etc/hostname") == "\n".join(
        (spec.hostname, spec.user.name, str(spec.user.uid), spec.user.home, spec.hostname)
    )
    assert _limits(runtime, name) == (
        spec.limits.memory_bytes,
        int(spec.limits.cpu_cores * 100_000),
        spec.limits.pids,
    )
    written = await box.shell("head -c 1100M /dev/zero > /var/tmp/much || echo full")
    assert (b"full" in written.stdout) == (spec.limits.disk_bytes < 1100 << 20)
    await box.sure("rm -f /var/tmp/much")


def _limits(runtime: CrunRuntime, name: str) -> tuple[int, int, int]:
    """Bytes of memory, microseconds of each 100 ms, and processes, as the kernel has them for a sandbox."""
    _, _, cgroup = next(
        line.split(":", 2)
        for line in Path(f"/proc/{runtime._boxes['a'].pid}/cgroup").read_text().splitlines()  # pyright: ignore[reportPrivateUsage]
        if name in line
    )

    def value(version_1: str, version_2: str) -> int:
        pure = Path("/sys/fs/cgroup", cgroup.lstrip("/"), version_2)
        controller = version_1.partition(".")[0]
        file = pure if pure.exists() else Path("/sys/fs/cgroup", controller, cgroup.lstrip("/"), version_1)
        return int(file.read_text().split()[0])

    return (
        value("memory.limit_in_bytes", "memory.max"),
        value("cpu.cfs_quota_us", "cpu.max"),
        value("pids.max", "pids.max"),
    )


async def test_a_refitted_one_is_as_if_it_had_been_made_so(runtime: CrunRuntime, tmp_path: Path) -> None:
    ready = {*_pids(tmp_path)}
    await runtime.create(_like("a"))
    before = Box(runtime, "a")
    await before.sure(
        "mkdir ~/kept; echo content > ~/kept/file; sudo rm /etc/debian_version; sudo ln -s /etc /opt/link"
    )
    await runtime.snapshot("a", "snap")
    await runtime.create(_like("b", snapshot="snap", hostname="other"))
    assert _name(tmp_path, "b") in ready
    box = Box(runtime, "b")
    assert await box.sure("cat ~/kept/file; ls /etc/debian_version 2>&1 | tail -c 10; readlink /opt/link") == (
        "content\ndirectory\n/etc"
    )
    seen = "sudo readlink /proc/1/root /proc/1/cwd; ls -A /; ls -A /dev /sys; sudo ls -A /proc/1/root/"
    assert await box.sure(seen) == await before.sure(seen)
    # The same is mounted, in the same places, with the same rights, and nothing else. (Overlay gives a disk a uuid when
    # it is empty at first.)
    unlike = "s/[ug]id=[0-9]+//g; s/,uuid=on//; s=/refit/=/=g; s=/fd/[0-9]+=/fd/N=g"
    mounts = f"cut -d' ' -f5- /proc/self/mountinfo | sed -E '{unlike}' | sort"
    assert await box.sure(mounts) == await before.sure(mounts)
    assert "ready_" not in await box.sure("cat /proc/self/mountinfo"), "a box sees no name of the host's"
    await box.sure("echo more > ~/kept/more")
    await runtime.snapshot("b", "second")
    await runtime.create(_like("c", snapshot="second"))
    assert await Box(runtime, "c").sure("cat ~/kept/*") == "content\nmore"
    assert await before.sure("ls ~/kept") == "file"
    await runtime.suspend("b")
    await runtime.create(_like("b", snapshot="snap", hostname="other"))
    assert await box.sure("cat ~/kept/*; hostname") == "content\nmore\nother"
    await until_ready(runtime, KEPT)
    assert await _disks(runtime) == {*_pids(tmp_path)}, "the disks that were replaced are gone"
    for snapshot_id in ("snap", "second"):
        await runtime.delete_snapshot(snapshot_id)


async def test_what_is_not_there_costs_no_ready_one(runtime: CrunRuntime) -> None:
    with pytest.raises(ImageNotFound):
        await runtime.create(_like("a", image="nothing"))
    with pytest.raises(SnapshotNotFound):
        await runtime.create(_like("a", snapshot="nothing"))
    assert runtime.ready_count == KEPT
    assert await runtime.sandboxes() == {}


async def test_an_image_that_no_ready_one_can_get_is_made_into_one_of_its_own(tmp_path: Path) -> None:
    """Its /sys leads elsewhere: that is for crun to judge, as ever."""
    images = tmp_path / "images"
    base = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"], "base").resolve()
    images.mkdir()
    await anyio.run_process(["cp", "--archive", "--link", base, images / base.name])
    (images / "base").symlink_to(base.name)
    await anyio.run_process(["cp", "--archive", "--link", base, images / "odd"])
    (images / "odd/sys").rmdir()
    (images / "odd/sys").symlink_to("/tmp")
    runtime = await open_crun(CrunConfig(images=images, disk_gib=20, ready_sandboxes=KEPT), tmp_path / "data")
    runtime.keep_ready(LIKE)
    await until_ready(runtime, KEPT)
    with contextlib.suppress(SandboxStartFailed):
        await runtime.create(_like("a", image="odd"))
        assert _name(tmp_path / "data", "a") == "a"
    assert runtime.ready_count == KEPT - 1
    assert references(images).roots >= {images / base.name}, "nobody frees what they stand on"
    await runtime.create(_like("b", hostname="other"))
    assert await Box(runtime, "b").sure("hostname") == "other"
    for sandbox_id in ("a", "b"):
        await runtime.destroy(sandbox_id)
    await runtime.close()
    assert not any((tmp_path / "data/ready").iterdir())


async def test_where_there_is_no_btrfs_they_are_refitted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_can_have_disk", lambda: False)
    runtime = await _runtime(tmp_path)
    assert not runtime.features.disk_limits
    runtime.keep_ready(LIKE)
    await until_ready(runtime, KEPT)
    await runtime.create(_like("a"))
    await Box(runtime, "a").sure("mkdir kept; echo content > kept/file; sudo rm /etc/debian_version")
    await runtime.snapshot("a", "snap")
    await runtime.create(_like("b", snapshot="snap", limits=Limits(memory_bytes=300 << 20)))
    assert _name(tmp_path, "b") != "b"
    assert await Box(runtime, "b").sure("cat kept/file; ls /etc/debian_version 2>/dev/null || true") == "content"
    await runtime.delete_snapshot("snap")
    for sandbox_id in ("a", "b"):
        await runtime.destroy(sandbox_id)
    await until_ready(runtime, KEPT)
    assert await _disks(runtime) == {*_pids(tmp_path)}
    await runtime.close()


async def test_one_lives_as_any_sandbox_does(runtime: CrunRuntime, tmp_path: Path) -> None:
    await runtime.create(_like("a"))
    box = Box(runtime, "a")
    assert _name(tmp_path, "a") != "a"
    await box.sure("echo kept > file")
    await runtime.snapshot("a", "snap")
    await runtime.suspend("a")
    assert _name(tmp_path, "a") not in _pids(tmp_path)
    await runtime.create(_like("a"))
    assert await box.sure("cat file") == "kept"
    assert (await runtime.usage("a")).memory_bytes > 0
    await runtime.create(_like("b", snapshot="snap"))
    assert await Box(runtime, "b").sure("cat file") == "kept"
    await runtime.destroy("a")
    assert [*await runtime.sandboxes()] == ["b"]
    await runtime.create(_like("a"))
    assert await box.sure("ls") == ""
    await runtime.destroy("b")
    await runtime.delete_snapshot("snap")


async def test_one_that_went_down_is_handed_to_nobody(runtime: CrunRuntime, tmp_path: Path) -> None:
    killed = _pids(tmp_path)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(1)
    await runtime.create(_like("a"))
    assert _name(tmp_path, "a") == "a"
    assert await Box(runtime, "a").sure("echo works") == "works"
    await until_ready(runtime, KEPT)
    assert not {*_pids(tmp_path)} & {*killed}


async def test_the_next_runtime_takes_up_what_was_handed_over_and_nothing_else(tmp_path: Path) -> None:
    first = await _runtime(tmp_path)
    first.keep_ready(LIKE)
    await until_ready(first, KEPT)
    await first.create(_like("a", environment={"WORD": "kept"}))
    box = Box(first, "a")
    command = await box.start("sh", "-c", "until [ -e stop ]; do sleep 0.05; done; echo $WORD")
    await first.close()
    assert {*_pids(tmp_path)} == {_name(tmp_path, "a")}
    second = await _runtime(tmp_path)
    assert [*await second.sandboxes()] == ["a"]
    box = Box(second, "a")
    await box.sure("touch stop")
    assert (await box.end(command)).exit_status == 0
    assert await box.output(command) == b"kept\n"
    (boxes,) = [keeper for keeper in second.keepers if isinstance(keeper, BoxesKeeper)]

    async def left() -> list[str]:
        names = [leftover.name for leftover in await boxes.leftovers(0)]
        return [name for name in names if not name.startswith("server ")]

    for _ in range(100):  # others may be ended just now
        if not await left():
            break
        await asyncio.sleep(0.1)
    assert await left() == []
    await second.destroy("a")
    await second.close()
    assert not any((tmp_path / "ready").iterdir())
    assert not any((tmp_path / "sandboxes").iterdir())

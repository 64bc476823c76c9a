"""Sandboxes that are made before anybody asks for one."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.leftovers import BoxesKeeper
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.protocol import Limits, NetworkPolicy, SandboxSpec, User
from tests.runtime.box import Box, until_ready

pytestmark = pytest.mark.anyio

KEPT = 3
LIKE = SandboxSpec(id="", limits=Limits(memory_bytes=256 << 20))


def _runtime(folder: Path) -> CrunRuntime:
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    return CrunRuntime(CrunConfig(images=images, disk_gib=20, ready_sandboxes=KEPT), folder)


def _pids(folder: Path) -> Mapping[str, int]:
    """Name to first process, of all that were made ready and are still there."""
    return {
        state.parent.name: json.loads(state.read_text())["pid"] for state in (folder / "ready").glob("*/state.json")
    }


def _name(folder: Path, sandbox_id: str) -> str:
    """Under which name a sandbox was made."""
    return json.loads((folder / "sandboxes" / sandbox_id / "meta.json").read_text())["name"]


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncGenerator[CrunRuntime]:
    """One that keeps some ready."""
    runtime = _runtime(tmp_path)
    await runtime.open()
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
    [{"limits": Limits()}, {"hostname": "other"}, {"user": User("someone", 4711)}],
    ids=lambda one: next(iter(one)),
)
async def test_what_is_not_like_them_is_made_anew(
    runtime: CrunRuntime, tmp_path: Path, fields: dict[str, object]
) -> None:
    await runtime.create(_like("a", **fields))
    assert _name(tmp_path, "a") == "a"
    assert runtime.ready_count == KEPT
    assert await Box(runtime, "a").sure("echo works") == "works"


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
    await asyncio.sleep(0.1)
    await runtime.create(_like("a"))
    assert _name(tmp_path, "a") == "a"
    assert await Box(runtime, "a").sure("echo works") == "works"
    await until_ready(runtime, KEPT)
    assert not {*_pids(tmp_path)} & {*killed}


async def test_the_next_runtime_takes_up_what_was_handed_over_and_nothing_else(tmp_path: Path) -> None:
    first = _runtime(tmp_path)
    await first.open()
    first.keep_ready(LIKE)
    await until_ready(first, KEPT)
    await first.create(_like("a", environment={"WORD": "kept"}))
    box = Box(first, "a")
    command = await box.start("sh", "-c", "until [ -e stop ]; do sleep 0.05; done; echo $WORD")
    await first.close()
    assert {*_pids(tmp_path)} == {_name(tmp_path, "a")}
    second = _runtime(tmp_path)
    await second.open()
    assert [*await second.sandboxes()] == ["a"]
    box = Box(second, "a")
    await box.sure("touch stop")
    assert (await box.end(command)).exit_status == 0
    assert await box.output(command) == b"kept\n"
    (boxes,) = [keeper for keeper in second.keepers if isinstance(keeper, BoxesKeeper)]
    left = [leftover.name for leftover in await boxes.leftovers(0)]
    assert [name for name in left if not name.startswith("server ")] == []
    await second.destroy("a")
    await second.close()
    assert not any((tmp_path / "ready").iterdir())
    assert not any((tmp_path / "sandboxes").iterdir())

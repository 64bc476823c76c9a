"""What only the crun provider has: a launcher that can be killed."""

import asyncio
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from loopyard.runtime.crun.launcher.client import LauncherClient, LauncherFault
from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.crun.launcher.requests import VERSION, Done, ListDisks, Request
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.errors import CommandStartFailed, RuntimeUnavailable
from loopyard.runtime.protocol import Runtime
from tests.integration.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio


def _kill_launcher() -> None:
    """The launcher is a child of this process; what it started is not."""
    launchers = [child for child in psutil.Process().children() if "loopyard.runtime.crun.launcher" in child.cmdline()]
    assert launchers
    for launcher in launchers:
        launcher.kill()


async def test_a_killed_launcher_takes_nothing_with_it(runtime: Runtime, make_box: MakeBox) -> None:
    if not isinstance(runtime, CrunRuntime):
        pytest.skip("other providers have no launcher")
    box = await make_box()
    kept = await box.start("sh", "-c", "until [ -e stop ]; do sleep 0.1; done; echo went on; exit 6")
    _kill_launcher()
    await asyncio.sleep(0.3)
    assert await box.sure("touch stop; echo works") == "works"
    assert (await box.end(kept)).exit_status == 6
    assert await box.output(kept) == b"went on\n"
    other: Box = await make_box()
    assert await other.sure("getent hosts localhost > /dev/null; echo new") == "new"


async def test_moves_between_cgroups_do_not_wait_on_kernels_that_make_them(runtime: Runtime, make_box: MakeBox) -> None:
    if not isinstance(runtime, CrunRuntime):
        pytest.skip("other providers have no launcher")
    if int(platform.release().split(".")[0]) < 6:
        pytest.skip("this kernel never waits")
    await make_box()
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    unified = [options.split(",") for _, _, kind, options, *_ in mounts if kind == "cgroup2"]
    if not unified:
        pytest.skip("no cgroup v2 hierarchy is mounted here")
    assert all("favordynmods" in options for options in unified)


async def test_the_disk_is_not_held_in_memory_twice(runtime: Runtime, make_box: MakeBox) -> None:
    if not isinstance(runtime, CrunRuntime) or not runtime.features.disk_limits:
        pytest.skip("there is no disk of the sandboxes' own")
    await make_box()
    (launcher,) = [one for one in psutil.Process().children() if "loopyard.runtime.crun.launcher" in one.cmdline()]
    mounts = [line.split() for line in Path(f"/proc/{launcher.pid}/mountinfo").read_text().splitlines()]
    device = next(row[row.index("-") + 2] for row in mounts if row[4].endswith("/pool"))
    assert Path(f"/sys/block/{Path(device).name}/loop/dio").read_text().strip() == "1"


async def test_calls_that_meet_a_killed_launcher_are_told_so_and_the_next_work(
    runtime: Runtime, make_box: MakeBox
) -> None:
    if not isinstance(runtime, CrunRuntime):
        pytest.skip("other providers have no launcher")
    box = await make_box()
    for _ in range(3):
        _kill_launcher()
        said = await asyncio.gather(*(box.sure("echo works") for _ in range(5)), return_exceptions=True)
        assert all(answer == "works" or isinstance(answer, CommandStartFailed) for answer in said)
        assert await box.sure("echo again") == "again"


@dataclass(frozen=True, slots=True)
class _UnknownAct(Request[Done]):
    act = "no such act"
    answer = Done


async def test_a_request_that_is_too_long_is_refused_by_name_and_the_launcher_lives_on(
    runtime: Runtime, make_box: MakeBox
) -> None:
    if not isinstance(runtime, CrunRuntime):
        pytest.skip("other providers have no launcher")
    box = await make_box()
    launcher = runtime._launcher  # pyright: ignore[reportPrivateUsage]
    before = launcher.generation
    with pytest.raises(LauncherFault, match="the request list has"):
        await launcher.ask(ListDisks("x" * 70_000, after=""))
    with pytest.raises(LauncherFault, match="KeyError"):
        await launcher.ask(_UnknownAct())
    assert await box.sure("echo works") == "works"
    assert launcher.generation == before


async def test_a_launcher_of_another_version_is_told_from_one_that_fails(tmp_path: Path) -> None:
    place = Place(version=VERSION + 1, crun="crun", pool=str(tmp_path), pool_image=None, acts=None, kept_for=None)
    launcher = LauncherClient(place)
    with pytest.raises(RuntimeUnavailable, match="another version of Loopyard was installed"):
        await launcher.start()
    await launcher.close()

"""What a sandbox sees of its limits, and what is said when it meets them."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.opening import open_crun
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.protocol import Limits, SandboxSpec
from tests.integration.runtime.box import ROOT, Box, until_ready

pytestmark = pytest.mark.anyio

_READ = """
cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null
set -- $(cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us); echo $1
df --output=size -B1 /dev/shm | tail -1
"""


@pytest.fixture(scope="module")
async def runtime(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[CrunRuntime]:
    """One that keeps sandboxes of 256 MiB ready."""
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    config = CrunConfig(images=images, disk_gib=20, ready_sandboxes=2)
    runtime = await open_crun(config, tmp_path_factory.mktemp("limits"))
    runtime.keep_ready(SandboxSpec(id="", limits=Limits(memory_bytes=256 << 20)))
    await until_ready(runtime, 2)
    yield runtime
    for sandbox_id in await runtime.sandboxes():
        await runtime.destroy(sandbox_id)
        await runtime.forget(sandbox_id)
    await runtime.close()


@pytest.mark.parametrize("mebibytes", [256, 640])
async def test_limits_are_where_runtimes_look_and_shared_memory_grows_with_them(
    runtime: CrunRuntime, mebibytes: int
) -> None:
    await until_ready(runtime, 1)
    memory = mebibytes << 20
    await runtime.create(SandboxSpec(id=f"of-{mebibytes}", limits=Limits(memory_bytes=memory, cpu_cores=2)))
    box = Box(runtime, f"of-{mebibytes}")
    assert (await box.sure(_READ)).split() == [str(memory), "200000", str(memory // 2)]
    written = await box.shell("head -c 100M /dev/zero > /dev/shm/large && rm /dev/shm/large")
    assert written.status == 0, written.stderr
    closed = await box.shell("mkdir /sys/fs/cgroup/new; mkdir /sys/fs/cgroup/memory/new", user=ROOT)
    assert b"ead-only" in closed.stderr


async def test_memory_that_ran_out_is_named(runtime: CrunRuntime) -> None:
    await runtime.create(SandboxSpec(id="full", limits=Limits(memory_bytes=64 << 20)))
    box = Box(runtime, "full")
    grow = "import os\na = []\nwhile True: a.append(bytearray(1 << 22))"
    ran = await box.run("python3", "-c", grow)
    assert (ran.status, ran.result.out_of_memory) == (137, True)
    assert ran.stderr.startswith(b"[loopyard: out of memory: ")
    after = await box.shell("echo said >&2; exit 1")
    assert (after.result.out_of_memory, after.stderr) == (False, b"said\n")
    ran = await box.shell(f"printf begun >&2; python3 -c '{grow}'; exit 3")
    assert ran.stderr.startswith(b"begun")
    assert b"\n[loopyard: out of memory: " in ran.stderr


async def test_a_program_that_was_not_started_is_told_from_one_that_says_so(runtime: CrunRuntime) -> None:
    await runtime.create(SandboxSpec(id="starts", limits=Limits(memory_bytes=128 << 20)))
    box = Box(runtime, "starts")
    for argv, fields, status in (
        (["no-such-program"], {}, 127),
        (["/no/such/program"], {"cwd": "/tmp"}, 127),
        (["/bin/true"], {"environment": {"BIG": "x" * 140_000}}, 126),
        (["/bin/true"], {"cwd": "/tmp", "environment": {f"V{n}": "x" * 100_000 for n in range(25)}}, 126),
        (["/bin/true"], {"environment": {"NUL": "a\0b"}}, 126),
    ):
        ran = await box.run(*argv, **fields)  # type: ignore[arg-type]
        assert (ran.status, ran.result.not_started) == (status, True), argv
    for script, fields in (("exit 127", {}), ("exit 126", {"cwd": "/tmp"}), ("no-such-program", {})):
        assert not (await box.shell(script, **fields)).result.not_started
    ran = await box.run("/etc/passwd")  # its rights are the box's own: an agent may have set them
    assert (ran.status, ran.result.not_started) == (126, False)
    gone = await box.run("true", cwd="/no/such/folder")
    assert (gone.status, gone.result.not_started) == (126, False)

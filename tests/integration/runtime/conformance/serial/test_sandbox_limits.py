"""Limits hold for real."""

import asyncio
import time

import pytest

from loopyard.runtime.errors import NoSpaceLeft, SandboxNotRunning
from loopyard.runtime.protocol import CommandResult, Limits, Runtime, SandboxState
from tests.integration.runtime.box import ROOT, Box, MakeBox

pytestmark = pytest.mark.anyio

_MIB = 1 << 20


async def test_memory_past_the_limit_is_killed_and_told(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(memory_bytes=192 * _MIB))
    assert not (await box.runtime.status(box.id)).out_of_memory
    ran = await box.run("python3", "-c", "held = [bytearray(b'x' * (16 << 20)) for _ in range(40)]")
    assert ran.status == 137
    async with asyncio.timeout(60):
        while not (await box.runtime.status(box.id)).out_of_memory:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (await box.runtime.sandboxes())[box.id].out_of_memory
    assert (await box.runtime.status(box.id)).state is SandboxState.RUNNING
    assert await box.sure("echo goes on") == "goes on"


async def test_memory_within_the_limit_is_given(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(memory_bytes=512 * _MIB))
    assert (await box.run("python3", "-c", "held = b'x' * (300 << 20)")).status == 0
    assert not (await box.runtime.status(box.id)).out_of_memory


async def test_what_a_sandbox_uses_is_told(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(memory_bytes=512 * _MIB))
    before = await box.runtime.usage(box.id)
    script = "import time\nheld = b'x' * (200 << 20)\nend = time.process_time() + 1\n"
    script += "while time.process_time() < end: pass\nprint('full', flush=True)\ntime.sleep(100)"
    await box.until_said(await box.start("python3", "-c", script), b"full")
    during = await box.runtime.usage(box.id)
    assert during.memory_bytes - before.memory_bytes > 190 * _MIB
    assert 0.9 < during.cpu_seconds - before.cpu_seconds < 10
    assert during.processes > before.processes > 0
    await box.runtime.suspend(box.id)
    with pytest.raises(SandboxNotRunning):
        await box.runtime.usage(box.id)


async def test_files_in_memory_count_as_memory(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(memory_bytes=64 * _MIB))
    ran = await box.shell("head -c 300M /dev/zero > /dev/shm/fill")
    assert ran.status != 0


async def test_a_fork_bomb_stops_at_the_limit_and_can_be_ended(make_box: MakeBox) -> None:
    box, other = await make_box(limits=Limits(pids=64)), await make_box()
    script = """
import os, time
for _ in range(5000):
    try:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
    except OSError:
        pass
print("full", flush=True)
time.sleep(100)
"""
    command_id = await box.start("python3", "-c", script)
    await box.until_said(command_id, b"full")
    begun = time.monotonic()
    assert await other.sure("echo here") == "here"
    assert time.monotonic() - begun < 5
    await box.runtime.signal_command(box.id, command_id, 9)
    async with asyncio.timeout(60):
        assert (await box.end(command_id)).exit_status == 137
    # Those that have ended are there until init has reaped them; one that was not ended would sleep on.
    async with asyncio.timeout(60):
        while await box.sure("pgrep -c python3 || true") != "0":  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.05)


async def test_a_fork_bomb_ends_with_its_time(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(pids=64))
    ran = await box.shell("bomb() { bomb & bomb & }; bomb; while :; do sleep 1; done", timeout_seconds=3.0)
    assert ran.result == CommandResult(exit_status=137, timed_out=True)


async def test_more_processes_than_the_limit_cannot_be_had(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(pids=64))
    script = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made)
"""
    ran = await box.run("python3", "-c", script)
    assert 20 < int(ran.text) < 64


async def test_the_share_of_the_processor_is_the_limit(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(cpu_cores=0.25))
    script = """
import time
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
print(time.process_time())
"""
    assert 0.3 < float((await box.run("python3", "-c", script)).text) < 1.3


async def test_another_sandbox_answers_while_one_takes_all_it_can(make_box: MakeBox) -> None:
    hog, box = await make_box(), await make_box()
    await hog.start("sh", "-c", "for n in 1 2 3 4; do (while :; do :; done) & done; wait")
    begun = time.monotonic()
    assert await box.sure("echo here") == "here"
    assert time.monotonic() - begun < 5


async def test_the_disk_holds_no_more_than_its_limit(runtime: Runtime, make_box: MakeBox) -> None:
    if not runtime.features.disk_limits:
        pytest.skip("this provider has no disk limits on this host")
    box = await make_box(limits=Limits(disk_bytes=256 * _MIB))
    assert (await box.shell("head -c 100M /dev/urandom > part && sync")).status == 0
    ran = await box.shell("head -c 1G /dev/urandom > fill && sync")
    assert ran.status != 0
    held = int(await box.sure("du -sm --exclude=proc --exclude=sys /home | cut -f 1"))
    assert 100 <= held <= 300
    with pytest.raises(NoSpaceLeft):
        await box.write("more", b"x" * (256 * _MIB))
    await box.sure("rm -f fill part more; sync; sleep 1; echo works > small; cat small")


async def test_files_without_content_fill_the_disk_too(runtime: Runtime, make_box: MakeBox) -> None:
    if not runtime.features.disk_limits:
        pytest.skip("this provider has no disk limits on this host")
    box = await make_box(limits=Limits(disk_bytes=64 * _MIB))
    script = """
import os
made = 0
try:
    for folder in range(400):
        os.mkdir(f"/home/user/{folder}")
        for number in range(1000):
            open(f"/home/user/{folder}/{number:0>200}", "w").close()
            made += 1
except OSError as error:
    print(made, error.errno)
"""
    ran = await box.run("python3", "-c", script)
    made, number = map(int, ran.text.split())
    assert made < 400_000
    assert number in (28, 122)
    other = await make_box()
    await other.sure("echo works > file && cat file", user=ROOT)


async def test_endless_output_is_bounded(box: Box) -> None:
    command_id = await box.start("sh", "-c", "yes | head -c 200M; echo end >&2", timeout_seconds=100.0)
    assert (await box.end(command_id)).exit_status == 0
    assert await box.runtime.output_size(box.id, command_id, "stdout") == 200 * _MIB

"""Sandboxes come, stop, go on and go."""

import asyncio

import pytest

from loopyard.runtime.errors import (
    CommandNotFound,
    ImageNotFound,
    SandboxNotFound,
    SandboxNotRunning,
    SnapshotNotFound,
)
from loopyard.runtime.protocol import CommandSpec, Runtime, SandboxSpec, SandboxState
from tests.integration.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio


@pytest.mark.semantic
async def test_a_sandbox_that_was_made_runs_and_is_listed(box: Box) -> None:
    assert (await box.runtime.status(box.id)).state is SandboxState.RUNNING
    assert (await box.runtime.sandboxes())[box.id].state is SandboxState.RUNNING


@pytest.mark.semantic
async def test_making_a_sandbox_that_runs_does_nothing(box: Box) -> None:
    await box.sure("echo here > mark")
    kept = await box.start("sleep", "100")
    await box.runtime.create(SandboxSpec(id=box.id))
    assert await box.sure("cat mark") == "here"
    assert (await box.runtime.commands(box.id))[kept] is None


@pytest.mark.semantic
async def test_the_same_sandbox_made_twice_at_once_is_one(runtime: Runtime, make_box: MakeBox) -> None:
    one, _ = await asyncio.gather(make_box(id="twice"), make_box(id="twice"))
    assert await one.sure("echo works") == "works"


@pytest.mark.semantic
async def test_many_sandboxes_made_at_once_all_work(make_box: MakeBox) -> None:
    boxes = await asyncio.gather(*(make_box() for _ in range(12)))
    said = await asyncio.gather(*(box.sure("echo $HOSTNAME; echo own > mark; cat mark") for box in boxes))
    assert said == ["devbox\nown"] * 12


@pytest.mark.semantic
async def test_the_sandbox_has_the_name_and_environment_it_was_given(make_box: MakeBox) -> None:
    box = await make_box(hostname="workbench", environment={"COLOUR": "pale blue", "EMPTY": ""})
    assert await box.sure('hostname; getent hosts workbench > /dev/null; echo "$COLOUR[$EMPTY]"') == (
        "workbench\npale blue[]"
    )


@pytest.mark.semantic
async def test_an_image_that_is_not_there_is_told(runtime: Runtime) -> None:
    with pytest.raises(ImageNotFound):
        await runtime.create(SandboxSpec(id="no-image", image="no-such-image"))
    assert "no-image" not in await runtime.sandboxes()


@pytest.mark.semantic
async def test_a_snapshot_that_is_not_there_is_told(runtime: Runtime) -> None:
    with pytest.raises(SnapshotNotFound):
        await runtime.create(SandboxSpec(id="no-snapshot", snapshot="no-such-snapshot"))
    assert "no-snapshot" not in await runtime.sandboxes()


@pytest.mark.semantic
async def test_a_destroyed_sandbox_is_gone_and_its_output_is_not(make_box: MakeBox) -> None:
    box = await make_box()
    ended = await box.start("echo", "still here")
    await box.end(ended)
    running = await box.start("sh", "-c", "echo begun; sleep 1000")
    await box.until_said(running, b"begun")
    await box.runtime.destroy(box.id)
    assert box.id not in await box.runtime.sandboxes()
    with pytest.raises(SandboxNotFound):
        await box.runtime.status(box.id)
    assert (await box.end(running)).exit_status == 137
    assert (await box.end(ended)).exit_status == 0
    assert await box.output(ended) == b"still here\n"
    assert await box.output(running) == b"begun\n"
    await box.runtime.destroy(box.id)
    await box.runtime.forget(box.id)
    with pytest.raises(CommandNotFound):
        await box.runtime.read_output(box.id, ended, "stdout")
    assert await box.runtime.commands(box.id) == {}
    await box.runtime.forget(box.id)


@pytest.mark.semantic
async def test_destroying_what_never_was_does_nothing(runtime: Runtime) -> None:
    await runtime.destroy("never-was")
    await runtime.forget("never-was")


@pytest.mark.semantic
async def test_a_sandbox_made_anew_under_an_old_id_knows_nothing_of_the_old(make_box: MakeBox) -> None:
    old = await make_box(id="phoenix")
    await old.sure("echo old > mark")
    await old.runtime.destroy(old.id)
    new = await make_box(id="phoenix")
    assert await new.sure("test ! -e mark && echo fresh") == "fresh"


@pytest.mark.semantic
async def test_waiting_ends_with_the_sandbox(make_box: MakeBox) -> None:
    box = await make_box()
    waiting = asyncio.create_task(box.runtime.wait(box.id))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await box.runtime.suspend(box.id)
    async with asyncio.timeout(60):
        assert (await waiting).state is SandboxState.EXITED


@pytest.mark.semantic
async def test_waiting_for_a_sandbox_that_is_destroyed_tells_so(make_box: MakeBox) -> None:
    box = await make_box()
    waiting = asyncio.create_task(box.runtime.wait(box.id))
    await asyncio.sleep(0.2)
    await box.runtime.destroy(box.id)
    async with asyncio.timeout(60):
        with pytest.raises(SandboxNotFound):
            await waiting


@pytest.mark.semantic
async def test_suspending_ends_processes_and_keeps_the_disk_and_output(make_box: MakeBox) -> None:
    box = await make_box(environment={"A": "1"})
    running = await box.start("sh", "-c", "echo begun; sleep 1000")
    await box.until_said(running, b"begun")
    await box.sure("echo kept > mark; sudo sh -c 'echo root > /etc/mark'; ln mark other")
    await box.runtime.suspend(box.id)
    assert (await box.runtime.status(box.id)).state is SandboxState.EXITED
    assert (await box.runtime.sandboxes())[box.id].state is SandboxState.EXITED
    assert (await box.end(running)).exit_status == 137
    await box.runtime.suspend(box.id)
    await box.runtime.create(SandboxSpec(id=box.id, environment={"A": "2"}))
    assert (await box.runtime.status(box.id)).state is SandboxState.RUNNING
    assert await box.sure("cat mark other /etc/mark; echo $A") == "kept\nkept\nroot\n2"
    assert await box.sure("pgrep -fxc 'sleep 1000' || true") == "0"
    assert await box.output(running) == b"begun\n"


@pytest.mark.semantic
async def test_a_suspended_sandbox_runs_nothing(make_box: MakeBox) -> None:
    box = await make_box()
    await box.runtime.suspend(box.id)
    with pytest.raises(SandboxNotRunning):
        await box.start("true")
    with pytest.raises(SandboxNotRunning):
        await box.read("/etc/passwd")
    with pytest.raises(SandboxNotRunning):
        await box.write("/tmp/new", b"")
    with pytest.raises(SandboxNotRunning):
        await box.runtime.attach_command(box.id, CommandSpec("", ["true"]))
    with pytest.raises(SandboxNotRunning):
        await box.runtime.connect(box.id, 80)
    async with asyncio.timeout(60):
        assert (await box.runtime.wait(box.id)).state is SandboxState.EXITED


@pytest.mark.semantic
async def test_a_suspended_sandbox_can_be_destroyed(make_box: MakeBox) -> None:
    box = await make_box()
    await box.runtime.suspend(box.id)
    await box.runtime.destroy(box.id)
    assert box.id not in await box.runtime.sandboxes()


@pytest.mark.semantic
async def test_what_is_asked_of_an_unknown_sandbox_is_told(runtime: Runtime) -> None:
    box = Box(runtime, "unknown")
    with pytest.raises(SandboxNotFound):
        await runtime.status(box.id)
    with pytest.raises(SandboxNotFound):
        await runtime.wait(box.id)
    with pytest.raises(SandboxNotFound):
        await runtime.usage(box.id)
    with pytest.raises(SandboxNotFound):
        await runtime.suspend(box.id)
    with pytest.raises(SandboxNotFound):
        await runtime.snapshot(box.id, "unknown-snapshot")
    with pytest.raises(SandboxNotFound):
        await box.start("true")
    with pytest.raises(SandboxNotFound):
        await box.read("file")
    with pytest.raises(SandboxNotFound):
        await box.write("file", b"")
    with pytest.raises(SandboxNotFound):
        await runtime.attach_command(box.id, CommandSpec("", ["true"]))
    with pytest.raises(SandboxNotFound):
        await runtime.connect(box.id, 80)
    assert await runtime.commands(box.id) == {}

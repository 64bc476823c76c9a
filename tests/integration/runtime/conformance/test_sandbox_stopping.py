"""Signals, time limits, and processes that stay behind."""

import asyncio
import signal
import time

import pytest

from loopyard.runtime.protocol import CommandResult
from tests.integration.runtime.box import ROOT, Box

pytestmark = pytest.mark.anyio


_TWO_PROCESSES = """
trap 'echo parent; exit 7' TERM
(trap 'echo child; exit' TERM; echo ready; while :; do sleep 0.1; done) &
while :; do sleep 0.1; done
"""


@pytest.mark.semantic
async def test_a_signal_reaches_the_whole_group(box: Box) -> None:
    command_id = await box.start("bash", "-c", _TWO_PROCESSES)
    await box.until_said(command_id, b"ready")
    await box.runtime.signal_command(box.id, command_id, signal.SIGTERM)
    assert (await box.end(command_id)).exit_status == 7
    async with asyncio.timeout(60):  # the child may have its last word after the command's end
        while b"child" not in await box.output(command_id):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.semantic
async def test_a_signal_can_be_for_the_process_alone(box: Box) -> None:
    command_id = await box.start("bash", "-c", _TWO_PROCESSES)
    await box.until_said(command_id, b"ready")
    await box.runtime.signal_command(box.id, command_id, signal.SIGTERM, group=False)
    assert (await box.end(command_id)).exit_status == 7
    await asyncio.sleep(0.5)
    assert b"child" not in await box.output(command_id)


async def test_an_interrupt_ends_a_command(box: Box) -> None:
    command_id = await box.start("python3", "-c", "import time; print('ready', flush=True); time.sleep(1000)")
    await box.until_said(command_id, b"ready")
    await box.runtime.signal_command(box.id, command_id, signal.SIGINT)
    assert (await box.end(command_id)).exit_status == 130


@pytest.mark.semantic
async def test_a_command_can_be_killed_as_soon_as_it_was_started(box: Box) -> None:
    command_id = await box.start("sleep", "1000")
    await box.runtime.signal_command(box.id, command_id, signal.SIGKILL)
    assert await box.end(command_id) == CommandResult(exit_status=137)


@pytest.mark.semantic
async def test_a_command_of_roots_can_be_killed(box: Box) -> None:
    command_id = await box.start("sleep", "1000", user=ROOT)
    await box.runtime.signal_command(box.id, command_id, signal.SIGKILL)
    assert (await box.end(command_id)).exit_status == 137


@pytest.mark.semantic
async def test_a_signal_to_what_has_ended_does_nothing(box: Box) -> None:
    command_id = await box.start("true")
    await box.end(command_id)
    await box.runtime.signal_command(box.id, command_id, signal.SIGKILL)
    assert await box.end(command_id) == CommandResult(exit_status=0)


@pytest.mark.semantic
async def test_time_that_runs_out_kills_the_whole_group(box: Box) -> None:
    begun = time.monotonic()
    ran = await box.shell("trap '' TERM INT; sleep 1234 & echo begun; sleep 1234", timeout_seconds=1.0)
    assert ran.result == CommandResult(exit_status=137, timed_out=True)
    assert ran.stdout == b"begun\n"
    assert 1.0 <= time.monotonic() - begun < 60
    assert await box.sure("pgrep -fxc 'sleep 1234' || true") == "0"


@pytest.mark.semantic
async def test_a_command_within_its_time_is_left_alone(box: Box) -> None:
    assert (await box.shell("sleep 0.2; exit 5", timeout_seconds=20.0)).result == CommandResult(exit_status=5)


@pytest.mark.semantic
@pytest.mark.parametrize("left", ["sleep 60 &", "setsid sleep 60 &", "nohup sleep 60 & disown"])
async def test_a_process_left_behind_does_not_hold_up_the_command(box: Box, left: str) -> None:
    begun = time.monotonic()
    ran = await box.shell(f"{left}\necho done; exit 3")
    assert (ran.text, ran.status) == ("done", 3)
    assert time.monotonic() - begun < 50
    assert await box.sure("until pgrep -fxc 'sleep 60' > found; do :; done; cat found") == "1"


async def test_the_sandbox_reaps_what_nobody_waits_for(box: Box) -> None:
    await box.sure("for n in $(seq 50); do (sleep 0.01 & exec true) & done; wait; sleep 0.5")
    await asyncio.sleep(0.5)
    assert await box.sure("ps -eo stat= | grep -c Z || true") == "0"

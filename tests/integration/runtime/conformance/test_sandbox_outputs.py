"""What commands write: every byte, in files that can be read at any offset."""

import asyncio
import hashlib
import time

import pytest

from tests.integration.runtime.box import Box

pytestmark = pytest.mark.anyio


@pytest.mark.semantic
async def test_the_streams_are_kept_apart(box: Box) -> None:
    ran = await box.shell("echo out; echo err >&2; echo out2")
    assert (ran.stdout, ran.stderr) == (b"out\nout2\n", b"err\n")


async def test_output_is_kept_byte_for_byte(box: Box) -> None:
    ran = await box.run("python3", "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3)")
    assert ran.stdout == bytes(range(256)) * 3


@pytest.mark.semantic
async def test_a_command_that_prints_nothing_has_empty_output(box: Box) -> None:
    ran = await box.run("true")
    assert (ran.stdout, ran.stderr) == (b"", b"")


@pytest.mark.semantic
async def test_output_is_read_at_any_offset_and_from_the_end(box: Box) -> None:
    command_id = await box.start("printf", "0123456789")
    await box.end(command_id)
    read = box.runtime.read_output
    assert await read(box.id, command_id, "stdout", 3, 4) == b"3456"
    assert await read(box.id, command_id, "stdout", -3) == b"789"
    assert await read(box.id, command_id, "stdout", -100) == b"0123456789"
    assert await read(box.id, command_id, "stdout", -5, 2) == b"56"
    assert await read(box.id, command_id, "stdout", 10) == b""
    assert await read(box.id, command_id, "stdout", 1000) == b""
    assert await box.runtime.output_size(box.id, command_id, "stdout") == 10
    assert await box.runtime.output_size(box.id, command_id, "stderr") == 0


@pytest.mark.semantic
async def test_output_is_there_while_the_command_runs(box: Box) -> None:
    command_id = await box.start("sh", "-c", "echo early; sleep 1000")
    assert await box.until_said(command_id, b"early") == b"early\n"


@pytest.mark.semantic
async def test_waiting_for_output_ends_when_there_is_some(box: Box) -> None:
    command_id = await box.start("sh", "-c", "sleep 0.5; echo late; sleep 1000")
    begun = time.monotonic()
    assert await box.runtime.wait_output(box.id, command_id, "stdout", 0, 20)
    assert time.monotonic() - begun < 15
    assert await box.runtime.wait_output(box.id, command_id, "stdout", 2, 20)


@pytest.mark.semantic
async def test_waiting_for_output_ends_with_the_time(box: Box) -> None:
    command_id = await box.start("sleep", "1000")
    begun = time.monotonic()
    assert not await box.runtime.wait_output(box.id, command_id, "stdout", 0, 0.5)
    assert 0.4 < time.monotonic() - begun < 20


@pytest.mark.semantic
async def test_waiting_for_output_ends_with_the_command(box: Box) -> None:
    command_id = await box.start("sh", "-c", "echo all; sleep 0.5")
    assert await box.runtime.wait_output(box.id, command_id, "stdout", 0, 20)
    begun = time.monotonic()
    assert not await box.runtime.wait_output(box.id, command_id, "stdout", 4, 60)
    assert time.monotonic() - begun < 40
    assert not await box.runtime.wait_output(box.id, command_id, "stderr", 0, 60)


@pytest.mark.semantic
async def test_the_last_words_are_there_when_the_end_is_told(box: Box) -> None:
    for _ in range(10):
        ran = await box.shell("head -c 200000 /dev/zero; printf last; printf err >&2")
        assert (len(ran.stdout), ran.stdout[-4:], ran.stderr) == (200_004, b"last", b"err")


async def test_a_hundred_megabytes_arrive_whole(box: Box) -> None:
    size = 120 << 20
    script = (
        f"import sys\nblock = bytes(range(256)) * 4096\nfor _ in range({size >> 20}): sys.stdout.buffer.write(block)"
    )
    command_id = await box.start("python3", "-c", script)
    assert (await box.end(command_id)).exit_status == 0
    assert await box.runtime.output_size(box.id, command_id, "stdout") == size
    digest, offset = hashlib.sha256(), 0
    while part := await box.runtime.read_output(box.id, command_id, "stdout", offset, 4 << 20):
        digest.update(part)
        offset += len(part)
    block = bytes(range(256)) * 4096
    expected = hashlib.sha256()
    for _ in range(size >> 20):
        expected.update(block)
    assert digest.hexdigest() == expected.hexdigest()


@pytest.mark.semantic
async def test_standard_output_can_be_opened_by_its_name(box: Box) -> None:
    ran = await box.shell("echo one > /dev/stdout; echo two > /dev/stderr; echo three | tee /dev/fd/1")
    assert (ran.stdout, ran.stderr) == (b"one\nthree\nthree\n", b"two\n")


@pytest.mark.semantic
async def test_output_written_by_both_streams_at_once_is_whole(box: Box) -> None:
    ran = await box.shell("(yes out | head -n 100000) & (yes err | head -n 100000 >&2) & wait")
    assert (ran.stdout, ran.stderr) == (b"out\n" * 100_000, b"err\n" * 100_000)


@pytest.mark.semantic
async def test_readers_at_once_do_not_disturb_each_other(box: Box) -> None:
    command_id = await box.start("seq", "100000")
    await box.end(command_id)
    read = await asyncio.gather(*(box.output(command_id) for _ in range(5)))
    assert set(read) == {"".join(f"{n}\n" for n in range(1, 100_001)).encode()}

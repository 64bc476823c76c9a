"""Commands whose streams the caller holds."""

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import AsyncGenerator

import pytest

from loopyard.runtime.protocol import Attached, CommandSpec, Terminal
from tests.integration.runtime.box import ROOT, Box

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def _attached(
    box: Box, *argv: str, terminal: Terminal | None = None, **fields: object
) -> AsyncGenerator[Attached]:
    spec = CommandSpec("", argv, **fields)  # type: ignore[arg-type]
    attached = await box.runtime.attach_command(box.id, spec, terminal)
    held = {attached.stdin, attached.stdout} | ({attached.stderr} if attached.stderr is not None else set[int]())
    try:
        yield attached
    finally:
        for descriptor in held:
            with contextlib.suppress(OSError):
                os.close(descriptor)


async def _read(descriptor: int, until: bytes | None = None) -> bytes:
    """All until the end, or until the word is among it."""
    said = b""
    async with asyncio.timeout(60):
        while until is None or until not in said:
            try:
                part = os.read(descriptor, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.01)
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # what a terminal says when nobody is left on the other side
                    raise
                break
            if not part:
                break
            said += part
    return said


async def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    async with asyncio.timeout(60):
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                await asyncio.sleep(0.01)


async def _end(attached: Attached) -> int:
    async with asyncio.timeout(60):
        return await attached.wait()


@pytest.mark.semantic
async def test_the_streams_of_an_attached_command_are_pipes(box: Box) -> None:
    async with _attached(box, "sh", "-c", "read line; echo got $line; echo err >&2; exit 3") as attached:
        assert attached.stderr is not None
        assert not any(os.isatty(fd) for fd in (attached.stdin, attached.stdout, attached.stderr))
        await _write(attached.stdin, b"hello\n")
        assert await _read(attached.stdout) == b"got hello\n"
        assert await _read(attached.stderr) == b"err\n"
        assert await _end(attached) == 3


@pytest.mark.semantic
async def test_the_end_of_input_arrives(box: Box) -> None:
    async with _attached(box, "sha256sum") as attached:
        await _write(attached.stdin, b"")
        os.close(attached.stdin)
        said = await _read(attached.stdout)
        assert said.startswith(b"e3b0c44298fc1c14")
        assert await _end(attached) == 0


@pytest.mark.semantic
async def test_much_goes_through_attached_streams(box: Box) -> None:
    sent = bytes(range(256)) * 16384
    async with _attached(box, "cat") as attached:

        async def send() -> None:
            await _write(attached.stdin, sent)
            os.close(attached.stdin)

        _, received = await asyncio.gather(send(), _read(attached.stdout))
        assert received == sent
        assert await _end(attached) == 0


@pytest.mark.semantic
async def test_an_attached_command_has_its_own_user_folder_and_environment(box: Box) -> None:
    argv = ("sh", "-c", "id -u; pwd; echo $A")
    async with _attached(box, *argv, user=ROOT, cwd="/tmp", environment={"A": "b"}) as attached:
        assert await _read(attached.stdout) == b"0\n/tmp\nb\n"


@pytest.mark.semantic
async def test_a_missing_program_ends_an_attached_command(box: Box) -> None:
    async with _attached(box, "no-such-program") as attached:
        assert attached.stderr is not None
        said = await _read(attached.stderr)
        assert b"not found" in said.lower() or b"no such file" in said.lower()
        assert await _end(attached) == 127


@pytest.mark.semantic
async def test_an_attached_command_takes_signals(box: Box) -> None:
    async with _attached(box, "sh", "-c", "echo ready; sleep 1000") as attached:
        assert await _read(attached.stdout, b"ready") == b"ready\n"
        attached.signal(signal.SIGTERM)
        assert await _end(attached) == 143


async def test_a_terminal_is_a_terminal_of_the_size_asked_for(box: Box) -> None:
    terminal = Terminal(rows=33, columns=111, kind="vt100")
    async with _attached(box, "sh", "-c", "tty; stty size; echo $TERM; read x", terminal=terminal) as attached:
        assert attached.stderr is None
        said = (await _read(attached.stdin, b"vt100\r\n")).split(b"\r\n")
        assert said[0].startswith(b"/dev/")
        assert said[1:3] == [b"33 111", b"vt100"]
        attached.resize(50, 200)
        await asyncio.sleep(0.5)
        await _write(attached.stdin, b"\n")
        assert await _end(attached) == 0


async def test_a_resized_terminal_tells_the_program(box: Box) -> None:
    script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"
    async with _attached(box, "bash", "-c", script, terminal=Terminal()) as attached:
        await _read(attached.stdout, b"ready")
        attached.resize(50, 200)
        assert b"50 200" in await _read(attached.stdout, b"50 200")
        attached.signal(signal.SIGKILL)
        assert await _end(attached) == 137


async def test_keys_of_a_terminal_become_signals(box: Box) -> None:
    async with _attached(box, "bash", "--norc", "-i", terminal=Terminal()) as attached:
        await _write(attached.stdin, b"PS1=; echo re''ady\n")
        await _read(attached.stdout, b"ready\r\n")
        await _write(attached.stdin, b"sleep 1000; echo after=$?\n")
        await asyncio.sleep(0.7)
        await _write(attached.stdin, b"\x03")
        await _write(attached.stdin, b"echo go''es on\n")
        await _read(attached.stdout, b"goes on\r\n")
        await _write(attached.stdin, b"\x04")
        assert await _end(attached) in (0, 130)


async def test_a_signal_reaches_what_is_in_a_terminals_foreground(box: Box) -> None:
    async with _attached(box, "bash", "--norc", "-i", terminal=Terminal()) as attached:
        await _write(attached.stdin, b"PS1=; echo re''ady\n")
        await _read(attached.stdout, b"ready\r\n")
        await _write(attached.stdin, b"sh -c 'echo in''ner; exec sleep 1000'\n")
        await _read(attached.stdout, b"inner\r\n")
        await asyncio.sleep(0.3)
        attached.signal(signal.SIGTERM)
        await _write(attached.stdin, b"echo status=$?\n")
        assert b"status=143" in await _read(attached.stdout, b"status=143")
        await _write(attached.stdin, b"exit 9\n")
        assert await _end(attached) == 9

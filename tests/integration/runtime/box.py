"""A sandbox as the tests handle it: short words for what the protocol says at length."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from loopyard.runtime.protocol import CommandResult, CommandSpec, Runtime, Stream, User
from loopyard.runtime.readiness import KeepsReady

ROOT = User("root", 0)
_MOST_SECONDS = 120
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    result: CommandResult
    stdout: bytes
    stderr: bytes

    @property
    def status(self) -> int:
        return self.result.exit_status

    @property
    def text(self) -> str:
        """Standard output, without the white space around it."""
        return self.stdout.decode().strip()


@dataclass(frozen=True)
class Box:
    """A sandbox of a runtime."""

    runtime: Runtime
    id: str

    async def start(self, *argv: str, **fields: Any) -> str:
        """Start a command (fields: of `CommandSpec`); returns its id."""
        fields.setdefault("id", f"cmd-{next(_numbers)}")
        spec = CommandSpec(argv=argv, **fields)
        await self.runtime.start_command(self.id, spec)
        return spec.id

    async def end(self, command_id: str) -> CommandResult:
        async with asyncio.timeout(_MOST_SECONDS):
            return await self.runtime.wait_command(self.id, command_id)

    async def run(self, *argv: str, **fields: Any) -> Ran:
        """Run a command to its end."""
        command_id = await self.start(*argv, **fields)
        result = await self.end(command_id)
        return Ran(result, await self.output(command_id, "stdout"), await self.output(command_id, "stderr"))

    async def shell(self, script: str, **fields: Any) -> Ran:
        return await self.run("bash", "-c", script, **fields)

    async def sure(self, script: str, **fields: Any) -> str:
        """What a script printed, which must succeed."""
        ran = await self.shell(script, **fields)
        assert ran.status == 0, (script, ran.status, ran.stdout[-2000:], ran.stderr[-2000:])
        return ran.text

    async def output(self, command_id: str, stream: Stream = "stdout") -> bytes:
        """All of a stream that is there."""
        parts: list[bytes] = []
        offset = 0
        while part := await self.runtime.read_output(self.id, command_id, stream, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    async def until_said(self, command_id: str, word: bytes, stream: Stream = "stdout") -> bytes:
        """Wait until the output so far has the word; returns that output."""
        async with asyncio.timeout(_MOST_SECONDS):
            while word not in (said := await self.output(command_id, stream)):
                there = await self.runtime.wait_output(self.id, command_id, stream, len(said), 5)
                if not there and (await self.runtime.commands(self.id))[command_id] is not None:
                    said = await self.output(command_id, stream)
                    assert word in said, (said, await self.output(command_id, "stderr"))
        return said

    async def read(self, path: str, **fields: Any) -> bytes:
        """A small file's content."""
        return b"".join([chunk async for chunk in self.runtime.read_file(self.id, path, **fields)])

    async def write(self, path: str, content: bytes, **fields: Any) -> None:
        await self.runtime.write_file(self.id, path, chunks(content), **fields)


class MakeBox(Protocol):
    """Makes a sandbox; the fields are those of `SandboxSpec`."""

    def __call__(self, **fields: object) -> Awaitable[Box]: ...


async def until_ready(runtime: Runtime, count: int = 1) -> None:
    """Wait until so many sandboxes are ready."""
    assert isinstance(runtime, KeepsReady)
    async with asyncio.timeout(_MOST_SECONDS):
        while runtime.ready_count < count:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.02)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """The parts, one after another."""
    for part in parts:
        yield part

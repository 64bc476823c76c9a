"""Answers that every provider reads from its commands' folders."""

import asyncio

from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.protocol import CommandResult, Stream

_SHORT_BYTES = 64 << 10
"""Longer pieces of output are read in a thread: they hold the event loop up, above all where the disk is busy."""


class CommandAnswers:
    """The part of a provider that its commands' folders answer. See the protocol for what each method does."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def wait_command(self, sandbox_id: str, command_id: str) -> CommandResult:
        return await self._commands.wait(sandbox_id, command_id)

    async def commands(self, sandbox_id: str) -> dict[str, CommandResult | None]:
        return self._commands.all(sandbox_id)

    async def read_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> bytes:
        if limit <= _SHORT_BYTES:
            return self._commands.read(sandbox_id, command_id, stream, offset, limit)
        return await asyncio.to_thread(self._commands.read, sandbox_id, command_id, stream, offset, limit)

    async def output_size(self, sandbox_id: str, command_id: str, stream: Stream) -> int:
        return self._commands.size(sandbox_id, command_id, stream)

    async def is_truncated(self, sandbox_id: str, command_id: str, stream: Stream) -> bool:
        return self._commands.is_truncated(sandbox_id, command_id, stream)

    async def wait_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int, timeout_seconds: float
    ) -> bool:
        return await self._commands.wait_output(sandbox_id, command_id, stream, offset, timeout_seconds)

    async def write_stdin(self, sandbox_id: str, command_id: str, data: bytes, *, eof: bool = False) -> None:
        await self._commands.write_stdin(sandbox_id, command_id, data, eof=eof)

    async def signal_command(self, sandbox_id: str, command_id: str, signal: int, *, group: bool = True) -> None:
        await self._commands.signal(sandbox_id, command_id, signal, group=group)

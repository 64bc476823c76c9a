"""A command whose streams the server holds, from its start to the time it is let go."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

from loopyard.devbox.attachment import streams
from loopyard.runtime.protocol import Attached, CommandSpec, Runtime, Terminal

GRACE_SECONDS = 5.0
"""How long a command without a terminal may live on after SIGHUP once nobody is there for it any more."""

_LAST_WORDS_SECONDS = 0.2
"""A terminal hands over what was written to it a moment later than a pipe."""


class Attachment:
    """A running command. `ended` comes to hold its exit status, 128 + N for a death by signal N."""

    def __init__(self, command: Attached) -> None:
        self._command = command
        given = (command.stdin, command.stdout, command.stderr)
        self._open = {descriptor for descriptor in given if descriptor is not None}
        self.has_terminal = command.stderr is None
        self.ended: asyncio.Future[int] = asyncio.ensure_future(command.wait())

    @classmethod
    async def start(
        cls, runtime: Runtime, devbox_id: str, spec: CommandSpec, terminal: Terminal | None = None
    ) -> "Attachment":
        """Start a command, on a terminal if one is asked for.

        Raises:
            RuntimeFault: It could not be started.
        """
        return cls(await runtime.attach_command(devbox_id, spec, terminal))

    def stdout(self) -> AsyncIterator[bytes]:
        """All that it writes to standard output, or to its terminal."""
        patience = _LAST_WORDS_SECONDS if self.has_terminal else 0
        return streams.output(self._command.stdout, self.ended, patience)

    def stderr(self) -> AsyncIterator[bytes] | None:
        """All that it writes to standard error; None with a terminal."""
        return None if self._command.stderr is None else streams.output(self._command.stderr, self.ended, 0)

    async def write(self, data: bytes) -> None:
        """Write to standard input, waiting while it is full.

        Raises:
            OSError: It reads no more.
        """
        await streams.write(self._command.stdin, data)

    def close_input(self) -> None:
        """No more input comes. Call it when no write is under way. A terminal stays open, and is not told."""
        if not self.has_terminal:
            self._close(self._command.stdin)

    def signal(self, number: int) -> None:
        """Send a signal to its process group; with a terminal, to the group in the foreground."""
        if self._open:
            self._command.signal(number)

    def resize(self, rows: int, columns: int) -> None:
        if self._open:
            self._command.resize(rows, columns)

    def close(self) -> None:
        """Let it go: it gets SIGHUP if it runs still, and later SIGKILL. Call it when nothing is read or written."""
        if not self._open:
            return
        if not self.ended.done():
            self._command.signal(signal.SIGHUP)
            if not self.has_terminal:
                asyncio.get_running_loop().call_later(GRACE_SECONDS, self._kill)
        for descriptor in list(self._open):
            self._close(descriptor)

    def _kill(self) -> None:
        if not self.ended.done():
            self._command.signal(signal.SIGKILL)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)

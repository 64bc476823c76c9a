"""Session of an SSH connection: a shell, command or subsystem, run in the devbox."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping

import asyncssh

from loopyard.devbox.attachment.command import Attachment
from loopyard.devbox.attachment.login_shell import LOGIN_SHELL
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.models import Devbox
from loopyard.kit.host.environment import fault_of_variable
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime, Terminal

_MOST_WAITING_BYTES = 1 << 20
"""How much input may wait for a command that does not read it, before the client is made to wait."""

_END_OF_TRANSMISSION = b"\x04"
_CANNOT_START = 255

_SFTP = """for program in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec /usr/lib; do
[ -x "$program/sftp-server" ] && exec "$program/sftp-server"
done
echo "There is no sftp-server in this devbox." >&2
exit 127"""


class BoxSession(asyncssh.SSHServerSession[bytes]):
    """Carries bytes between the client and a command in the devbox, and tells how the command ended."""

    def __init__(
        self, devbox: Devbox, runtime: Runtime, activity: Activity, closed: Callable[["BoxSession"], None]
    ) -> None:
        """`closed` is called with the session when it is over."""
        self._devbox = devbox
        self._runtime = runtime
        self._activity = activity
        self._closed = closed
        self._terminal: Terminal | None = None
        self._argv: list[str] = []
        self._command: Attachment | None = None
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting_bytes = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._running: asyncio.Task[None] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pty_requested(
        self, term_type: str | None, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        del term_modes
        columns, rows = term_size[:2]
        self._terminal = Terminal(rows or 24, columns or 80, term_type or "dumb")
        return True

    def shell_requested(self) -> bool:
        self._argv = list(LOGIN_SHELL)
        return True

    def exec_requested(self, command: str) -> bool:
        self._argv = ["/bin/bash", "-c", command]
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        self._argv = ["/bin/sh", "-c", _SFTP]
        return subsystem == "sftp"

    def session_started(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, datatype: int | None) -> None:
        del datatype
        self._input.put_nowait(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        self._input.put_nowait(None)
        return True  # output goes on

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        del pixwidth, pixheight
        if self._command is not None:
            self._command.resize(height, width)

    def signal_received(self, signal: str) -> None:
        self._signal(signal)

    def break_received(self, msec: int) -> bool:
        del msec
        self._signal("INT")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._closed(self)
        if self._running is not None:
            self._running.cancel()

    def _signal(self, name: str) -> None:
        number = getattr(signal, f"SIG{name.removeprefix('SIG')}", None)
        if self._command is not None and isinstance(number, signal.Signals):
            self._command.signal(number)

    async def _run(self) -> None:
        asked = self._channel.get_environment().items()
        environment = {name: value for name, value in asked if fault_of_variable(name, value) is None}
        spec = CommandSpec(id="", argv=self._argv, environment=environment)
        with self._activity.using(self._devbox):
            try:
                command = await Attachment.start(self._runtime, self._devbox.id, spec, self._terminal)
            except RuntimeFault as fault:
                self._channel.write_stderr(f"{fault}\r\n".encode())
                self._channel.exit(_CANNOT_START)
                return
            self._command = command
            try:
                await self._attend(command)
            finally:
                self._command = None
                command.close()
            self._channel.exit(command.ended.result())

    async def _attend(self, command: Attachment) -> None:
        """Move bytes until the command has ended and all it said is told."""
        feeding = asyncio.ensure_future(self._feed(command))
        try:
            async with asyncio.TaskGroup() as telling:
                telling.create_task(self._tell(command.stdout(), self._write))
                if (errors := command.stderr()) is not None:
                    telling.create_task(self._tell(errors, self._channel.write_stderr))
                await asyncio.wait({command.ended})
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    def _write(self, data: bytes) -> None:
        self._channel.write(data)  # pyright: ignore[reportUnknownMemberType]

    async def _tell(self, output: AsyncIterator[bytes], write: Callable[[bytes], None]) -> None:
        async for data in output:
            await self._writable.wait()
            write(data)
            await asyncio.sleep(0)  # a command that never stops must not keep others waiting

    async def _feed(self, command: Attachment) -> None:
        with contextlib.suppress(OSError):  # it reads no more
            while (data := await self._input.get()) is not None:
                await command.write(data)
                self._waiting_bytes -= len(data)
                if self._waiting_bytes <= _MOST_WAITING_BYTES // 2:
                    self._channel.resume_reading()
            if command.has_terminal:
                await command.write(_END_OF_TRANSMISSION)
            else:
                command.close_input()
            return
        while (data := await self._input.get()) is not None:  # so that the client does not wait for ever
            self._channel.resume_reading()

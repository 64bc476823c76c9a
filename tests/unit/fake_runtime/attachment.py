"""Commands whose streams are this process's own descriptors: pipes of the host, or a terminal."""

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

from loopyard.runtime.protocol import Terminal
from tests.unit.fake_runtime.process import Process
from tests.unit.fake_runtime.streams import Held


class Descriptor:
    """A stream of a sandbox's process that is a descriptor of the host."""

    def __init__(self, number: int) -> None:
        self._number = number
        os.set_blocking(number, False)

    async def read(self, size: int) -> bytes:
        while True:
            try:
                return os.read(self._number, size)
            except BlockingIOError:
                await self._ready(reading=True)

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                await self._ready(reading=False)

    async def _ready(self, *, reading: bool) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def tell() -> None:
            if not ready.done():
                ready.set_result(None)

        (loop.add_reader if reading else loop.add_writer)(self._number, tell)
        try:
            await ready
        finally:
            (loop.remove_reader if reading else loop.remove_writer)(self._number)

    def shut(self) -> None:
        os.close(self._number)


class FakeAttached:
    """See `Attached`."""

    def __init__(self, terminal: Terminal | None) -> None:
        self.stderr: int | None = None
        if terminal is None:
            inside_in, self.stdin = os.pipe()
            self.stdout, inside_out = os.pipe()
            self.stderr, inside_err = os.pipe()
            self.streams = {
                number: Held(Descriptor(end)) for number, end in enumerate((inside_in, inside_out, inside_err))
            }
        else:
            self.stdin, inside = os.openpty()
            self.stdout = self.stdin
            held = Held(Descriptor(inside))
            self.streams = {0: held, 1: held.copy(), 2: held.copy()}
            self.resize(terminal.rows, terminal.columns)
        for end in {self.stdin, self.stdout, *(() if self.stderr is None else (self.stderr,))}:
            os.set_blocking(end, False)
        self._terminal = terminal
        self._process: Process | None = None

    def follow(self, process: Process) -> None:
        self._process = process

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.status is None:
            self._process.machine.signal_group(self._process.group, number)

    def resize(self, rows: int, columns: int) -> None:
        if self.stderr is None:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.stdin, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

"""Processes of a sandbox: coroutines with a number, a group, an owner, streams, and signals."""

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.unit.fake_runtime.disk import Device, Disk, Fifo, File, Who, allows, fail
from tests.unit.fake_runtime.streams import Held, Noise, Nothing, OpenFile, Stream, Waiters, Zeros

if TYPE_CHECKING:
    from tests.unit.fake_runtime.machine import Machine

Body = Callable[["Process"], Awaitable[int]]

_HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
_DEVICES = {"null": Nothing, "tty": Nothing, "zero": Zeros, "urandom": Noise}


class Exit(Exception):
    """A process ends itself."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status & 255


@dataclass(eq=False)
class Process:
    """One that runs, or has ended. `traps` are the signals that it handles itself: by commands, or "" to ignore."""

    machine: "Machine"
    pid: int
    group: int
    who: Who
    argv: list[str]
    environment: dict[str, str]
    cwd: str
    streams: dict[int, Held]
    umask: int = 0o022
    traps: dict[int, str] = field(default_factory=dict[int, str])
    pending: list[int] = field(default_factory=list[int])
    """Signals that came and have a trap, which the process has not run yet."""

    def __post_init__(self) -> None:
        self.signaled = Waiters()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._killed_by: int | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._status.result() if self._status.done() else None

    @property
    def disk(self) -> Disk:
        return self.machine.disk

    def begin(self, body: Body) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(body))
        self._task.add_done_callback(lambda _: self._end(137))  # where it was killed before its first step

    async def wait(self) -> int:
        """Wait for its end; its exit status, 128 + N for a death by signal N."""
        return await asyncio.shield(self._status)

    async def _run(self, body: Body) -> None:
        status = 1
        try:
            status = await body(self)
        except Exit as end:
            status = end.status
        except BrokenPipeError:
            status = 128 + signal.SIGPIPE
        except OSError as error:
            with contextlib.suppress(BrokenPipeError):
                await self.complain(f"{self.argv[0]}: {describe(error)}")
        except asyncio.CancelledError:
            pass
        finally:
            self._end(status)

    def _end(self, status: int) -> None:
        if self._status.done():
            return
        for held in self.streams.values():
            held.close()
        self.streams.clear()
        self.machine.processes.pop(self.pid, None)
        self._status.set_result(status if self._killed_by is None else 128 + self._killed_by)

    def signal(self, number: int) -> None:
        """Do what a signal does to it."""
        if self._status.done():
            return
        if number != signal.SIGKILL and number in self.traps:
            if self.traps[number]:
                self.pending.append(number)
                self.signaled.wake()
            return
        if number not in _HARMLESS and number != 0:
            self._killed_by = number
            if self._task is not None:
                self._task.cancel()

    def fork(self, argv: list[str] | None = None, streams: dict[int, Held] | None = None) -> "Process":
        """A child, not begun yet. What this one ignores, it ignores, too."""
        held = streams if streams is not None else {number: held.copy() for number, held in self.streams.items()}
        ignored = {number: "" for number, action in self.traps.items() if not action}
        pid = self.machine.next_pid()
        child = Process(
            self.machine, pid, self.group, self.who, argv or self.argv, dict(self.environment), self.cwd, held,
            self.umask, ignored,
        )  # fmt: skip
        self.machine.processes[pid] = child
        return child

    async def read(self, size: int = 1 << 16, number: int = 0) -> bytes:
        if number not in self.streams:
            return b""
        return await self.streams[number].stream.read(size)

    async def read_all(self) -> bytes:
        parts: list[bytes] = []
        while part := await self.read():
            parts.append(part)
        return b"".join(parts)

    async def chunks(self, path: str) -> list[bytes]:
        """All of a file, or of standard input for "-"."""
        stream = None if path == "-" else await self.open(path)
        parts: list[bytes] = []
        while part := await (self.read() if stream is None else stream.read(1 << 16)):
            parts.append(part)
        if stream is not None:
            stream.shut()
        return parts

    async def write(self, data: bytes | str, number: int = 1) -> None:
        if number not in self.streams:
            fail(errno.EBADF)
        await self.streams[number].stream.write(
            data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        )

    async def say(self, line: str) -> None:
        await self.write(f"{line}\n")

    async def complain(self, line: str) -> None:
        await self.write(f"{line}\n", 2)

    def path(self, path: str) -> str:
        """A path as an absolute one."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"

    async def open(self, path: str, how: str = "r") -> Stream:
        """A file to read, to write anew ("w"), or to add to ("a"). Named pipes wait for their other end."""
        place = self.path(path)
        if place.startswith(("/dev/std", "/dev/fd/", "/proc/self/fd/")):
            return _Shared(self._own(place))
        if how != "r" and not self.disk.exists(place, self.who):
            self.disk.open_new(place, self.who, 0o666 & ~self.umask)
        node = self.disk.get(place, self.who)
        if not allows(node, self.who, 4 if how == "r" else 2):
            fail(errno.EACCES, path)
        match node:
            case File():
                if how == "w":
                    node.data.clear()
                return OpenFile(node.data, append=how == "a")
            case Fifo():
                return await node.pipe.meet(reading=how == "r")
            case Device():
                return _DEVICES[node.kind]()
            case _:
                return fail(errno.EISDIR, path)

    def _own(self, place: str) -> Stream:
        names = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
        number = names[place] if place in names else int(place.rpartition("/")[2])
        if number not in self.streams:
            fail(errno.ENOENT, place)
        return self.streams[number].stream

    def siblings(self) -> Iterator["Process"]:
        """All that run in the sandbox."""
        return iter(list(self.machine.processes.values()))


class _Shared:
    """A stream that was opened by another name: closing it here does not shut it."""

    def __init__(self, stream: Stream) -> None:
        self.read, self.write = stream.read, stream.write

    def shut(self) -> None:
        pass


def describe(error: OSError) -> str:
    """An error as programs tell it."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{error.filename}: {reason}" if error.filename else reason

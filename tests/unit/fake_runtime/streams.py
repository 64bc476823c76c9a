"""Streams of bytes between programs: pipes, output that is kept, and files with a place in them."""

import asyncio
import random
from typing import Protocol

CAPACITY = 1 << 16
"""How much a pipe holds before its writers wait, as Linux has it."""


class Stream(Protocol):
    """One end of something that is read or written. `open` counts who has it; `shut` is called with the last."""

    async def read(self, size: int) -> bytes:
        """Some bytes, `size` at most; none at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all.

        Raises:
            BrokenPipeError: Nobody will read it.
        """
        ...

    def shut(self) -> None: ...


class Held:
    """A descriptor's right to a stream. Copies share the stream, which is shut when the last of them is closed."""

    def __init__(self, stream: Stream, holders: list[int] | None = None) -> None:
        self.stream = stream
        self._holders = holders if holders is not None else [0]
        self._holders[0] += 1
        self._is_open = True

    def copy(self) -> "Held":
        return Held(self.stream, self._holders)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._holders[0] -= 1
            if self._holders[0] == 0:
                self.stream.shut()


class Waiters:
    """Coroutines that wait for something to change."""

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        await future

    def wake(self) -> None:
        futures, self._futures = self._futures, []
        for future in futures:
            if not future.done():
                future.set_result(None)


class Pipe:
    """Bytes on their way from its writers to its readers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.readers = 0
        self.writers = 0
        self.changed = Waiters()

    async def meet(self, *, reading: bool) -> "PipeEnd":
        """Open an end as a named pipe's is: wait until somebody opens the other."""
        end = PipeEnd(self, reading=reading)
        while not (self.writers if reading else self.readers) and not (reading and self.data):
            await self.changed.wait()
        return end


class PipeEnd:
    """The end of a pipe that is read, or the one that is written."""

    def __init__(self, pipe: Pipe, *, reading: bool) -> None:
        self._pipe = pipe
        self._reading = reading
        if reading:
            pipe.readers += 1
        else:
            pipe.writers += 1
        pipe.changed.wake()

    async def read(self, size: int) -> bytes:
        pipe = self._pipe
        while not pipe.data:
            if not pipe.writers:
                return b""
            await pipe.changed.wait()
        taken = bytes(pipe.data[:size])
        del pipe.data[:size]
        pipe.changed.wake()
        return taken

    async def write(self, data: bytes) -> None:
        pipe, view = self._pipe, memoryview(data)
        while True:
            if not pipe.readers:
                raise BrokenPipeError
            if not view:
                return
            room = CAPACITY - len(pipe.data)
            if room > 0:
                pipe.data += view[:room]
                view = view[room:]
                pipe.changed.wake()
            if view:
                await pipe.changed.wait()

    def shut(self) -> None:
        if self._reading:
            self._pipe.readers -= 1
        else:
            self._pipe.writers -= 1
        self._pipe.changed.wake()


class Kept:
    """Output that stays, up to a size, for whoever asks for it."""

    def __init__(self, most: int, full_after: int | None = None) -> None:
        """`full_after` is the size from which on the host's disk is full; None for never."""
        self.data = bytearray()
        self.changed = Waiters()
        self.lost = False
        self._most = most
        self._full_after = full_after

    async def read(self, size: int) -> bytes:  # noqa: ARG002
        return b""

    async def write(self, data: bytes) -> None:
        room = self._most - len(self.data)
        if self._full_after is not None and len(self.data) + len(data) > self._full_after:
            room, self.lost = max(0, self._full_after - len(self.data)), True
        self.data += data[:room]
        self.changed.wake()

    def shut(self) -> None:
        self.changed.wake()


class OpenFile:
    """A place in the bytes of a file."""

    def __init__(self, data: bytearray, *, append: bool = False) -> None:
        self._data = data
        self._append = append
        self._at = 0

    async def read(self, size: int) -> bytes:
        taken = bytes(self._data[self._at : self._at + size])
        self._at += len(taken)
        return taken

    async def write(self, data: bytes) -> None:
        if self._append:
            self._at = len(self._data)
        if self._at > len(self._data):
            self._data += bytes(self._at - len(self._data))
        self._data[self._at : self._at + len(data)] = data
        self._at += len(data)

    def shut(self) -> None:
        pass


class Nothing:
    """Empty to read, and forgets what is written."""

    async def read(self, size: int) -> bytes:  # noqa: ARG002
        return b""

    async def write(self, data: bytes) -> None:
        pass

    def shut(self) -> None:
        pass


class Zeros(Nothing):
    """Endless zero bytes."""

    async def read(self, size: int) -> bytes:
        return bytes(size)


class Noise(Nothing):
    """Endless bytes without order: the same at each start, so that tests can be repeated."""

    def __init__(self) -> None:
        self._random = random.Random(1)  # noqa: S311

    async def read(self, size: int) -> bytes:
        return self._random.randbytes(size)

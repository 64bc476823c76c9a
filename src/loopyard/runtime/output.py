"""Reads what commands wrote, as text."""

import asyncio
import codecs
from collections.abc import AsyncIterator
from dataclasses import dataclass

from loopyard.runtime.protocol import MOST_OUTPUT_BYTES, Runtime, Stream

DEFAULT_LINES = 100
"""How many last lines an answer holds if the caller does not say."""

MAX_BYTES = 256 * 1024
"""How many last bytes of a stream an answer holds at most. The whole of it can be read as a stream."""

CUT_NOTE = f"\n[loopyard: the output reached {MOST_OUTPUT_BYTES} bytes; what came after that is not kept]\n"
"""Line of an answer or a stream where the output was cut. No part of the output: offsets do not count it."""

LOST_NOTE = "\n[loopyard: the disk of the host was full; what came after that is lost]\n"
"""The note of an answer or a stream whose rest was lost. It is no part of the output: offsets do not count it."""

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a stream. `starts_late` is true where it does not start at the stream's beginning, `ends_early` where
    what the command wrote last is not kept."""

    text: str
    starts_late: bool = False
    ends_early: bool = False

    @property
    def truncated(self) -> bool:
        """True if it is not all that the command wrote."""
        return self.starts_late or self.ends_early


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a stream; `offset` is the byte at which the stream goes on after it."""

    output: str
    offset: int


async def tail(
    runtime: Runtime,
    devbox_id: str,
    execution_id: str,
    stream: Stream,
    lines: int | None,
    max_bytes: int = MAX_BYTES,
) -> Tail:
    """The last `lines` lines of a stream (None: all), in at most `max_bytes` bytes. Invalid UTF-8 is replaced.

    Raises:
        CommandNotFound: The runtime does not know the command.
    """
    size = await runtime.output_size(devbox_id, execution_id, stream)
    note = await _note(runtime, devbox_id, execution_id, stream, size)
    start = max(0, size - max_bytes)
    data = await runtime.read_output(devbox_id, execution_id, stream, start, size - start) if size else b""
    while start > 0 and data and data[0] & 0xC0 == 0x80:  # do not begin within a character
        start, data = start + 1, data[1:]
    if lines is not None:
        cut = _start_of_last_lines(data, lines)
        start, data = start + cut, data[cut:]
    return Tail(data.decode(errors="replace") + note, starts_late=start > 0, ends_early=bool(note))


async def _note(runtime: Runtime, devbox_id: str, execution_id: str, stream: Stream, size: int) -> str:
    """A line for the end of a stream of `size` bytes that is not whole; empty for one that is."""
    if await runtime.is_truncated(devbox_id, execution_id, stream):
        return LOST_NOTE
    return CUT_NOTE if size >= MOST_OUTPUT_BYTES else ""


def _start_of_last_lines(data: bytes, lines: int) -> int:
    """Where the last `lines` lines begin. A newline at the very end closes a line, it does not open one."""
    if lines == 0:
        return len(data)
    position = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1


async def follow(
    runtime: Runtime, devbox_id: str, execution_id: str, stream: Stream, offset: int, *, ping_seconds: float
) -> AsyncIterator[Chunk | None]:
    """The stream from byte `offset` to its end, as it is written. Invalid UTF-8 is replaced; a character whose bytes
    come in two pieces is held back until it is whole. None says that nothing came for `ping_seconds`.

    Raises:
        CommandNotFound: The runtime does not know the command.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    noted = False
    while True:
        data = await runtime.read_output(devbox_id, execution_id, stream, offset, _CHUNK_BYTES)
        if data:
            offset += len(data)
            if text := decoder.decode(data):
                yield Chunk(text, offset - len(decoder.getstate()[0]))
            continue
        if not noted and (note := await _note(runtime, devbox_id, execution_id, stream, offset)):
            noted = True
            yield Chunk(decoder.decode(b"", final=True) + note, offset)
        if await runtime.wait_output(devbox_id, execution_id, stream, offset, timeout_seconds=ping_seconds):
            continue
        if await _ended(runtime, devbox_id, execution_id):
            # It may have written its last between the two looks.
            if await runtime.output_size(devbox_id, execution_id, stream) <= offset:
                break
        else:
            yield None
    rest = decoder.decode(b"", final=True)
    if not noted:
        rest += await _note(runtime, devbox_id, execution_id, stream, offset)
    if rest:
        yield Chunk(rest, offset)


async def _ended(runtime: Runtime, devbox_id: str, execution_id: str) -> bool:
    try:
        async with asyncio.timeout(0):
            await runtime.wait_command(devbox_id, execution_id)
    except TimeoutError:
        return False
    return True

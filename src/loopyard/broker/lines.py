"""Lines of an agent's output, with a limit on what is held of one."""

from dataclasses import dataclass

HEAD_BYTES = 4096
"""Bytes that are kept of a line over the limit."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """The start of a line over the limit."""

    head: bytes


class Lines:
    """Cuts output into lines. A line over the limit is left out, but for its head."""

    def __init__(self, limit: int, *, skipping: bool = False) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self.skipping = skipping
        """True while the rest of a line over the limit is being left out."""

    def feed(self, data: bytes) -> tuple[list[bytes | Oversized], int]:
        """Take in more output. Returns the lines that are whole now, and how many bytes are done with: those lines and
        what is left out."""
        self._buffer += data
        lines: list[bytes | Oversized] = []
        done = 0
        while True:
            end = self._buffer.find(b"\n", done)
            if end < 0:
                break
            if self.skipping:
                self.skipping = False
            elif end - done > self._limit:
                lines.append(Oversized(bytes(self._buffer[done : min(end, done + HEAD_BYTES)])))
            else:
                lines.append(bytes(self._buffer[done:end]))
            done = end + 1
        if len(self._buffer) - done > self._limit or (self.skipping and len(self._buffer) > done):
            if not self.skipping:
                lines.append(Oversized(bytes(self._buffer[done : done + HEAD_BYTES])))
                self.skipping = True
            done = len(self._buffer)
        del self._buffer[:done]
        return lines, done

    def rest(self) -> bytes:
        """A last line without an end."""
        return b"" if self.skipping else bytes(self._buffer)

    @property
    def held(self) -> int:
        """Bytes that are held of a line which is not whole."""
        return len(self._buffer)

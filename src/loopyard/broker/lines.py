"""Lines of an agent's output, with a limit on what is held of one."""


class Lines:
    """Cuts output into lines. A line over the limit is left out, and told as None."""

    def __init__(self, limit: int, *, skipping: bool = False) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self.skipping = skipping
        """Whether the rest of a line that was told as None is being left out."""

    def feed(self, data: bytes) -> tuple[list[bytes | None], int]:
        """Take in more output. Returns the lines that are whole now, and how many bytes are done with: those lines and
        what is left out."""
        self._buffer += data
        lines: list[bytes | None] = []
        done = 0
        while True:
            end = self._buffer.find(b"\n", done)
            if end < 0:
                break
            if self.skipping:
                self.skipping = False
            elif end - done > self._limit:
                lines.append(None)
            else:
                lines.append(bytes(self._buffer[done:end]))
            done = end + 1
        if len(self._buffer) - done > self._limit or (self.skipping and len(self._buffer) > done):
            if not self.skipping:
                lines.append(None)
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

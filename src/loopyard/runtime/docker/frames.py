"""How the two streams of a command without a terminal come from the engine as one."""

import struct
from collections.abc import Generator

STDOUT, STDERR = 1, 2
_HEADER = struct.Struct(">BxxxL")


class Frames:
    """Takes apart what comes from a command without a terminal."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Generator[tuple[int, bytes]]:
        """The pieces of standard output (1) and error (2) in what has come. A piece may be a part of a frame."""
        self._buffer += data
        position = 0
        while True:
            if self._left == 0:
                if len(self._buffer) - position < _HEADER.size:
                    break
                self._stream, self._left = _HEADER.unpack_from(self._buffer, position)
                position += _HEADER.size
            piece = bytes(self._buffer[position : position + self._left])
            if not piece and self._left:
                break
            position += len(piece)
            self._left -= len(piece)
            if piece:
                yield self._stream, piece
        del self._buffer[:position]

"""Bytes to send."""

import os
from collections.abc import Iterator

_PIECE = os.urandom(1 << 20)


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes, in pieces of a mebibyte; not such as a disk could leave out or make small."""
    for begun in range(0, size, len(_PIECE)):
        yield _PIECE[: size - begun]

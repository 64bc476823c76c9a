"""Forked children of the launcher: the descriptors that they keep, and errors that nobody expected."""

import contextlib
import os
import sys
from collections.abc import Iterable

_FIRST = 3
_END = 1 << 20


def keep_only(descriptors: Iterable[int]) -> None:
    """Close every descriptor but these and the standard streams: a child holds nothing open that it does not use."""
    start = _FIRST
    for kept in sorted({number for number in descriptors if number >= _FIRST}):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, _END)


def log_unexpected(where: str) -> None:
    """Print the exception that is being handled to standard error, which is the server's log."""
    import traceback  # rarely wanted, and the launcher forks with what it has imported

    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"launcher: {where} failed: {traceback.format_exc()}\n")
        sys.stderr.flush()

"""Keeps what a launcher that was killed has begun apart from what the next one does.

Workers outlive their launcher until they are done with what they are at. One that still makes a sandbox while another
is told to take it apart would leave pieces of it. So each act is done under a shared lock of a file, and a launcher
begins only when it has had that lock for itself; a worker without its launcher begins no act any more.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager


class Acts:
    """The acts of a launcher, which makes it, and of its workers."""

    def __init__(self, lock: str | None) -> None:
        """`lock` is the file; None where no act changes anything."""
        self._lock = lock
        self._launcher = os.getpid()

    def wait_for_others(self) -> None:
        """Wait until nobody acts for a launcher that is no more."""
        if self._lock is None:
            return
        file = _open(self._lock)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.close(file)

    @contextmanager
    def begin(self, harmless: bool) -> Generator[bool]:
        """Hold the lock that a new launcher waits for, while a worker acts; yields true if the worker may act. A
        `harmless` act takes no lock."""
        if harmless or self._lock is None:
            yield os.getppid() == self._launcher
            return
        # Opened for this act alone: a lock is let go of by the last process that has the open file.
        file = _open(self._lock)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield os.getppid() == self._launcher
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)


def _open(lock: str) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

"""Large files on their way to the disk."""

import contextlib
import os

from loopyard.runtime.syscalls import begin_writing_out

_STEP_BYTES = 16 << 20
_KEPT_STEPS = 4


class WriteBack:
    """Lets the disk begin with what has come of a file while more comes, and then lets go of the memory. A file of
    gigabytes would take as much of that as its size, new memory is slower than what is in use already, and a snapshot
    soon after has less to wait for. What the disk is not done with stays in memory; nobody waits."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` is of a file that is written from its start on."""
        self._descriptor = descriptor
        self._written = 0
        self._begun = 0

    def wrote(self, count: int) -> None:
        """So many bytes more have been written."""
        self._written += count
        with contextlib.suppress(OSError):  # a file system that cannot do it keeps all in memory
            while self._written - self._begun >= _STEP_BYTES:
                begin_writing_out(self._descriptor, self._begun, _STEP_BYTES)
                done = self._begun - _KEPT_STEPS * _STEP_BYTES
                if done >= 0:
                    os.posix_fadvise(self._descriptor, done, _STEP_BYTES, os.POSIX_FADV_DONTNEED)
                self._begun += _STEP_BYTES

"""The longest time that a server's event loop was held: `python -m benchmarks.loop_holds FILE PYTHON -m loopyard ...`
runs the command and keeps, in the eight bytes of FILE, the most processor time in seconds that the loop's thread has
used between two turns. Whoever reads it may set it to zero. Processor time, since others share the processors.
"""

import asyncio
import mmap
import os
import runpy
import struct
import sys
import time
from pathlib import Path

import uvloop

_PAUSE_SECONDS = 0.001
_FORMAT = "d"


class LoopHolds:
    """The measured server's file, as the benchmark sees it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_bytes(struct.pack(_FORMAT, 0.0))

    @property
    def command(self) -> list[str]:
        """Beginning of the server's command line."""
        return [sys.executable, "-m", "benchmarks.loop_holds", str(self._file)]

    def take(self) -> float:
        """The longest hold since it was last asked for, in milliseconds of processor time."""
        with self._file.open("r+b") as file:
            (longest,) = struct.unpack(_FORMAT, file.read(8))
            file.seek(0)
            file.write(struct.pack(_FORMAT, 0.0))
        return longest * 1000


def _watch(loop: asyncio.AbstractEventLoop, kept: mmap.mmap) -> None:
    last = time.thread_time()

    def beat() -> None:
        nonlocal last
        now = time.thread_time()
        if now - last > struct.unpack_from(_FORMAT, kept)[0]:
            struct.pack_into(_FORMAT, kept, 0, now - last)
        loop.call_later(_PAUSE_SECONDS, beat)
        last = time.thread_time()

    loop.call_soon(beat)


def main(file: str, arguments: list[str]) -> None:
    """Run the `loopyard` command with its loop watched."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    kept = mmap.mmap(descriptor, 8)
    make = uvloop.new_event_loop

    def watched() -> asyncio.AbstractEventLoop:
        loop = make()
        _watch(loop, kept)
        return loop

    uvloop.new_event_loop = watched  # type: ignore[assignment]
    sys.argv = ["loopyard", *arguments]
    runpy.run_module("loopyard", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[5:])

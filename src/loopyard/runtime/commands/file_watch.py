"""Wakes whoever waits for a file to be written to, by inotify: waiting costs nothing until then."""

import asyncio
import os
import struct
from contextlib import suppress
from pathlib import Path

from loopyard.runtime.syscalls import inotify, watch_file

_MODIFY, _MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 0x2, 0x80, 0x100, 0x400, 0x800
_OVERFLOW, _ONESHOT = 0x4000, 0x80000000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 64 << 10


class FileWatch:
    """inotify instance for all files that a process waits for. Belongs to the event loop that first uses it."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched: dict[Path, asyncio.Future[None]] = {}
        self._paths: dict[int, Path] = {}

    def next_write(self, path: Path) -> asyncio.Future[None] | None:
        """A future that is done at the next write to the file, or to any file in its folder if it is not there yet.
        Shared: do not cancel it.

        None where it cannot be watched: the folder is not there, or the host's limit of watches is reached.
        """
        return self._next(path, _MODIFY) or self._next(path.parent, _MODIFY | _CREATE | _MOVED_TO)

    def next_rename(self, path: Path) -> asyncio.Future[None] | None:
        """A future that is done when the file gets another name, or is removed. Shared: do not cancel it. Writes to it
        do not wake, so the same file must not be waited for by `next_write`.

        None where it cannot be watched: it is not there, or the host's limit of watches is reached.
        """
        return self._next(path, _MOVE_SELF)

    def _next(self, path: Path, mask: int) -> asyncio.Future[None] | None:
        if (waiting := self._watched.get(path)) is not None:
            return waiting
        if (descriptor := self._open()) is None:
            return None
        try:
            watch = watch_file(descriptor, path, mask | _DELETE_SELF | _ONESHOT)
        except OSError:
            return None
        waiting = self._watched[path] = asyncio.get_running_loop().create_future()
        self._paths[watch] = path
        return waiting

    def close(self) -> None:
        """Watch nothing any more, and wake whoever waits."""
        if self._descriptor is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        self._wake_all()

    def _open(self) -> int | None:
        if self._descriptor is None:
            try:
                descriptor = inotify()
            except OSError:
                return None
            self._descriptor, self._loop = descriptor, asyncio.get_running_loop()
            self._loop.add_reader(descriptor, self._read)
        return self._descriptor

    def _read(self) -> None:
        data = b""
        if self._descriptor is not None:
            with suppress(BlockingIOError):
                data = os.read(self._descriptor, _READ_BYTES)
        position = 0
        while position < len(data):
            watch, mask, _, name_bytes = _EVENT.unpack_from(data, position)
            position += _EVENT.size + name_bytes
            if mask & _OVERFLOW:
                self._wake_all()
            elif (path := self._paths.pop(watch, None)) is not None:
                _wake(self._watched.pop(path, None))

    def _wake_all(self) -> None:
        waiting = list(self._watched.values())
        self._watched.clear()
        self._paths.clear()
        for one in waiting:
            _wake(one)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done() and not waiting.get_loop().is_closed():
        waiting.set_result(None)

"""The streams of a command on their way from its pipes to the host's files."""

import contextlib
import fcntl
import os
from dataclasses import dataclass

from loopyard.kit.host.full_disk import LEAST_FREE_BYTES, is_full
from loopyard.runtime.crun.host.write_back import WriteBack

_PIPE_BYTES = 1 << 20
_FIRST_PIPE_BYTES = 1 << 16
_F_SETPIPE_SZ = 1031
_LOOK_BYTES = 8 << 20
"""After so many bytes it is looked whether the disk has room for more. The last `LEAST_FREE_BYTES` are left to others:
half of them to those streams that have not come so far."""


@dataclass
class KeptStream:
    """A pipe that is emptied into the file at `path`, made when there is something to put into it. What comes past
    `room` bytes is thrown away. `lost` tells that the disk took no more: the file holds the stream's beginning then,
    whatever room there is later. The file `mark` tells others of it."""

    name: str
    pipe: int
    path: str
    room: int
    mark: str
    file: int = -1
    written: int = 0
    open: bool = True
    wide: bool = False
    lost: bool = False
    draining: WriteBack | None = None
    looked_at: int = 0
    nearly_full: bool = False

    def move(self, *, all: bool) -> None:
        """Move what is there: all of it, or only so much that what comes meanwhile in small pieces can gather.

        Raises:
            OSError: The pipe or the file is broken in another way than that the disk is full.
        """
        while self.open:
            try:
                if self.written >= self.room:
                    moved = len(os.read(self.pipe, _PIPE_BYTES))
                elif self.nearly_full:
                    moved = self._refuse()
                elif self.file < 0:
                    moved = self._begin()
                else:
                    moved = self._splice()
            except BlockingIOError:
                return
            if moved >= _FIRST_PIPE_BYTES and not self.wide:
                self._widen()
            self.open = moved > 0
            if self.wide and moved < _PIPE_BYTES // 2 and not all:
                return

    def add(self, line: bytes) -> None:
        """Put a line behind what the command has written so far, unless there is no room."""
        with contextlib.suppress(OSError):
            if self.file < 0:
                self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if self.written > 0 and _last_byte(self.path, self.written) != b"\n":
                line = b"\n" + line
            if self.written + len(line) <= self.room:
                self.written += os.pwrite(self.file, line, self.written)

    def close(self) -> None:
        os.close(self.pipe)
        if self.file >= 0:
            os.close(self.file)

    def _begin(self) -> int:
        """Move the first that comes; returns how much came."""
        data = os.read(self.pipe, min(_FIRST_PIPE_BYTES, self.room))
        if data:
            try:
                self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self.draining = WriteBack(self.file)
                while self.written < len(data):
                    self._wrote(os.write(self.file, data[self.written :]))
            except OSError as error:
                self._lose(error)
        return len(data)

    def _splice(self) -> int:
        """Move what comes without copying it; returns how much came."""
        try:
            moved = os.splice(self.pipe, self.file, min(_PIPE_BYTES, self.room - self.written), offset_dst=self.written)
        except BlockingIOError:
            raise
        except OSError as error:
            self._lose(error)
            return len(os.read(self.pipe, _PIPE_BYTES))
        self._wrote(moved)
        return moved

    def _wrote(self, count: int) -> None:
        self.written += count
        if self.draining is not None:
            self.draining.wrote(count)
        if self.written - self.looked_at >= _LOOK_BYTES:
            self.looked_at = self.written
            found = os.fstatvfs(self.file)
            self.nearly_full = found.f_bavail * found.f_frsize < LEAST_FREE_BYTES // 2

    def _refuse(self) -> int:
        """Keep no more of what comes, if anything does; returns how much came."""
        data = os.read(self.pipe, _PIPE_BYTES)
        if data:
            self._stop()
        return len(data)

    def _lose(self, error: OSError) -> None:
        """Keep no more, if the disk is full: the command must not hang for that."""
        if not is_full(error):
            raise error
        self._stop()

    def _stop(self) -> None:
        self.room = self.written
        self.lost = True
        with contextlib.suppress(OSError):  # the command has ended, and its result tells
            os.close(os.open(self.mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _widen(self) -> None:
        """More comes at once than the pipe holds. A large one from the start would cost every small command."""
        self.wide = True
        with contextlib.suppress(OSError):  # past the user's share of pipe memory it works as well, only slower
            fcntl.fcntl(self.pipe, _F_SETPIPE_SZ, _PIPE_BYTES)


def _last_byte(path: str, size: int) -> bytes:
    with open(path, "rb") as file:
        return os.pread(file.fileno(), 1, size - 1)

"""Space that files of images and layers share: by hard links, and by extents that several files have (reflinks)."""

import contextlib
import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQLLLL")
"""Start, length, flags, extents that were found, room for extents, reserved."""

_EXTENT = struct.Struct("=QQQQQLLLL")
"""Logical place, physical place, length, reserved twice, flags, reserved thrice."""

_LAST, _UNKNOWN, _INLINE, _SHARED = 0x1, 0x2, 0x200, 0x2000
_ROOM = 512
_EVERYTHING = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class SharedSpace:
    """`apparent` is what files would take if none shared anything, `on_disk` what they take, in bytes. `complete` is
    false if there was no time to look at all of them."""

    apparent: int
    on_disk: int
    complete: bool


def shared_spaces(groups: Sequence[Sequence[Path]], seconds: float, *, one_disk: bool = False) -> list[SharedSpace]:
    """Measure groups of folders. What a group shares with those before it, or a folder with others before it, takes
    nothing. Folders within a folder that were measured are passed over. Ends after so many seconds. With
    `one_disk`, all is on one file system, whose subvolumes have numbers of their own and may share extents."""
    measurement = _Measurement(time.monotonic() + seconds, one_disk=one_disk)
    return [measurement.group(folders) for folders in groups]


class _Measurement:
    def __init__(self, deadline: float, *, one_disk: bool) -> None:
        self._deadline = deadline
        self._one_disk = one_disk
        self._done: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        self._extents: set[tuple[int, int, int]] = set()
        self._without_extents: set[int] = set()
        """File systems that tell of no extents."""

    def group(self, folders: Sequence[Path]) -> SharedSpace:
        apparent = on_disk = 0
        for folder in folders:
            for path in self._entries(str(folder)):
                if time.monotonic() > self._deadline:
                    return SharedSpace(apparent, on_disk, complete=False)
                try:
                    found = os.lstat(path)
                except OSError:  # it went meanwhile
                    continue
                size = found.st_blocks * 512
                apparent += size
                if (found.st_dev, found.st_ino) in self._files:
                    continue
                self._files.add((found.st_dev, found.st_ino))
                on_disk += size - (self._again(path, found) if size and stat.S_ISREG(found.st_mode) else 0)
            self._done.add(str(folder))
        return SharedSpace(apparent, on_disk, complete=True)

    def _entries(self, folder: str) -> Iterator[str]:
        for below, folders, files in os.walk(folder):
            yield below
            yield from (f"{below}/{name}" for name in files)
            yield from (f"{below}/{name}" for name in folders if os.path.islink(f"{below}/{name}"))  # noqa: PTH114
            folders[:] = [name for name in folders if f"{below}/{name}" not in self._done]

    def _again(self, path: str, found: os.stat_result) -> int:
        """The bytes of a file whose extents other files have brought already."""
        if found.st_dev in self._without_extents:
            return 0
        again = 0
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            disk = 0 if self._one_disk else found.st_dev
            for place, length in _shared_extents(file):
                extent = (disk, place, length)
                again += length if extent in self._extents else 0
                self._extents.add(extent)
        except OSError:
            self._without_extents.add(found.st_dev)
        finally:
            with contextlib.suppress(OSError):
                os.close(file)
        return min(again, found.st_blocks * 512)


def _shared_extents(file: int) -> Iterator[tuple[int, int]]:
    """Physical places and lengths of the extents that a file shares.

    Raises:
        OSError: The file system does not tell.
    """
    start = 0
    while True:
        buffer = bytearray(_HEAD.size + _ROOM * _EXTENT.size)
        _HEAD.pack_into(buffer, 0, start, _EVERYTHING - start, 0, 0, _ROOM, 0)
        fcntl.ioctl(file, _FIEMAP, buffer)
        count = _HEAD.unpack_from(buffer)[3]
        for number in range(count):
            logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _HEAD.size + number * _EXTENT.size)
            if flags & _SHARED and not flags & (_UNKNOWN | _INLINE):
                yield physical, length
            start = logical + length
            if flags & _LAST:
                return
        if count == 0:
            return

"""Tells what was changed on a sandbox's disk since it was kept, by the folders of what differs from its image.

Only what is in these folders is looked at, so it takes as long as there are changes, not as long as there are files.
Both disks are snapshots of each other, so a file that was not touched has the same inode and the same time of change.
Where there is no btrfs, one is a copy of the other, and what is in files has to be compared.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from loopyard.runtime.crun.launcher.layered_folders import LayeredFolder, are_copies, reach, top_folder

LISTED = 100
"""How many paths are named."""

_LOOKED_AT = 20_000
_COMPARED_BYTES, _PIECE_BYTES = 1 << 30, 1 << 20
_LONGEST = 300

Kind = Literal["added", "changed", "removed"]


@dataclass(slots=True)
class Changes:
    """Paths by what became of them, `LISTED` together at most, and how many there are. A folder that was added or
    removed is one path. `complete` is false where there was more than is looked at."""

    added: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])
    count: int = 0
    complete: bool = True

    def note(self, kind: Kind, path: str) -> None:
        self.count += 1
        if self.count <= LISTED:
            told = path.encode(errors="surrogateescape").decode(errors="replace")
            getattr(self, kind).append(told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…")


def changes(disk: str, kept: str, image: str, paths: Sequence[str], keep: str | None) -> Changes:
    """Changes of `paths` between the disks `kept` and `disk`, both over `image`. The folder `keep` is left out.

    Nothing may run in the sandbox meanwhile. What cannot be read is left out, and the answer is not complete.
    """
    found = Changes()
    with top_folder(kept, image) as before, top_folder(disk, image) as after:
        copied = are_copies(before, after)
        walk = _Walk(found, None if keep is None else os.path.normpath(keep), copied=copied)
        for path in paths:
            try:
                reach(before, after, path.strip("/").split("/"), "", walk.compare)
            except OSError:
                found.complete = False
    return found


class _Walk:
    def __init__(self, found: Changes, keep: str | None, *, copied: bool) -> None:
        self._found = found
        self._keep = keep
        self._copied = copied
        self._left = _LOOKED_AT
        self._bytes_left = _COMPARED_BYTES

    def compare(self, before: LayeredFolder, after: LayeredFolder, name: str, path: str) -> None:
        if path == self._keep:
            return
        (was, was_upper), (now, now_upper) = before.look(name), after.look(name)
        if was is None and now is None:
            return
        if was is None:
            self._found.note("added", path)
        elif now is None:
            self._found.note("removed", path)
        elif stat.S_ISDIR(was.st_mode) and stat.S_ISDIR(now.st_mode):
            if was.st_mode != now.st_mode:
                self._found.note("changed", path)
            with before.below(name) as inner_before, after.below(name) as inner_after:
                self._folder(inner_before, inner_after, path)
        elif was_upper != now_upper or (now_upper and self._differs(before.upper, after.upper, name, was, now)):
            self._found.note("changed", path)

    def _differs(
        self, before: int | None, after: int | None, name: str, was: os.stat_result, now: os.stat_result
    ) -> bool:
        """True if something in the folders `before` and `after` is not the same any more."""
        if not self._copied:
            return (was.st_ino, was.st_ctime_ns) != (now.st_ino, now.st_ctime_ns)
        if _shown(was) != _shown(now):
            return True
        if stat.S_ISLNK(now.st_mode):
            return os.readlink(name, dir_fd=before) != os.readlink(name, dir_fd=after)
        if not stat.S_ISREG(now.st_mode):
            return False
        self._bytes_left -= now.st_size
        if self._bytes_left < 0:
            self._found.complete = False
            return False
        return not _hold_the_same(before, after, name)

    def _folder(self, before: LayeredFolder, after: LayeredFolder, path: str) -> None:
        sources = [before.upper, after.upper]
        if (before.lower is None) != (after.lower is None):  # one of them hides what the image has
            sources += [before.lower, after.lower]
        names: set[str] = set()
        for source in sources:
            names |= self._names(source)
        for name in sorted(names):
            self.compare(before, after, name, f"{path}/{name}")

    def _names(self, folder: int | None) -> set[str]:
        if folder is None:
            return set()
        with os.scandir(folder) as entries:
            names = {entry.name for entry in islice(entries, self._left)}
            if next(entries, None) is not None:
                self._found.complete = False
        self._left -= len(names)
        return names


def _shown(found: os.stat_result) -> tuple[int, ...]:
    """Attributes that a copy shares with its original."""
    return found.st_mode, found.st_uid, found.st_gid, found.st_rdev, found.st_size, found.st_mtime_ns


def _hold_the_same(before: int | None, after: int | None, name: str) -> bool:
    """True if the files of this name in two folders hold the same."""
    files = [os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder) for folder in (before, after)]
    try:
        while True:
            one, other = (os.read(file, _PIECE_BYTES) for file in files)
            if one != other:
                return False
            if not one:
                return True
    finally:
        for file in files:
            os.close(file)
